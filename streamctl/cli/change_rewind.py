"""`streamctl checkpoint rewind` and `skip`: read from earlier on, or from later."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.change import (
    How,
    NoKafka,
    PathArgument,
    QueryOption,
    SinkOption,
    WhyOption,
    asked,
    change,
    change_command,
    target_of,
)
from streamctl.cli.command import Here
from streamctl.cli.moments import parse_moment, parse_seconds
from streamctl.errors import SettingsInvalid

if TYPE_CHECKING:
    from streamctl.checkpoint.change.area import Target
    from streamctl.checkpoint.change.plan import Plan


def rewind_command(
    here: Here,
    how: How,
    path: PathArgument = "",
    *,
    to_batch: Annotated[
        int | None, typer.Option("--to-batch", help="Last batch to keep.", min=0)
    ] = None,
    to_time: Annotated[
        str,
        typer.Option(
            "--to-time", help="Keep what was planned by then, UTC, or 15m ago.", show_default=False
        ),
    ] = "",
    to_offsets: Annotated[
        Path | None, typer.Option("--to-offsets", help='Read from {"topic": {"0": 123}} on.')
    ] = None,
    by: Annotated[
        str, typer.Option("--by", help="So long back, such as 90s, 15m, 2h.", show_default=False)
    ] = "",
    query: QueryOption = "",
    sink: SinkOption = "",
    no_kafka: NoKafka = False,
    reason: WhyOption = "",
) -> Any:
    """Go back to the end of an earlier batch, with state and file sink."""
    from streamctl.checkpoint.change.rewind import plan_rewind

    target = target_of(here, path, query=query, sink=sink)
    with asked(here, no_kafka=no_kafka) as kafka:

        def make() -> "Plan":
            batch = _batch(target, to_batch, to_time, to_offsets, by)
            ids = _topic_ids(target)
            return plan_rewind(
                target, batch, why=reason, now=datetime.now(UTC), kafka=kafka, topic_ids=ids
            )

        return change(here, target.area, make, how)


def _batch(
    target: "Target",
    to_batch: int | None,
    to_time: str,
    to_offsets: Path | None,
    by: str,
) -> int:
    from streamctl.checkpoint.change import rewind
    from streamctl.checkpoint.tree.reader import Checkpoint

    given = [
        value for value in (to_batch, to_time or None, to_offsets, by or None) if value is not None
    ]
    if len(given) != 1:
        raise SettingsInvalid(
            "say where to, in one way",
            hint="Give one of --to-batch, --to-time, --to-offsets and --by.",
        )
    checkpoint = Checkpoint.open(target.path)
    if to_batch is not None:
        return to_batch
    if to_time:
        return rewind.batch_at(checkpoint, parse_moment(to_time, option="--to-time", zone=UTC))
    if to_offsets is not None:
        text = to_offsets.read_text(encoding="utf-8")
        offsets = rewind.parse_offsets(text, name=str(to_offsets))
        return rewind.batch_for_offsets(checkpoint, offsets)
    return rewind.batch_before(checkpoint, timedelta(seconds=parse_seconds(by, option="--by")))


def _topic_ids(target: "Target") -> dict[str, str]:
    """The topics' ids when the generation began."""
    from streamctl.checkpoint.location import generations

    if not target.generation:
        return {}
    return generations.read(target.area.store, target.generation).topic_ids


def skip_command(
    here: Here,
    how: How,
    path: PathArgument = "",
    *,
    partition: Annotated[
        str, typer.Option("--partition", metavar="[TOPIC:]P", help="Where the records lie.")
    ],
    to: Annotated[int, typer.Option("--to", help="First offset to read again.", min=1)],
    reason: Annotated[str, typer.Option("--reason", help="Why; part of the dead letters.")],
    query: QueryOption = "",
    sink: SinkOption = "",
    dead_letter_topic: Annotated[
        str, typer.Option("--dead-letter-topic", help="Default: the job's.", show_default=False)
    ] = "",
) -> Any:
    """Pass over poison records, after copying them to the dead letter topic."""
    from streamctl.checkpoint.change.skip import Skip, plan_skip

    target = target_of(here, path, query=query, sink=sink)
    topic, _, number = partition.rpartition(":")
    if not number.isdecimal():
        raise SettingsInvalid(f'"{partition}" is no partition', hint="Such as 3 or orders:3.")
    with asked(here, no_kafka=False) as kafka:

        def make() -> "Plan":
            return plan_skip(
                target,
                Skip(topic=topic, partition=int(number), end=to),
                why=reason,
                now=datetime.now(UTC),
                dead_letter_topic=dead_letter_topic or here.settings().kafka.dead_letters,
                kafka=kafka,
            )

        return change(here, target.area, make, how)


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    risks = ("accept-findings", "accept-loss", "accept-new-topic")
    change_command(
        app, "rewind", rewind_command, accepts=(*risks, "accept-little-space", "no-file-sink")
    )
    change_command(app, "skip", skip_command, accepts=risks)
