"""Preflight, stop, back up, rotate or keep, start, watch; and back, if the new version fails."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change.area import Area, area_of, held
from streamctl.checkpoint.change.plan import require
from streamctl.checkpoint.change.rotate import plan_back
from streamctl.checkpoint.location import generations, journal, lease
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import NotFound, StreamctlError
from streamctl.lifecycle.carrying import plan_carrying, sinks_of
from streamctl.lifecycle.drain import drain
from streamctl.lifecycle.first_batches import is_working, watch_first_batches
from streamctl.lifecycle.preflight import PreflightReport, preflight
from streamctl.lifecycle.restoring import restore_to_job
from streamctl.lifecycle.start import start
from streamctl.lifecycle.stop import stop
from streamctl.migrate.plan import Choice, Way, choose
from streamctl.observe.status import is_supervised
from streamctl.reports import Event, OnEvent, Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from streamctl.supervisor.backups import back_up, repository_of

_WHY = "migrate"


class Outcome(StrEnum):
    """How a migration ended."""

    PLANNED = "planned"
    MIGRATED = "migrated"
    WENT_BACK = "went_back"
    """The new version failed; the old one runs again from where it stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What was found and done.

    Attributes:
        verdict: ok when the new version works, or would be tried.
        backup: id of the backup that was taken before anything was changed; empty for none.
        before, after: names of generations.
        failure: why the new version was given up; empty when it was not.
        undo: the command that brings the old generation back; empty when nothing was changed.
    """

    outcome: Outcome
    verdict: Verdict
    choice: Choice
    preflight: PreflightReport
    backup: str = ""
    before: str = ""
    after: str = ""
    failure: str = ""
    undo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is migrated.

    Attributes:
        old: settings of the last start.
        new: settings with the new code and all else that changes.
        project: working directory of the driver.
    """

    run: RunDirectory
    old: Settings
    new: Settings
    project: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Old:
    """What the way back needs.

    Attributes:
        committed: query -> newest committed batch of the old version.
    """

    generation: Generation
    backup: str
    committed: dict[str, int | None]


def migrate(
    job: Job,
    *,
    wanted: Way | None,
    drain_first: bool,
    agree: Callable[[Choice, PreflightReport], None],
    dry_run: bool,
    watch_seconds: float,
    on_event: OnEvent,
) -> Migration:
    """Take the job from its old version to a new one.

    Args:
        job: what is migrated.
        wanted: keep the state or rotate; None to let preflight decide.
        drain_first: before a rotation, close all windows with a final run of the old version.
        agree: asks the operator; raises when the answer is no.
        dry_run: end with the plan.
        watch_seconds: how long the new version's first batches are watched.
        on_event: told of each step.

    Raises:
        Refused: the wanted way is impossible, the checkpoint is damaged, or the operator says no.
        NotFound: the job has no checkpoint yet: a start is all that it needs.
        StreamctlError: the backup or the change failed; nothing was changed.
    """
    area = area_of(job.new.checkpoint.location)
    before = generations.current(area.store)
    if before is None:
        raise NotFound("the job has no checkpoint yet", hint="`streamctl start` is all it needs.")
    on_event(Event(message="comparing the checkpoint with the new code"))
    report = preflight(job.new.checkpoint.location, job.new, project=job.project, on_event=on_event)
    choice = choose(report, wanted=wanted)
    if dry_run:
        return Migration(
            outcome=Outcome.PLANNED,
            verdict=Verdict.OK,
            choice=choice,
            preflight=report,
            before=before.name,
        )
    agree(choice, report)
    if is_supervised(job.run):
        stop(
            job.run, deadline_seconds=job.old.stop.deadline_seconds, reason=_WHY, on_event=on_event
        )
    backup = _back_up(job.old, on_event)
    old = _Old(generation=before, backup=backup, committed=_committed(area, before.name))
    if choice.way is Way.ROTATE and drain_first:
        sinks = sinks_of(job.old, area)
        drain(job.run, job.old, project=job.project, sinks=sinks, why=_WHY, on_event=on_event)
    _change(job.new, area, before, choice.way)
    after = generations.current(area.store) or before
    failure = _try(job, watch_seconds, on_event)
    if failure:
        on_event(Event(message=f"the new version fails: {failure}; going back"))
        _go_back(job, area, old, choice.way, on_event)
    return Migration(
        outcome=Outcome.WENT_BACK if failure else Outcome.MIGRATED,
        verdict=Verdict.PROBLEM if failure else Verdict.OK,
        choice=choice,
        preflight=report,
        backup=backup,
        before=before.name,
        after=after.name,
        failure=failure,
        undo="" if failure or choice.way is Way.KEEP else "streamctl checkpoint rotate --back",
    )


