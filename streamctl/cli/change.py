"""The commands of `streamctl checkpoint` that change one: rewind, clear, rotate, undo and more.

Every command makes a plan and applies it. `--dry-run` shows it, `--plan FILE` keeps it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.change_views import change_view, journal_view
from streamctl.cli.command import Here, command
from streamctl.errors import SettingsInvalid, StreamctlError

if TYPE_CHECKING:
    from streamctl.checkpoint.change.apply import ChangeReport
    from streamctl.checkpoint.change.area import Area, Held, Target
    from streamctl.checkpoint.change.guards import Kafka
    from streamctl.checkpoint.change.plan import Plan
    from streamctl.kafka.client import Broker

PathArgument = Annotated[
    str,
    typer.Argument(metavar="[PATH]", help="Path or URL; default: this job's.", show_default=False),
]
QueryOption = Annotated[
    str, typer.Option("--query", help="Which query of the job.", show_default=False)
]
SinkOption = Annotated[
    str, typer.Option("--sink", help="Output directory of its file sink.", show_default=False)
]
NoKafka = Annotated[bool, typer.Option("--no-kafka", help="Do not ask Kafka what it still has.")]
WhyOption = Annotated[str, typer.Option("--reason", help="For the journal.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", help="Write the plan to this file for `apply`.", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Findings = Annotated[
    bool, typer.Option("--accept-findings", help="Although it would not start rightly.")
]
Loss = Annotated[
    bool, typer.Option("--accept-loss", help="Although Kafka no longer has some records.")
]
NewTopic = Annotated[
    bool, typer.Option("--accept-new-topic", help="Although the topic was made anew.")
]
LittleSpace = Annotated[
    bool, typer.Option("--accept-little-space", help="Although the disk is almost full.")
]
NoFileSink = Annotated[bool, typer.Option("--no-file-sink", help="No file sink writes the output.")]
Protected = Annotated[
    bool, typer.Option("--accept-protected", help="Although checkpoint.protected is set.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a command goes from plan to change.

    Attributes:
        accept: guards that the operator overrides, by code.
        name: what has to be typed on a terminal; "" where yes or no will do.
    """

    dry_run: bool
    plan_file: Path | None
    yes: bool
    accept: Mapping[str, bool]
    name: str = ""


def change(here: Here, area: "Area", make: "Callable[[], Plan]", how: How) -> "Plan | ChangeReport":
    """Plan, and unless only the plan is wanted, ask and apply it under the lease."""
    from streamctl.checkpoint.change import apply as changes
    from streamctl.checkpoint.change.area import held
    from streamctl.checkpoint.change.plan import format_plan, require
    from streamctl.checkpoint.change.quiet import require_quiet
    from streamctl.checkpoint.tree.files import local_path
    from streamctl.cli.confirm import confirm, confirm_name

    if how.dry_run or how.plan_file:
        plan = _guarded(here, make())
        if how.plan_file:
            how.plan_file.write_text(format_plan(plan), encoding="utf-8")
        return plan
    with held(area, "change") as holding:
        if (finished := changes.recover(area)) is not None:
            here.warn(
                f"An interrupted {finished.verb} of {finished.at:%H:%M:%S}Z was finished first."
            )
        plan = _guarded(here, make())
        accepted = [code for code, yes in how.accept.items() if yes]
        require(plan, accept=accepted)
        path = None if area.has_generations else local_path(area.location)
        if path is not None:
            with suppress(FileNotFoundError):
                require_quiet(path)
        if plan.steps:
            what = f"{plan.verb} {plan.subject}, {len(plan.steps)} steps"
            ask = confirm_name if how.name else confirm
            ask(what, *([how.name] if how.name else []), yes=how.yes)
        if plan.verb == "skip":
            _copy_out(here, plan)
        elif plan.verb == "archive":
            _pack(here, area, plan, holding)
        return changes.apply(area, plan, holding, on_event=here.on_event)


