"""Checks, leaves a supervisor running, and waits for the first finished batch."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from streamctl.checkpoint.tree.files import local_path
from streamctl.errors import (
    Busy,
    DeadlinePassed,
    ExitCode,
    Interrupted,
    Malformed,
    StreamctlError,
)
from streamctl.lifecycle.checks import Subject, run_until_failure
from streamctl.observe.status import is_supervised
from streamctl.reports import Check, Event, OnEvent, Verdict, ignore
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.files import replace_file
from streamctl.rundir.records import Failure, Observed, Status, StopRequest
from streamctl.settings.model import Settings


class Started(StrEnum):
    """What `start` found or did."""

    STARTED = "started"
    ALREADY_RUNNING = "already_running"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReport:
    """A running job.

    Attributes:
        waited: whether every query has finished a batch, or asked and found nothing to read.
        idle_queries: those that found nothing to read.
        seconds: from the call to the answer.
    """

    outcome: Started
    verdict: Verdict
    run_id: str
    job: str
    generation: str
    supervisor_pid: int
    driver_pid: int | None
    queries: list[str]
    idle_queries: list[str]
    waited: bool
    seconds: float
    checks: list[Check]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndReport:
    """How a job that ran in the foreground ended."""

    outcome: Observed
    verdict: Verdict
    run_id: str
    exit_code: ExitCode


class JobFailed(StreamctlError):
    """The job ended instead of running; exit code and message are the driver's own."""


def start(
    run: RunDirectory,
    settings: Settings,
    *,
    project: Path,
    wait: bool = True,
    on_event: OnEvent = ignore,
) -> StartReport:
    """Start the job in the background; a job that runs already is left alone.

    Args:
        run: its run directory.
        settings: as resolved.
        project: working directory of the driver.
        wait: until every query has finished its first batch or found nothing to read.
        on_event: told of each check and phase.

    Raises:
        StreamctlError: a check failed, or the job ended before its first batch; the run
            directory says why.
        DeadlinePassed: not ready after `start.wait_seconds`; it goes on starting.
    """
    began = time.monotonic()
    lock = run.try_lock()
    if lock is None:
        return _already_running(run, settings, wait=wait, began=began, on_event=on_event)
    try:
        checks = prepare(run, settings, project=project, on_event=on_event)
        supervisor = _spawn(run, project=project, lock=lock)
    finally:
        os.close(lock)  # the supervisor's copy keeps the lock
    on_event(Event(message=f"supervisor started, process {supervisor.pid}"))
    try:
        status = _await_status(run, supervisor)
        if wait:
            status = _await_ready(run, settings, on_event=on_event)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted while waiting; the job goes on starting",
            hint="`streamctl status` tells how far it is, `streamctl stop` ends it.",
        ) from None
    return _report(status, Started.STARTED, waited=wait, began=began, checks=checks)


def prepare(
    run: RunDirectory, settings: Settings, *, project: Path, on_event: OnEvent
) -> list[Check]:
    """Run the checks and write down the settings. The caller holds the lock.

    Raises:
        StreamctlError: of the first check that fails.
    """
    done = []
    subject = Subject(
        settings=settings, run=run, on_event=on_event, project=project, may_change=True
    )
    for check in run_until_failure(subject):
        on_event(Event(message=f"{check.name}: {check.detail}"))
        done.append(check)
    if _was_elsewhere(run, settings) and (aside := run.put_history_aside(datetime.now(UTC))):
        on_event(Event(message=f'what was told of another checkpoint is in "{aside}" now'))
    for kind in (StopRequest, Failure, Status):
        run.remove(kind)
    replace_file(run.settings_file, settings.model_dump_json(indent=1) + "\n")
    return done


def _was_elsewhere(run: RunDirectory, settings: Settings) -> bool:
    """Whether the job ran on another checkpoint: its generations have the same names."""
    try:
        before = run.read(Status)
    except Malformed:
        return False  # it is about to be replaced
    if before is None:
        return False
    return _place(before.checkpoint_location) != _place(settings.checkpoint.location)


def _place(location: str) -> str:
    """One spelling of it. Nothing is opened: a former place may be out of reach."""
    return local_path(location) or location.rstrip("/")


def _spawn(run: RunDirectory, *, project: Path, lock: int) -> "subprocess.Popen[bytes]":
    """Leave a supervisor behind that survives the terminal and owns the lock."""
    with (run.logs / "supervisor.out").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "streamctl.supervisor", str(run.path)],
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(lock,),
        )