def _back_up(settings: Settings, on_event: OnEvent) -> str:
    made = back_up(settings, on_event=on_event)
    if made.verdict is not Verdict.OK:
        raise StreamctlError(
            f"the checkpoint could not be backed up, so nothing was changed: {made.problem}",
            hint="Mend that, or name another place with --set backup.location=...",
        )
    return made.id


def _committed(area: Area, generation: str) -> dict[str, int | None]:
    """Query -> newest committed batch."""
    base = generations.base(area.store.url, generation)
    found = {}
    for query in generations.queries(area.store, generation):
        committed = Checkpoint.open(f"{base}/{query}").log_ids().committed
        found[query] = committed[-1] if committed else None
    return found


def _change(settings: Settings, area: Area, before: Generation, way: Way) -> None:
    if way is Way.ROTATE:
        with held(area, _WHY) as holding:
            changes.recover(area)
            plan = plan_carrying(settings, area, why=_WHY)
            require(plan)
            changes.apply(area, plan, holding)
    elif before.job != settings.job.entry:
        _hand_over(
            area, before, settings.job.entry, lease_seconds=settings.checkpoint.lease_seconds
        )


def _hand_over(area: Area, generation: Generation, entry: str, *, lease_seconds: float) -> None:
    """Let a generation belong to another job entry: its checkpoint takes the new code."""
    now = datetime.now(UTC)
    held_by_us, _ = lease.acquire(area.store, owner=_WHY, seconds=lease_seconds, now=now)
    try:
        journal.record(
            area.store,
            journal.Entry(
                at=now,
                who=journal.whoami(),
                verb="hand over",
                why=_WHY,
                before={"generation": generation.name, "job": generation.job},
                after={"generation": generation.name, "job": entry},
            ),
        )
        generations.record(area.store, replace(generation, job=entry))
    finally:
        lease.release(area.store, held_by_us)


def _try(job: Job, watch_seconds: float, on_event: OnEvent) -> str:
    """Start the new version and watch it; why it does not work, empty when it does."""
    try:
        start(job.run, job.new, project=job.project, on_event=on_event)
        status = watch_first_batches(job.run, seconds=watch_seconds, on_event=on_event)
    except StreamctlError as error:
        return error.message
    if is_working(status):
        return ""
    return status.reasons[0] if status.reasons else f"the job is {status.observed}"


def _go_back(job: Job, area: Area, old: _Old, way: Way, on_event: OnEvent) -> None:
    if is_supervised(job.run):
        stop(
            job.run, deadline_seconds=job.old.stop.deadline_seconds, reason=_WHY, on_event=on_event
        )
    generation = old.generation
    if way is Way.ROTATE:
        with held(area, _WHY) as holding:
            changes.recover(area)
            plan = plan_back(area, why="the new version failed", now=datetime.now(UTC))
            require(plan)
            changes.apply(area, plan, holding)
    else:
        if generation.job != job.new.job.entry:
            seconds = job.old.checkpoint.lease_seconds
            there = generations.read(area.store, generation.name)
            _hand_over(area, there, generation.job, lease_seconds=seconds)
        if _committed(area, generation.name) != old.committed:
            # the new version has written into the state: the old one goes on from the backup
            restore_to_job(job.old, repository_of(job.old), old.backup, on_event=on_event)
    start(job.run, job.old, project=job.project, on_event=on_event)