def _pack(here: Here, area: "Area", plan: "Plan", holding: "Held") -> None:
    """Write the archives, before the generations go to the trash."""
    from streamctl.checkpoint.change.archive import pack
    from streamctl.reports import Event

    names = plan.facts["archived"]
    for number, name in enumerate(names):
        here.on_event(Event(message=f"archiving {name}", done=number, total=len(names)))
        pack(area, name, to=plan.facts["to"], held=holding, now=datetime.now(UTC))


def _copy_out(here: Here, plan: "Plan") -> None:
    """Copy what a skip passes over; a second time, if the command is run again."""
    from streamctl.checkpoint.change.guards import Range
    from streamctl.checkpoint.change.letters import copy_out
    from streamctl.reports import as_json

    of = Range(**as_json(plan.facts["ranges"])[0])
    job = here.settings().job.entry
    topic = plan.facts["dead_letter_topic"]
    with broker(here) as client:
        count = copy_out(client, of=of, to=topic, why=plan.why, job=job, run="skip")
    here.warn(f"{count} records were copied to {topic}.")


def _guarded(here: Here, plan: "Plan") -> "Plan":
    """The plan with the guard of a protected context."""
    from streamctl.checkpoint.change import guards
    from streamctl.reports import Verdict

    if not here.settings().checkpoint.protected:
        return plan
    obstacles = (*plan.obstacles, *guards.protected(here.context))
    return replace(plan, obstacles=obstacles, verdict=Verdict.PROBLEM)


@contextmanager
def asked(here: Here, *, no_kafka: bool) -> "Iterator[Kafka | None]":
    """What plans ask a broker for; None when it is not to be asked."""
    if no_kafka:
        yield None
        return
    from streamctl.checkpoint.change.guards import Kafka

    with broker(here) as client:
        yield Kafka(watermarks=client.watermarks, topic_id=lambda name: client.topic(name).topic_id)


@contextmanager
def broker(here: Here) -> "Iterator[Broker]":
    """The broker of the settings."""
    from streamctl.errors import BrokerUnreachable
    from streamctl.kafka.client import Broker

    kafka = here.settings().kafka
    try:
        with Broker(
            kafka.bootstrap_servers, options=kafka.options, timeout_seconds=kafka.timeout_seconds
        ) as client:
            yield client
    except BrokerUnreachable as error:
        hint = f"{error.hint} --no-kafka plans without it.".strip()
        raise BrokerUnreachable(error.message, hint=hint) from error


def rewind_command(
    here: Here,
    path: PathArgument = "",
    *,
    to_batch: Annotated[
        int | None, typer.Option("--to-batch", help="Last batch to keep.", min=0)
    ] = None,
    to_time: Annotated[
        datetime | None, typer.Option("--to-time", help="Keep what was planned by then, UTC.")
    ] = None,
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
    dry_run: DryRun = False,
    plan: PlanFile = None,
    yes: Yes = False,
    accept_findings: Findings = False,
    accept_loss: Loss = False,
    accept_new_topic: NewTopic = False,
    accept_little_space: LittleSpace = False,
    no_file_sink: NoFileSink = False,
    accept_protected: Protected = False,
) -> Any:
    """Go back to the end of an earlier batch, with state and file sink."""
    from streamctl.checkpoint.change.rewind import plan_rewind

    target = _target(here, path, query=query, sink=sink)
    how = How(
        dry_run=dry_run,
        plan_file=plan,
        yes=yes,
        accept={
            "accept-findings": accept_findings,
            "accept-loss": accept_loss,
            "accept-new-topic": accept_new_topic,
            "accept-little-space": accept_little_space,
            "no-file-sink": no_file_sink,
            "accept-protected": accept_protected,
        },
    )
    with asked(here, no_kafka=no_kafka) as kafka:

        def make() -> "Plan":
            batch = _batch(target, to_batch, to_time, to_offsets, by)
            ids = _topic_ids(target)
            return plan_rewind(
                target, batch, why=reason, now=datetime.now(UTC), kafka=kafka, topic_ids=ids
            )

        return change(here, target.area, make, how)


