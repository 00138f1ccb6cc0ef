"""`streamctl dlq stats | peek | replay | export | purge`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli import dlq_views as views
from streamctl.cli.command import Here, command
from streamctl.cli.moments import parse_moment
from streamctl.errors import SettingsInvalid

if TYPE_CHECKING:
    from streamctl.dlq.export import Exported
    from streamctl.dlq.judge import ReplayPreview
    from streamctl.dlq.letters import Wanted
    from streamctl.dlq.peek import PeekedLetters
    from streamctl.dlq.purge import Purged, PurgePlan
    from streamctl.dlq.replay import ReplayReport
    from streamctl.dlq.stats import StatsReport

app = typer.Typer(
    name="dlq",
    help="See dead letters, replay them once, and clear them away.",
    no_args_is_help=True,
    add_completion=False,
)
_Topic = Annotated[
    str, typer.Option(help="Dead letter topic; default: this job's.", show_default=False)
]
_Reason = Annotated[
    str,
    typer.Option(help="With this reason, or any before its colon.", show_default=False),
]
_From = Annotated[
    str, typer.Option("--from", help="Written since a time, or 2h ago as `2h`.", show_default=False)
]
_To = Annotated[str, typer.Option("--to", help="Written before a time.", show_default=False)]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@command(app, "stats", view=views.stats)
def stats(
    here: Here,
    *,
    start: _From = "",
    end: _To = "",
    devices: Annotated[int, typer.Option(help="Devices that are named.", min=0)] = 10,
    topic: _Topic = "",
) -> "StatsReport":
    """Count dead letters by reason, by time and by device."""
    from streamctl.dlq.letters import read_letters
    from streamctl.dlq.stats import count_letters
    from streamctl.kafka.client import Broker

    settings = here.settings(kafka__dead_letter_topic=topic or None)
    name = settings.kafka.dead_letters
    with Broker.of(settings.kafka) as kafka:
        letters = read_letters(kafka, name, _wanted(start=start, end=end))
        return count_letters(letters, topic=name, devices=devices)


@command(app, "peek", view=views.peek)
def peek(
    here: Here,
    *,
    reason: _Reason = "",
    start: _From = "",
    end: _To = "",
    origin: Annotated[
        str,
        typer.Option(help="Of the original: partition, or partition:offset.", show_default=False),
    ] = "",
    limit: Annotated[int, typer.Option(help="Letters shown.", min=1)] = 10,
    limit_bytes: Annotated[int, typer.Option(help="Bytes of each value.", min=1)] = 500,
    topic: _Topic = "",
) -> "PeekedLetters":
    """Show dead letters: why, where from, and what they were."""
    from streamctl.dlq.letters import read_letters
    from streamctl.dlq.peek import peek_letters
    from streamctl.kafka.client import Broker

    settings = here.settings(kafka__dead_letter_topic=topic or None)
    name = settings.kafka.dead_letters
    with Broker.of(settings.kafka) as kafka:
        letters = read_letters(
            kafka, name, _wanted(reason=reason, start=start, end=end, origin=origin)
        )
        return peek_letters(letters, topic=name, limit=limit, limit_bytes=limit_bytes)


@command(app, "replay", view=views.replay)
def replay(
    here: Here,
    *,
    reason: _Reason = "",
    start: _From = "",
    end: _To = "",
    limit: Annotated[
        int | None, typer.Option(help="Records at most.", min=1, show_default=False)
    ] = None,
    into: Annotated[
        str, typer.Option(help="Another topic than they came from.", show_default=False)
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; say how many would pass now.")
    ] = False,
    yes: _Yes = False,
    topic: _Topic = "",
) -> "ReplayReport | ReplayPreview":
    """Send dead letters back to where they came from, each record once."""
    from streamctl.checkpoint.location.store import Store
    from streamctl.cli.confirm import confirm
    from streamctl.dlq.judge import preview
    from streamctl.dlq.ledger import Ledger
    from streamctl.dlq.letters import read_letters
    from streamctl.dlq.replay import replay as replay_letters
    from streamctl.dlq.select import Selector
    from streamctl.kafka.client import Broker

    settings = here.settings(kafka__dead_letter_topic=topic or None)
    name, most = settings.kafka.dead_letters, settings.dlq.max_replays
    ledger = Ledger(Store.open(settings.checkpoint.location))
    wanted = _wanted(reason=reason, start=start, end=end)
    with Broker.of(settings.kafka) as kafka:
        letters = read_letters(kafka, name, wanted)
        if dry_run:
            selector = Selector(
                replayed=ledger.replayed(), to=into, most_attempts=most, limit=limit
            )
            return preview(
                letters,
                selector,
                settings,
                topic=name,
                project=here.layers().root,
                on_event=here.on_event,
            )
        confirm(f'send dead letters of "{name}" back to {into or "their topics"}', yes=yes)
        return replay_letters(
            kafka,
            ledger,
            letters,
            topic=name,
            to=into,
            most_attempts=most,
            limit=limit,
            isolation=settings.kafka.isolation,
            on_event=here.on_event,
        )


@command(app, "export", view=views.export)
def export(
    here: Here,
    file: Annotated[Path, typer.Argument(help="A new file.")],
    *,
    reason: _Reason = "",
    start: _From = "",
    end: _To = "",
    topic: _Topic = "",
) -> "Exported":
    """Write dead letters to a file, one JSON object a line."""
    from streamctl.dlq.export import export as export_letters
    from streamctl.dlq.letters import read_letters
    from streamctl.kafka.client import Broker

    settings = here.settings(kafka__dead_letter_topic=topic or None)
    name = settings.kafka.dead_letters
    with Broker.of(settings.kafka) as kafka:
        letters = read_letters(kafka, name, _wanted(reason=reason, start=start, end=end))
        return export_letters(letters, file, topic=name, on_event=here.on_event)


@command(app, "purge", view=views.purge)
def purge(
    here: Here,
    *,
    older_than: Annotated[str, typer.Option(help="A time, or an age such as 30d.")],
    to: Annotated[
        Path | None, typer.Option("--export", help="Where they are kept.", show_default=False)
    ] = None,
    no_export: Annotated[bool, typer.Option("--no-export", help="Keep no copy.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and end.")
    ] = False,
    yes: _Yes = False,
    topic: _Topic = "",
) -> "Purged | PurgePlan":
    """Delete old dead letters from Kafka for good, after writing them to a file."""
    from streamctl.checkpoint.location.store import Store
    from streamctl.cli.confirm import confirm
    from streamctl.dlq import purge as purging
    from streamctl.kafka.client import Broker

    settings = here.settings(kafka__dead_letter_topic=topic or None)
    moment = parse_moment(older_than, option="--older-than")
    file = None if no_export else to or _default_file(here, settings.kafka.dead_letters)
    with Broker.of(settings.kafka) as kafka:
        plan = purging.plan_purge(kafka, settings.kafka.dead_letters, older_than=moment)
        if dry_run or not plan.before:
            return plan
        kept = f'after writing them to "{file}"' if file else "without keeping a copy"
        confirm(f'delete {plan.offsets:,} offsets of "{plan.topic}" for good, {kept}', yes=yes)
        store = Store.open(settings.checkpoint.location)
        return purging.purge(kafka, plan, file=file, store=store, on_event=here.on_event)


def _default_file(here: Here, topic: str) -> Path:
    name = f"{topic}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl"
    return here.layers().run_directory / "dead-letters" / name


def _wanted(*, reason: str = "", start: str = "", end: str = "", origin: str = "") -> "Wanted":
    from streamctl.dlq.letters import Wanted

    partition, _, offset = origin.partition(":")
    if any(part and not part.isdigit() for part in (partition, offset)) or origin[:1] == ":":
        raise SettingsInvalid(f'--origin "{origin}" is no place', hint="Give 3, or 3:1207.")
    return Wanted(
        reason=reason,
        start=parse_moment(start, option="--from") if start else None,
        end=parse_moment(end, option="--to") if end else None,
        partition=int(partition) if partition else None,
        offset=int(offset) if offset else None,
    )
