"""Ends the job after the running batch, and proves it from the checkpoint."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from streamctl.checkpoint.location.journal import whoami
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, DeadlinePassed, ExitCode, Interrupted, JobNotFound
from streamctl.observe.status import is_supervised, query_names
from streamctl.reports import Event, OnEvent, Verdict, ignore
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Status, StopRequest

SLACK_SECONDS = 30.0
"""How long past the deadline the supervisor may take to kill and to report."""


class Outcome(StrEnum):
    """How the job came to its end."""

    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    ALREADY_STOPPED = "already_stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryEnd:
    """Where one query stands, read from its checkpoint.

    Attributes:
        committed_batch_id: newest entry of the commit log; None when no batch was finished.
        planned_batch_id: newest entry of the offset log.
        batch_in_flight: planned and not committed: the next start runs it, with these offsets.
        next_offsets: topic -> partition -> first offset that no committed batch has read.
    """

    name: str
    committed_batch_id: int | None
    planned_batch_id: int | None
    batch_in_flight: bool
    next_offsets: dict[str, dict[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReport:
    """The proof of a stop.

    Attributes:
        outcome: interrupted when the deadline passed or `--now` was asked.
        seconds: from the request to the end of the last process.
    """

    outcome: Outcome
    verdict: Verdict
    run_id: str
    seconds: float
    queries: list[QueryEnd]
    exit_code: ExitCode = ExitCode.DONE


def stop(
    run: RunDirectory,
    *,
    deadline_seconds: float,
    now_at_once: bool = False,
    reason: str = "asked by `streamctl stop`",
    on_event: OnEvent = ignore,
) -> StopReport:
    """Ask for the end, wait for it, and read where the queries stand.

    Args:
        run: of the job.
        deadline_seconds: how long the running batch may take before it is interrupted.
        now_at_once: interrupt it at once.
        reason: for the log.
        on_event: told what is waited for.

    Raises:
        JobNotFound: no job was ever started here.
        DeadlinePassed: the supervisor did not end even the processes in time.
    """
    status = run.read(Status)
    if status is None:
        raise JobNotFound(
            f'no job was ever started from "{run.path.parent.parent}"',
            hint="Run it in the project's directory, or name its --context.",
        )
    began = time.monotonic()
    if not is_supervised(run):
        _await_orphan(status, seconds=deadline_seconds, on_event=on_event)
        return _report(run, Outcome.ALREADY_STOPPED, began)
    request = StopRequest(
        at=datetime.now(UTC),
        who=whoami(),
        reason=reason,
        deadline_seconds=deadline_seconds,
        now=now_at_once,
    )
    run.write(request)
    on_event(Event(message="stopping" if now_at_once else "waiting for the running batches"))
    try:
        _wait(lambda: not is_supervised(run), seconds=deadline_seconds + SLACK_SECONDS)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted while waiting; the job goes on stopping",
            hint="`streamctl status` tells how far it is.",
        ) from None
    outcome = Outcome.INTERRUPTED if now_at_once else _outcome(run)
    return _report(run, outcome, began)


def _await_orphan(status: Status, *, seconds: float, on_event: OnEvent) -> None:
    """A driver whose supervisor was killed ends by itself after its batch: wait for that."""
    from streamctl.job.launcher import session_members

    orphan = status.driver_pid
    if orphan is None or status.observed.ended or not session_members(orphan):
        return
    on_event(Event(message=f"the supervisor is gone; waiting for driver {orphan} to end"))
    _wait(lambda: not session_members(orphan), seconds=seconds)


def _outcome(run: RunDirectory) -> Outcome:
    status = run.read(Status)
    return Outcome.INTERRUPTED if status and status.interrupted else Outcome.STOPPED


def _wait(holds: Callable[[], bool], *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise DeadlinePassed(
                f"the supervisor has not ended after {seconds:.0f} s",
                hint="`streamctl status` and `streamctl logs` tell what it waits for; "
                "`streamctl stop --now` interrupts the running batch.",
            )
        time.sleep(0.1)


def _report(run: RunDirectory, outcome: Outcome, began: float) -> StopReport:
    status = run.read(Status)
    if status is None:
        raise JobNotFound(f'the run directory "{run.path}" has gone')
    return StopReport(
        outcome=outcome,
        verdict=Verdict.OK,
        run_id=status.run_id,
        seconds=round(time.monotonic() - began, 3),
        queries=proof(status),
        exit_code=_exit_code(run, outcome),
    )


def _exit_code(run: RunDirectory, outcome: Outcome) -> ExitCode:
    """An interruption that nobody asked for means that the deadline passed."""
    request = run.read(StopRequest)
    asked = request is not None and request.now
    if outcome is Outcome.INTERRUPTED and not asked:
        return ExitCode.DEADLINE_PASSED
    return ExitCode.DONE


def proof(status: Status) -> list[QueryEnd]:
    """Read from each query's checkpoint where it stands."""
    return [_query_end(status, name) for name in query_names(status)]


def _query_end(status: Status, name: str) -> QueryEnd:
    location = f"{status.checkpoint_location}/{status.generation}/{name}"
    try:
        position = Checkpoint.open(location).position()
    except CheckpointNotFound:
        return QueryEnd(
            name=name, committed_batch_id=None, planned_batch_id=None, batch_in_flight=False
        )
    offsets: dict[str, dict[int, int]] = {}
    for source in position.committed:
        offsets |= source.kafka or {}
    return QueryEnd(
        name=name,
        committed_batch_id=position.committed_batch_id,
        planned_batch_id=position.planned_batch_id,
        batch_in_flight=position.batch_in_flight,
        next_offsets=offsets,
    )