def _target(here: Here, path: str, *, query: str, sink: str = "") -> "Target":
    from streamctl.checkpoint.change.area import target

    settings = here.settings()
    location = path or settings.checkpoint.location
    output = settings.output.location if not path else ""
    return target(location, query=query, sink=sink, output=output)


def _batch(
    target: "Target",
    to_batch: int | None,
    to_time: datetime | None,
    to_offsets: Path | None,
    by: str,
) -> int:
    from streamctl.checkpoint.change import rewind
    from streamctl.checkpoint.tree.reader import Checkpoint

    given = [value for value in (to_batch, to_time, to_offsets, by or None) if value is not None]
    if len(given) != 1:
        raise SettingsInvalid(
            "say where to, in one way",
            hint="Give one of --to-batch, --to-time, --to-offsets and --by.",
        )
    checkpoint = Checkpoint.open(target.path)
    if to_batch is not None:
        return to_batch
    if to_time is not None:
        moment = to_time if to_time.tzinfo else to_time.replace(tzinfo=UTC)
        return rewind.batch_at(checkpoint, moment)
    if to_offsets is not None:
        text = to_offsets.read_text(encoding="utf-8")
        offsets = rewind.parse_offsets(text, name=str(to_offsets))
        return rewind.batch_for_offsets(checkpoint, offsets)
    return rewind.batch_before(checkpoint, span(by))


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def span(text: str) -> timedelta:
    """A duration such as `90s`, `15m`, `2h`, `1d`.

    Raises:
        SettingsInvalid: another text.
    """
    number, unit = text[:-1], text[-1:]
    if unit not in _SECONDS or not number.replace(".", "", 1).isdecimal():
        raise SettingsInvalid(f'"{text}" is no duration', hint="Such as 90s, 15m, 2h, 1d.")
    return timedelta(seconds=float(number) * _SECONDS[unit])


def _topic_ids(target: "Target") -> dict[str, str]:
    """The topics' ids when the generation began."""
    from streamctl.checkpoint.location import generations

    if not target.generation:
        return {}
    return generations.read(target.area.store, target.generation).topic_ids


def skip_command(
    here: Here,
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
    dry_run: DryRun = False,
    plan: PlanFile = None,
    yes: Yes = False,
    accept_findings: Findings = False,
    accept_loss: Loss = False,
    accept_new_topic: NewTopic = False,
    accept_protected: Protected = False,
) -> Any:
    """Pass over poison records, after copying them to the dead letter topic."""
    from streamctl.checkpoint.change.skip import Skip, plan_skip

    target = _target(here, path, query=query, sink=sink)
    topic, _, number = partition.rpartition(":")
    if not number.isdecimal():
        raise SettingsInvalid(f'"{partition}" is no partition', hint="Such as 3 or orders:3.")
    accept = {
        "accept-findings": accept_findings,
        "accept-loss": accept_loss,
        "accept-new-topic": accept_new_topic,
        "accept-protected": accept_protected,
    }
    how = How(dry_run=dry_run, plan_file=plan, yes=yes, accept=accept)
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


def clear_command(
    here: Here,
    path: PathArgument = "",
    *,
    sink: SinkOption = "",
    permanently: Annotated[
        bool, typer.Option("--permanently", help="Not to the trash: there is no way back.")
    ] = False,
    reason: WhyOption = "",
    dry_run: DryRun = False,
    plan: PlanFile = None,
    yes: Yes = False,
    no_file_sink: NoFileSink = False,
    accept_protected: Protected = False,
) -> Any:
    """Forget the checkpoint, to the trash: the next start begins anew."""
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.change.clear import plan_clear

    location = path or here.settings().checkpoint.location
    area = area_of(location)

    def make() -> "Plan":
        return plan_clear(
            area, why=reason, now=datetime.now(UTC), sink=sink, permanently=permanently
        )

    name = location.rstrip("/").rpartition("/")[2]
    accept = {"no-file-sink": no_file_sink, "accept-protected": accept_protected}
    how = How(dry_run=dry_run, plan_file=plan, yes=yes, accept=accept, name=name)
    return change(here, area, make, how)


