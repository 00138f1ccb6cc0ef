"""What the job is doing, from its run directory and its checkpoint.

Reads only. Imports neither pydantic nor pyspark nor a Kafka client, because it is typed often.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, JobNotFound, StreamctlError
from streamctl.reports import Verdict
from streamctl.resilience.breaker import BreakerState, Circuit
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.files import read_line
from streamctl.rundir.losses import Loss
from streamctl.rundir.records import BackupState, Desired, Failure, Observed, Status

_STALE = timedelta(seconds=10)
TAIL_BYTES = 256 * 1024
"""How much of `progress.jsonl` is read for the newest line of each query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryStatus:
    """One query.

    Attributes:
        planned_batch_id: newest entry of the offset log; None when there is none.
        committed_batch_id: newest entry of the commit log.
        batch_at: when the last finished batch began.
        input_rows_per_second, processed_rows_per_second: of the last finished batch.
        batch_duration_ms: of the last finished batch.
        total_rows: input of this generation as far as the driver has counted it.
        late_rows: records of this generation that came after their window was closed; None
            when some could not be counted.
        rejected_rows: reason -> records of this generation.
        bound_rows: records that the last batch was allowed.
        catching_up: whether that is more than the configured bound.
        unknown: why something here is not known; empty when all is.
    """

    name: str
    planned_batch_id: int | None = None
    committed_batch_id: int | None = None
    batch_at: str | None = None
    input_rows: int | None = None
    input_rows_per_second: float | None = None
    processed_rows_per_second: float | None = None
    batch_duration_ms: int | None = None
    watermark: str | None = None
    total_rows: int | None = None
    late_rows: int | None = None
    rejected_rows: dict[str, int] = field(default_factory=dict)
    bound_rows: int | None = None
    catching_up: bool = False
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The job at one moment.

    Attributes:
        verdict: ok when it is what was asked for; unknown while it starts or stops.
        reasons: why the verdict is not ok.
        failure: why the last attempt ended, when it failed.
        losses: ranges that this generation has passed over unread.
        standby_pid: the driver that waits to take over, None without one.
        backup: the last scheduled backup; None when there was none.
        breaker: the circuit breaker; None before the first start.
        url: where the supervisor answers: status page, health, metrics; empty for nowhere.
        uptime_seconds: of the run, over restarts; None when it does not run.
    """

    verdict: Verdict
    reasons: list[str]
    desired: Desired
    observed: Observed
    job: str
    run_id: str
    attempt: int
    attempts_left: int
    restarts: int
    uptime_seconds: float | None
    supervisor_pid: int | None
    driver_pid: int | None
    standby_pid: int | None
    next_attempt_at: datetime | None
    generation: str
    checkpoint_location: str
    master: str
    backup: BackupState | None
    breaker: BreakerState | None
    url: str
    queries: list[QueryStatus]
    failure: Failure | None
    losses: list[Loss]
    measured_at: datetime


def read_status(run: RunDirectory, *, now: datetime | None = None) -> StatusReport:
    """Look at a job.

    Raises:
        JobNotFound: none was ever started with this run directory.
    """
    now = now or datetime.now(UTC)
    status = run.read(Status)
    if status is None:
        raise JobNotFound(
            f'no job was ever started from "{run.path.parent.parent}"',
            hint="`streamctl start` starts one; run it in the project's directory.",
        )
    alive = is_supervised(run)
    failure = run.read(Failure)
    breaker = run.read(BreakerState)
    losses = [loss for loss in run.losses() if loss.generation == status.generation]
    verdict, reasons = judge(status, alive=alive, failure=failure, losses=losses, breaker=breaker)
    if alive and verdict is Verdict.OK and _is_gone(status):
        verdict = Verdict.PROBLEM
        reasons = [
            "the driver is gone, and the supervisor could not write it down: is a disk full?"
        ]
    lines = newest_lines(run.progress_file)
    return StatusReport(
        verdict=verdict,
        reasons=reasons,
        desired=status.desired,
        observed=status.observed,
        job=status.job,
        run_id=status.run_id,
        attempt=status.attempt,
        attempts_left=status.attempts_left,
        restarts=status.restarts,
        uptime_seconds=(now - status.started_at).total_seconds() if alive else None,
        supervisor_pid=status.supervisor_pid if alive else None,
        driver_pid=status.driver_pid if alive else None,
        standby_pid=status.standby_pid if alive else None,
        next_attempt_at=status.next_attempt_at if alive else None,
        generation=status.generation,
        checkpoint_location=status.checkpoint_location,
        master=status.master,
        backup=run.read(BackupState),
        breaker=breaker,
        url=status.url if alive else "",
        queries=[query_status(status, name, lines.get(name)) for name in query_names(status)],
        failure=failure,
        losses=losses,
        measured_at=now,
    )


def judge(
    status: Status,
    *,
    alive: bool,
    failure: Failure | None,
    losses: Sequence[Loss] = (),
    breaker: BreakerState | None = None,
) -> tuple[Verdict, list[str]]:
    """The verdict, by the first rule that holds; worst first.

    A loss is told as a problem until the job is started anew; it stays in the report.
    """
    told = f": {failure.condition}: {failure.message}" if failure else ""
    if not alive and not status.observed.ended:
        return Verdict.PROBLEM, ["the supervisor is gone without having stopped the job"]
    if status.observed is Observed.FAILED:
        return Verdict.PROBLEM, [f"the job has failed{told}"]
    if status.observed is Observed.BACKING_OFF:
        return Verdict.PROBLEM, [f"the driver ended and will be started again{told}"]
    if status.observed is Observed.SEARCHING:
        return Verdict.PROBLEM, [f"a batch fails, and is searched for the records at fault{told}"]
    opening = breaker is not None and breaker.circuit is Circuit.OPEN  # the last batch may go on
    if status.observed is Observed.BREAKER_OPEN or (opening and not status.observed.ended):
        why = breaker.reason if breaker else "not known why"
        return Verdict.PROBLEM, [f"the circuit breaker is open: {why}"]
    new = [loss for loss in losses if loss.at >= status.started_at]
    if new:
        more = f"; and {len(new) - 1} more" if len(new) > 1 else ""
        return Verdict.PROBLEM, [f"{new[-1].describe()}{more}"]
    if status.observed is Observed.RUNNING and failure and failure.attempt == status.attempt:
        return Verdict.PROBLEM, [f"the driver has failed, and is about to end{told}"]
    if status.observed is Observed.RUNNING and status.unwell:
        return Verdict.PROBLEM, [status.unwell]
    if status.observed in {Observed.STARTING, Observed.STOPPING}:
        return Verdict.UNKNOWN, [f"the job is {status.observed}"]
    return Verdict.OK, []


def _is_gone(status: Status) -> bool:
    """Whether the driver of a running job is not there; it is restarted within a moment."""
    if status.observed is not Observed.RUNNING or status.driver_pid is None:
        return False
    if datetime.now(UTC) - status.updated_at < _STALE:
        return False
    try:
        os.kill(status.driver_pid, 0)  # not psutil: `status` is typed often, and imports little
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's: it lives
        return False
    return False


def is_supervised(run: RunDirectory) -> bool:
    """Whether a supervisor lives: it holds the lock of the run directory until it dies."""
    descriptor = run.try_lock()
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def query_names(status: Status) -> list[str]:
    """The queries of the job: as the driver named them, else as the checkpoint holds them."""
    if status.queries or not status.generation:
        return status.queries
    from streamctl.checkpoint.location import generations
    from streamctl.checkpoint.location.store import Store

    return generations.queries(Store.open(status.checkpoint_location), status.generation)


def query_status(status: Status, name: str, line: dict[str, Any] | None) -> QueryStatus:
    """One query, from its checkpoint and its newest line of progress."""
    known: dict[str, Any] = {}
    if line:
        totals = line.get("totals", {})
        known = {
            "batch_at": line.get("timestamp"),
            "input_rows": line.get("input_rows"),
            "input_rows_per_second": line.get("input_rows_per_second"),
            "processed_rows_per_second": line.get("processed_rows_per_second"),
            "batch_duration_ms": line.get("duration_ms", {}).get("triggerExecution"),
            "watermark": line.get("watermark"),
            "total_rows": totals.get("input_rows"),
            "late_rows": totals.get("late_rows"),
            "rejected_rows": totals.get("rejected_rows", {}),
            "bound_rows": line.get("bound_rows"),
            "catching_up": line.get("catching_up", False),
        }
    location = f"{status.checkpoint_location}/{status.generation}/{name}"
    try:
        position = Checkpoint.open(location).position()
    except CheckpointNotFound:
        return QueryStatus(name=name, **known)
    except StreamctlError as error:
        return QueryStatus(name=name, unknown=error.message, **known)
    return QueryStatus(
        name=name,
        planned_batch_id=position.planned_batch_id,
        committed_batch_id=position.committed_batch_id,
        **known,
    )


def newest_lines(path: Path) -> dict[str, dict[str, Any]]:
    """The newest line of a finished batch for each query, from the end of the file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return {}
    newest: dict[str, dict[str, Any]] = {}
    for text in lines:
        if b'"progress"' in text and (line := read_line(text)) is not None:
            newest[line["query"]] = line
    return newest
