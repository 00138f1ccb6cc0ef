"""`streamctl checkpoint rotate`, `clear`, `prune` and `archive`: begin anew, and tidy up."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.change import (
    How,
    NoKafka,
    PathArgument,
    PathOption,
    SinkOption,
    WhyOption,
    area_at,
    asked,
    broker,
    change,
    change_command,
    planned,
)
from streamctl.cli.command import Here
from streamctl.cli.moments import parse_moment
from streamctl.errors import SettingsInvalid

if TYPE_CHECKING:
    from streamctl.checkpoint.change.area import Area
    from streamctl.checkpoint.change.guards import Kafka
    from streamctl.checkpoint.change.plan import Plan


def clear_command(
    here: Here,
    how: How,
    path: PathArgument = "",
    *,
    sink: SinkOption = "",
    permanently: Annotated[
        bool, typer.Option("--permanently", help="Not to the trash: there is no way back.")
    ] = False,
    reason: WhyOption = "",
) -> Any:
    """Forget the checkpoint, to the trash: the next start begins anew."""
    from streamctl.checkpoint.change.clear import plan_clear

    area = area_at(here, path)

    def make() -> "Plan":
        return plan_clear(
            area, why=reason, now=datetime.now(UTC), sink=sink, permanently=permanently
        )

    location = path or here.settings().checkpoint.location
    name = location.rstrip("/").rpartition("/")[2]
    return change(here, area, make, replace(how, name=name))


def rotate_command(
    here: Here,
    how: How,
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
) -> Any:
    """Begin a new generation with empty state, beside the old one."""
    from streamctl.checkpoint.change.rotate import plan_back

    if sum((carry_offsets, bool(begin), back)) > 1 or (drain and (begin or back)):
        raise SettingsInvalid("give one of --carry-offsets, --from and --back")
    area = area_at(here, path)
    if drain and how.plan_file:
        raise SettingsInvalid("--drain runs the job, which a plan for later cannot")
    if drain and area.location != area_at(here, "").location:
        raise SettingsInvalid("--drain runs this project's job, and takes no path")
    if back:
        return change(here, area, lambda: plan_back(area, why=reason, now=datetime.now(UTC)), how)
    with asked(here, no_kafka=no_kafka and not begin) as kafka:

        def make() -> "Plan":
            return _rotate(here, area, kafka, begin=begin, sink=sink, reason=reason)

        if drain:
            how = replace(how, yes=_drain(here, area, make, how, reason))
        return change(here, area, make, how)


def _drain(here: Here, area: "Area", make: "Callable[[], Plan]", how: How, reason: str) -> bool:
    """Run the closing batch, or only warn of it in a dry run; whether the operator agreed.

    What stands in the rotation's way is asked first: a drained generation is of no other use.
    """
    from streamctl.checkpoint.change.drain import plan_drain
    from streamctl.checkpoint.change.plan import require
    from streamctl.cli.confirm import confirm
    from streamctl.lifecycle.carrying import sinks_of
    from streamctl.lifecycle.drain import drain
    from streamctl.rundir.directory import RunDirectory

    sinks = sinks_of(here.settings(), area)
    plan = plan_drain(area, sinks=sinks, why=reason, now=datetime.now(UTC))
    closing = ", ".join(f"{name} {batch}" for name, batch in plan.facts["closing_batches"].items())
    if how.dry_run:
        here.warn(f"First a final run closes all windows, in batch: {closing or 'none'}.")
        return how.yes
    require(planned(here, make), accept=how.accepted)
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
    from streamctl.lifecycle.carrying import sinks_of

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
        sinks=sinks_of(settings, area),
        kafka=kafka,
        why=reason,
        now=now,
    )


def _starting(here: Here, begin: str) -> dict[str, dict[int, int]]:
    """The first offset to read of every partition."""
    with broker(here) as client:
        found = {}
        for topic in here.settings().kafka.topics:
            ends = client.watermarks(topic)
            if begin in {"earliest", "latest"}:
                found[topic] = {p: ends[p][begin == "latest"] for p in ends}
            else:
                times = client.offsets_for_time(
                    topic, parse_moment(begin, option="--from", zone=UTC)
                )
                found[topic] = {p: ends[p][1] if (o := times.get(p)) is None else o for p in ends}
        return found


def prune_command(
    here: Here,
    how: How,
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
) -> Any:
    """Free old generations, expired trash and orphaned files, for good."""
    from streamctl.checkpoint.change.prune import Policy, plan_prune

    settings = here.settings().checkpoint
    area = area_at(here, path)
    policy = Policy(
        keep_generations=settings.keep_generations
        if keep_generations is None
        else keep_generations,
        trash_days=settings.trash_days if trash_days is None else trash_days,
        orphan_hours=orphan_hours,
    )
    now = datetime.now(UTC)
    return change(here, area, lambda: plan_prune(area, policy, why=reason, now=now), how)


def archive_command(
    here: Here,
    how: How,
    generation: Annotated[
        list[str] | None, typer.Argument(metavar="[GENERATION]...", help="Default: all old ones.")
    ] = None,
    *,
    to: Annotated[str, typer.Option("--to", help="Path or URL of a directory.")],
    path: PathOption = "",
    reason: WhyOption = "",
) -> Any:
    """Move old generations to compressed, verified archives."""
    from streamctl.checkpoint.change.archive import plan_archive

    area = area_at(here, path)

    def make() -> "Plan":
        return plan_archive(area, to=to, names=generation or [], why=reason, now=datetime.now(UTC))

    return change(here, area, make, how)


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    change_command(app, "clear", clear_command, accepts=("no-file-sink",))
    change_command(
        app, "rotate", rotate_command, accepts=("accept-loss", "accept-new-topic", "no-file-sink")
    )
    change_command(app, "prune", prune_command, accepts=("accept-findings",))
    change_command(app, "archive", archive_command)