def rotate_command(
    here: Here,
    path: PathArgument = "",
    *,
    carry_offsets: Annotated[
        bool, typer.Option("--carry-offsets", help="Go on where each query stopped (default).")
    ] = False,
    begin: Annotated[
        str, typer.Option("--from", help="earliest, latest, or a time.", show_default=False)
    ] = "",
    sink: SinkOption = "",
    drain: Annotated[
        bool, typer.Option("--drain", help="First close all windows with a final run.")
    ] = False,
    back: Annotated[bool, typer.Option("--back", help="Point to the one before again.")] = False,
    no_kafka: NoKafka = False,
    reason: WhyOption = "",
    dry_run: DryRun = False,
    plan: PlanFile = None,
    yes: Yes = False,
    accept_loss: Loss = False,
    accept_new_topic: NewTopic = False,
    no_file_sink: NoFileSink = False,
    accept_protected: Protected = False,
) -> Any:
    """Begin a new generation with empty state, beside the old one."""
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.change.rotate import plan_back

    if sum((carry_offsets, bool(begin), back)) > 1 or (drain and (begin or back)):
        raise SettingsInvalid("give one of --carry-offsets, --from and --back")
    area = area_of(path or here.settings().checkpoint.location)
    accept = {
        "accept-loss": accept_loss,
        "accept-new-topic": accept_new_topic,
        "no-file-sink": no_file_sink,
        "accept-protected": accept_protected,
    }
    how = How(dry_run=dry_run, plan_file=plan, yes=yes, accept=accept)
    if drain:
        if area.location != area_of(here.settings().checkpoint.location).location:
            raise SettingsInvalid("--drain runs this project's job, and takes no path")
        yes = _drain(here, area, how, reason)
        how = replace(how, yes=yes)
    if back:
        return change(here, area, lambda: plan_back(area, why=reason, now=datetime.now(UTC)), how)
    with asked(here, no_kafka=no_kafka and not begin) as kafka:
        return change(
            here,
            area,
            lambda: _rotate(here, area, kafka, begin=begin, sink=sink, reason=reason),
            how,
        )


def _drain(here: Here, area: "Area", how: How, reason: str) -> bool:
    """Run the closing batch, or only warn of it in a dry run; whether the operator agreed."""
    from streamctl.checkpoint.change.drain import plan_drain
    from streamctl.checkpoint.change.plan import require
    from streamctl.cli.confirm import confirm
    from streamctl.lifecycle.drain import drain
    from streamctl.rundir import RunDirectory

    sinks = _sinks(area, here.settings().output.location)
    plan = plan_drain(area, sinks=sinks, why=reason, now=datetime.now(UTC))
    closing = ", ".join(f"{name} {batch}" for name, batch in plan.facts["closing_batches"].items())
    if how.dry_run or how.plan_file:
        here.warn(f"First a final run closes all windows, in batch: {closing or 'none'}.")
        return how.yes
    require(plan)
    confirm(f"run closing batch {closing or 'none'}, then rotate {area.location}", yes=how.yes)
    layers = here.layers()
    run = RunDirectory(layers.run_directory)
    drain(
        run,
        here.settings(),
        project=layers.root,
        sinks=sinks,
        why=reason,
        on_event=here.on_event,
    )
    return True


