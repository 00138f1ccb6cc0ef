"""Looks at everything that a restart depends on, and changes nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from streamctl.checkpoint.change.area import target
from streamctl.checkpoint.change.rewind import plan_rewind
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.findings import Finding
from streamctl.checkpoint.verify.kinds import Effect, Severity
from streamctl.checkpoint.verify.remedy import Aim
from streamctl.checkpoint.verify.verify import verify
from streamctl.errors import CheckpointNotFound, NotFound, StreamctlError
from streamctl.lifecycle.checks import Subject, run_all
from streamctl.observe.status import is_supervised
from streamctl.reports import Check, Event, OnEvent, Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Failure, Observed, Status
from streamctl.settings.model import Settings
from streamctl.supervisor.backups import repository_of

_BATCHES_TRIED = 20
"""A rewind goes no further back by itself: what is older is for a person to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryEvidence:
    """The checkpoint of one query.

    Attributes:
        forecast: what the next start does with it.
        findings: worst first, without notes.
        rewind_to: the newest batch from whose end it would start rightly; None when it is sound,
            or when none of the last batches is.
    """

    query: str
    location: str
    verdict: Verdict
    forecast: Effect
    findings: tuple[Finding, ...]
    committed_batch_id: int | None
    rewind_to: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known before a restart.

    Attributes:
        observed: what the supervisor said last; None when the job was never started here.
        running: whether a supervisor lives.
        failure: why the last attempt ended; None when it did not fail.
        checks: of all that a start needs.
        generation: the current one; empty before the first start.
        backup: id of the newest backup that can be read; empty for none.
        backup_at: when it was taken.
        fail_on_data_loss, may_quarantine: the settings.
    """

    observed: Observed | None
    running: bool
    failure: Failure | None
    checks: list[Check]
    generation: str
    queries: list[QueryEvidence]
    backup: str
    backup_at: str
    fail_on_data_loss: bool
    may_quarantine: bool = False


def look(run: RunDirectory, settings: Settings, *, project: Path, on_event: OnEvent) -> Evidence:
    """Collect the evidence.

    Raises:
        StreamctlError: storage fails.
    """
    status = run.read(Status)
    running = is_supervised(run)
    on_event(Event(message="checking what a start needs"))
    subject = Subject(
        settings=settings, run=run, on_event=on_event, project=project, may_change=False
    )
    checks = run_all(subject).checks
    store = Store.open(settings.checkpoint.location)
    generation = generations.current(store)
    queries = []
    if generation is not None:
        on_event(Event(message="verifying the checkpoint"))
        queries = _queries(store, generation, settings, may_rewind=not running)
    moot = {"lease"} if running else set()
    if any(query.verdict is Verdict.PROBLEM for query in queries):
        moot.add("output")  # it is put right together with the checkpoint
    backup, backup_at = newest_backup(settings)
    return Evidence(
        observed=status.observed if status else None,
        running=running,
        failure=run.read(Failure),
        checks=[check for check in checks if check.name not in moot],
        generation=generation.name if generation else "",
        queries=queries,
        backup=backup,
        backup_at=backup_at,
        fail_on_data_loss=settings.kafka.fail_on_data_loss,
        may_quarantine=settings.poison.quarantine,
    )


def _queries(
    store: Store, generation: Generation, settings: Settings, *, may_rewind: bool
) -> list[QueryEvidence]:
    found = []
    for query in generations.queries(store, generation.name):
        location = f"{store.url.rstrip('/')}/{generation.name}/{query}"
        try:
            checkpoint = Checkpoint.open(location)
        except CheckpointNotFound:
            continue  # made, and ended before its first file
        report = verify(checkpoint, aim=partial(Aim, query=query))
        bad = tuple(one for one in report.findings if one.severity is not Severity.NOTE)
        is_damaged = report.verdict is Verdict.PROBLEM
        found.append(
            QueryEvidence(
                query=query,
                location=location,
                verdict=report.verdict,
                forecast=report.forecast,
                findings=bad,
                committed_batch_id=report.committed_batch_id,
                rewind_to=_sound_batch(checkpoint, settings) if is_damaged and may_rewind else None,
            )
        )
    return found


def _sound_batch(checkpoint: Checkpoint, settings: Settings) -> int | None:
    """Try the rewinds, newest first: each plan verifies what it would make."""
    try:
        place = target(checkpoint.location, output=settings.output.location)
    except StreamctlError:
        return None  # on an object store nothing can be rewound
    ids = checkpoint.log_ids()
    both = sorted(set(ids.committed) & set(ids.planned), reverse=True)
    for batch_id in both[:_BATCHES_TRIED]:
        try:
            plan = plan_rewind(place, batch_id, why="", now=datetime.now(UTC))
        except (StreamctlError, OSError):
            continue
        if not plan.obstacles:
            return batch_id
    return None


def newest_backup(settings: Settings) -> tuple[str, str]:
    """Id and time of the newest backup that can be read; empty for none."""
    try:
        found = [(name, held) for name, held in repository_of(settings).manifests() if held]
    except (NotFound, StreamctlError):
        return "", ""
    return (found[-1][0], found[-1][1].created_at) if found else ("", "")
