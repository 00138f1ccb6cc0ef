"""Faults of the job's processes, and what an operator asks of it."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil

from streamctl.chaos.experiment import Part
from streamctl.chaos.operated import Operated
from streamctl.chaos.verbs.phases import kill_at
from streamctl.chaos.verbs.verb import action, probe
from streamctl.chaos.verbs.wait import await_commit, await_end, until
from streamctl.errors import DeadlinePassed, NotFound
from streamctl.job.launcher import kill as kill_process
from streamctl.observe.status import is_supervised, read_status

KILL_AT = "job.kill_at"
_EXECUTOR, _PYTHON_WORKER = "CoarseGrainedExecutorBackend", "pyspark.daemon"
"""Spark's own words in the command lines of both."""
_LOOK_SECONDS = 20.0


def status(subject: Operated) -> str:
    """The verdict of `status`: ok, problem or unknown."""
    return str(read_status(subject.run).verdict)


def commits(subject: Operated, batches: int = 1, seconds: float = 30.0) -> bool:
    """Whether the windows' query commits so many more batches in time."""
    try:
        for _ in range(batches):
            await_commit(subject, seconds)
    except DeadlinePassed:
        return False
    return True


def lag(subject: Operated) -> int:
    """Records that the job is behind."""
    return subject.true_lag()


def start(subject: Operated) -> None:
    """Start the job and wait for its first batch."""
    subject.must("start")


def stop(subject: Operated) -> None:
    """Stop the job after its running batch."""
    subject.must("stop")


def refuses_to_start(subject: Operated) -> int:
    """Try to start the job; the exit code."""
    return subject.streamctl("start").exit_code


def start_twice(subject: Operated) -> list[int]:
    """Stop the job, then start it twice at once; the exit codes, sorted."""
    subject.must("stop")
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(subject.streamctl, "start") for _ in range(2)]
        return sorted(answer.result().exit_code for answer in answers)


def kill(subject: Operated) -> None:
    """End the driver and its JVM with SIGKILL."""
    subject.crashed = True
    _signal(subject, signal.SIGKILL)


def kill_executor(subject: Operated) -> int:
    """End one executor with SIGKILL; its process id. With a local master there is none."""
    return _kill_one(subject, _EXECUTOR, "no executor runs; a local-cluster master has some")


def kill_python_worker(subject: Operated) -> int:
    """End one of Spark's Python workers with SIGKILL; only jobs with Python functions have them."""
    return _kill_one(subject, _PYTHON_WORKER, "no Python worker runs")


def _kill_one(subject: Operated, words: str, none: str) -> int:
    """End the youngest process of the driver's session that has these words in its command line.

    Raises:
        NotFound: there is none within some seconds.
    """
    found: list[int] = []

    def look() -> bool:
        found[:] = [pid for pid in subject.driver_processes() if words in _command_line(pid)]
        return bool(found)

    try:
        until(look, seconds=_LOOK_SECONDS, what=none)
    except DeadlinePassed:
        raise NotFound(none) from None
    kill_process(found[-1])
    return found[-1]


def _command_line(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def terminate(subject: Operated) -> None:
    """Ask the driver to end with SIGTERM, behind the supervisor's back."""
    found = subject.status()
    if found is None or found.driver_pid is None:
        raise NotFound("no driver runs")
    os.kill(found.driver_pid, signal.SIGTERM)


def pause(subject: Operated) -> None:
    """Freeze the driver with SIGSTOP."""
    _signal(subject, signal.SIGSTOP)


def resume(subject: Operated) -> None:
    """Let a frozen driver go on."""
    for pid in subject.driver_processes():
        with suppress(ProcessLookupError):  # it has ended since
            os.kill(pid, signal.SIGCONT)


def is_frozen(pid: int) -> bool:
    """Whether a process is stopped, or gone."""
    try:
        return psutil.Process(pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}
    except psutil.NoSuchProcess:
        return True


def kill_supervisor(subject: Operated) -> None:
    """End the supervisor with SIGKILL; the driver has to notice and end."""
    found = subject.status()
    if found is None or not is_supervised(subject.run):
        raise NotFound("no supervisor runs")
    kill_process(found.supervisor_pid)
    until(lambda: not subject.driver_processes(), seconds=120, what="the driver has not ended")


def _signal(subject: Operated, what: signal.Signals) -> None:
    processes = subject.driver_processes()
    if not processes:
        raise NotFound("no driver runs")
    for pid in processes:
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            continue


VERBS = {
    "job.status": probe(status, on_target=True),
    "job.lag": probe(lag, on_target=True),
    "job.commits": probe(commits, on_target=True),
    "job.refuses_to_start": probe(refuses_to_start, on_target=True),
    "job.start": action(start, Part.ASIDE, on_target=True),
    "job.stop": action(stop, Part.ASIDE, undo="job.start", on_target=True),
    "job.await_end": action(await_end, Part.ASIDE, on_target=True),
    "job.await_commit": action(await_commit, Part.ASIDE, on_target=True),
    "job.start_twice": action(start_twice, Part.FAULT, undo="job.start", on_target=True),
    "job.kill": action(kill, Part.FAULT, on_target=True),
    KILL_AT: action(kill_at, Part.STRIKE, on_target=True),
    "job.kill_executor": action(kill_executor, Part.STRIKE, on_target=True),
    "job.kill_python_worker": action(kill_python_worker, Part.STRIKE, on_target=True),
    "job.terminate": action(terminate, Part.FAULT, on_target=True),
    "job.pause": action(pause, Part.FAULT, undo="job.resume", on_target=True),
    "job.resume": action(resume, Part.LIFT, on_target=True),
    "job.kill_supervisor": action(kill_supervisor, Part.FAULT, undo="job.start", on_target=True),
}