def _rotate(
    here: Here, area: "Area", kafka: "Kafka | None", *, begin: str, sink: str, reason: str
) -> "Plan":
    from streamctl.checkpoint.change.rotate import plan_rotate, plan_rotate_bare

    now = datetime.now(UTC)
    if not area.has_generations:
        if begin:
            raise SettingsInvalid(
                "--from is for a job's own location",
                hint="Spark takes `startingOffsets` from the query; `checkpoint clear` does that.",
            )
        return plan_rotate_bare(area, kafka=kafka, why=reason, now=now, sink=sink)
    settings = here.settings()
    return plan_rotate(
        area,
        job=settings.job.entry,
        starting=_starting(here, begin) if begin else None,
        topic_ids={t: kafka.topic_id(t) or "" for t in settings.kafka.topics} if kafka else {},
        sinks=_sinks(area, settings.output.location),
        kafka=kafka,
        why=reason,
        now=now,
    )


def _sinks(area: "Area", output: str) -> dict[str, str]:
    """Where the queries of the current generation put their output."""
    from streamctl.checkpoint.location import generations
    from streamctl.checkpoint.tree.files import local_path

    current = generations.current(area.store)
    base = output.rstrip("/")
    if current is None:
        return {}
    names = generations.queries(area.store, current.name)
    found = {name: local_path(f"{base}/{current.name}/{name}") for name in names}
    return {name: path for name, path in found.items() if path is not None}