def _await_status(run: RunDirectory, supervisor: "subprocess.Popen[bytes]") -> Status:
    """The supervisor's first word; the file of an earlier run was removed."""
    for _ in range(300):
        status = run.read(Status)
        if status is not None:
            return status
        if supervisor.poll() is not None:
            break
        time.sleep(0.1)
    raise JobFailed(
        "the supervisor did not start",
        hint=f'Its last words are in "{run.logs / "supervisor.out"}".',
    )


def _await_ready(run: RunDirectory, settings: Settings, *, on_event: OnEvent) -> Status:
    """Wait for `running`; tell each phase once."""
    until = time.monotonic() + settings.start.wait_seconds
    told = ""
    while time.monotonic() < until:
        status = run.read(Status)
        if status is None:
            raise JobFailed("the run directory was emptied while the job started")
        phase = _phase(status, run)
        if phase != told:
            on_event(Event(message=phase))
            told = phase
        if status.observed in {Observed.RUNNING, Observed.FINISHED}:
            return status
        if status.observed.ended or not is_supervised(run):
            raise _why_not(run, status)
        time.sleep(0.05)
    raise DeadlinePassed(
        f"no batch was committed within {settings.start.wait_seconds:.0f} s; it goes on starting",
        hint="`streamctl status` tells how far it is, `streamctl stop` ends it.",
    )


def _phase(status: Status, run: RunDirectory) -> str:
    if status.observed is Observed.BACKING_OFF:
        failure = run.read(Failure)
        reason = f": {failure.message}" if failure else ""
        return f"attempt {status.attempt} failed{reason}; it will be tried again"
    if status.observed is Observed.SEARCHING:
        return f"attempt {status.attempt} failed; its batch is searched for the records at fault"
    if status.driver_pid is None:
        return f"preparing attempt {status.attempt}"
    if not status.queries:
        return f"driver started, process {status.driver_pid}; Spark is starting"
    return f"waiting for the first batch of {', '.join(status.queries)}"


def _why_not(run: RunDirectory, status: Status) -> StreamctlError:
    """The driver's own error, or what is known in its place."""
    failure = run.read(Failure)
    if status.observed is Observed.STOPPED:
        return Busy("it was stopped while it started", hint="`streamctl start` starts it again.")
    if failure is None:
        return JobFailed(
            "the supervisor ended without a reason",
            hint=f'Its last words are in "{run.logs / "supervisor.out"}".',
        )
    error = JobFailed(f"{failure.condition}: {failure.message}", hint=failure.hint)
    error.exit_code = ExitCode(failure.exit_code)  # type: ignore[misc]
    return error


def _already_running(
    run: RunDirectory, settings: Settings, *, wait: bool, began: float, on_event: OnEvent
) -> StartReport:
    """Another start holds the run directory: wait for what it started."""
    status = None
    for _ in range(600):  # the other may be at its checks
        status = run.read(Status)
        if status is not None and not status.observed.ended:
            break
        if not is_supervised(run):
            raise Busy("another start was here a moment ago", hint="Run `streamctl start` again.")
        time.sleep(0.1)
    if status is None or status.observed.ended:
        raise Busy("another start is at work here", hint="See `streamctl status`.")
    if wait:
        status = _await_ready(run, settings, on_event=on_event)
    return _report(status, Started.ALREADY_RUNNING, waited=wait, began=began, checks=[])


def _report(
    status: Status, outcome: Started, *, waited: bool, began: float, checks: list[Check]
) -> StartReport:
    return StartReport(
        outcome=outcome,
        verdict=Verdict.OK,
        run_id=status.run_id,
        job=status.job,
        generation=status.generation,
        supervisor_pid=status.supervisor_pid,
        driver_pid=status.driver_pid,
        queries=status.queries,
        idle_queries=status.idle_queries,
        waited=waited,
        seconds=round(time.monotonic() - began, 3),
        checks=checks,
    )


def run_in_foreground(
    run: RunDirectory, settings: Settings, *, project: Path, on_event: OnEvent
) -> EndReport:
    """Be the supervisor: for systemd and containers. Ends when the job ends.

    Raises:
        Busy: the job runs already.
        StreamctlError: of the first check that fails.
    """
    lock = run.try_lock()
    if lock is None:
        raise Busy("the job runs already", hint="`streamctl status` shows it.")
    from streamctl.supervisor.supervise import Supervisor

    try:
        prepare(run, settings, project=project, on_event=on_event)
        os.chdir(project)
        code = Supervisor(run, settings, echo=sys.stderr).run()
    finally:
        os.close(lock)
    status = run.read(Status)
    if status is None:
        raise JobFailed("the run directory was emptied while the job ran")
    failed = status.observed is Observed.FAILED
    return EndReport(
        outcome=status.observed,
        verdict=Verdict.PROBLEM if failed else Verdict.OK,
        run_id=status.run_id,
        exit_code=code,
    )