def _starting(here: Here, begin: str) -> dict[str, dict[int, int]]:
    """The first offset to read of every partition."""
    with broker(here) as client:
        found = {}
        for topic in here.settings().kafka.topics:
            ends = client.watermarks(topic)
            if begin in {"earliest", "latest"}:
                found[topic] = {p: ends[p][begin == "latest"] for p in ends}
            else:
                times = client.offsets_for_time(topic, _moment(begin))
                found[topic] = {p: ends[p][1] if (o := times.get(p)) is None else o for p in ends}
        return found


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsInvalid(
            f'"{text}" is neither earliest, latest nor a time', hint="Such as 2030-01-31T12:00:00Z."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def prune_command(
    here: Here,
    path: PathArgument = "",
    *,
    keep_generations: Annotated[
        int | None,
        typer.Option("--keep-generations", help="Old ones; default: the setting.", min=0),
    ] = None,
    trash_days: Annotated[
        float | None, typer.Option("--trash-days", help="Default: the setting.", min=0)
    ] = None,
    orphan_hours: Annotated[
        float, typer.Option("--orphan-hours", help="Younger files are left alone.", min=0)
    ] = 24,
    reason: WhyOption = "",
    dry_run: DryRun = False,
    plan: PlanFile = None,
    yes: Yes = False,
    accept_findings: Findings = False,
    accept_protected: Protected = False,
) -> Any:
    """Free old generations, expired trash and orphaned files, for good."""
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.change.prune import Policy, plan_prune

    settings = here.settings().checkpoint
    area = area_of(path or settings.location)
    policy = Policy(
        keep_generations=settings.keep_generations
        if keep_generations is None
        else keep_generations,
        trash_days=settings.trash_days if trash_days is None else trash_days,
        orphan_hours=orphan_hours,
    )
    accept = {"accept-findings": accept_findings, "accept-protected": accept_protected}
    how = How(dry_run=dry_run, plan_file=plan, yes=yes, accept=accept)
    now = datetime.now(UTC)
    return change(here, area, lambda: plan_prune(area, policy, why=reason, now=now), how)


def archive_command(
    here: Here,
    generation: Annotated[
        list[str] | None, typer.Argument(metavar="[GENERATION]...", help="Default: all old ones.")
    ] = None,
    *,
    to: Annotated[str, typer.Option("--to", help="Path or URL of a directory.")],
    path: Annotated[
        str, typer.Option("--path", help="Path or URL; default: this job's.", show_default=False)
    ] = "",
    reason: WhyOption = "",
    dry_run: DryRun = False,
    plan: PlanFile = None,
    yes: Yes = False,
    accept_protected: Protected = False,
) -> Any:
    """Move old generations to compressed, verified archives."""
    from streamctl.checkpoint.change.archive import plan_archive
    from streamctl.checkpoint.change.area import area_of

    area = area_of(path or here.settings().checkpoint.location)
    accept = {"accept-protected": accept_protected}
    how = How(dry_run=dry_run, plan_file=plan, yes=yes, accept=accept)

    def make() -> "Plan":
        return plan_archive(area, to=to, names=generation or [], why=reason, now=datetime.now(UTC))

    return change(here, area, make, how)


def undo_command(
    here: Here,
    entry: Annotated[
        str, typer.Argument(metavar="[ENTRY]", help="Of the journal; default: the last.")
    ] = "",
    *,
    path: Annotated[
        str, typer.Option("--path", help="Path or URL; default: this job's.", show_default=False)
    ] = "",
    reason: WhyOption = "",
    dry_run: DryRun = False,
    plan: PlanFile = None,
    yes: Yes = False,
    accept_protected: Protected = False,
) -> Any:
    """Reverse the last change, or one of the journal."""
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.change.undo import plan_undo

    area = area_of(path or here.settings().checkpoint.location)

    def make() -> "Plan":
        return plan_undo(area, entry, why=reason, now=datetime.now(UTC))

    accept = {"accept-protected": accept_protected}
    return change(here, area, make, How(dry_run=dry_run, plan_file=plan, yes=yes, accept=accept))


def apply_command(
    here: Here,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="That `--plan` wrote.")],
    *,
    yes: Yes = False,
    accept_findings: Findings = False,
    accept_loss: Loss = False,
    accept_new_topic: NewTopic = False,
    accept_little_space: LittleSpace = False,
    no_file_sink: NoFileSink = False,
    accept_protected: Protected = False,
) -> Any:
    """Apply a plan that was written before, if nothing has moved since."""
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.change.plan import parse_plan

    plan = parse_plan(_text(file), name=str(file))
    accept = {
        "accept-findings": accept_findings,
        "accept-loss": accept_loss,
        "accept-new-topic": accept_new_topic,
        "accept-little-space": accept_little_space,
        "no-file-sink": no_file_sink,
        "accept-protected": accept_protected,
    }
    how = How(dry_run=False, plan_file=None, yes=yes, accept=accept)
    return change(here, area_of(plan.location), lambda: plan, how)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StreamctlError(f'cannot read "{file}": {error}') from error


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One change.

    Attributes:
        entry: its name, for `undo`.
        reversible: `undo` may bring it back, if nothing has moved since.
    """

    entry: str
    at: datetime
    verb: str
    subject: str
    who: str
    why: str
    reversible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalReport:
    """What was done to a checkpoint, oldest first."""

    location: str
    entries: tuple[JournalLine, ...]


def journal_command(
    here: Here,
    path: PathArgument = "",
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many.", min=1)] = 20,
) -> Any:
    """List what was done to the checkpoint: when, who, what, why."""
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.location import journal

    area = area_of(path or here.settings().checkpoint.location)
    found = [
        JournalLine(
            entry=name,
            at=entry.at,
            verb=entry.verb,
            subject=str(entry.before.get("subject", "")),
            who=entry.who,
            why=entry.why,
            reversible=entry.undo is not None,
        )
        for name, entry in journal.named_entries(area.store)
    ]
    return JournalReport(location=area.location, entries=tuple(found[-lines:]))


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    command(app, "rewind", view=change_view)(rewind_command)
    command(app, "skip", view=change_view)(skip_command)
    command(app, "clear", view=change_view)(clear_command)
    command(app, "rotate", view=change_view)(rotate_command)
    command(app, "prune", view=change_view)(prune_command)
    command(app, "archive", view=change_view)(archive_command)
    command(app, "undo", view=change_view)(undo_command)
    command(app, "apply", view=change_view)(apply_command)
    command(app, "journal", view=journal_view)(journal_command)
