"""Faults of the job's processes, and what an operator asks of it."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import psutil

from streamctl.chaos.subject import Subject
from streamctl.chaos.verbs.phases import kill_at
from streamctl.chaos.verbs.verb import action, probe
from streamctl.chaos.verbs.wait import await_commit, await_end, until
from streamctl.errors import DeadlinePassed, NotFound
from streamctl.job.launcher import kill as kill_process
from streamctl.observe.status import is_supervised, read_status

_EXECUTOR, _PYTHON_WORKER = "CoarseGrainedExecutorBackend", "pyspark.daemon"
"""Spark's own words in the command lines of both."""
_LOOK_SECONDS = 20.0


def status(subject: Subject) -> str:
    """The verdict of `status`: ok, problem or unknown."""
    return str(read_status(subject.run).verdict)


def commits(subject: Subject, batches: int = 1, seconds: float = 30.0) -> bool:
    """Whether the windows' query commits so many more batches in time."""
    try:
        for _ in range(batches):
            await_commit(subject, seconds)
    except DeadlinePassed:
        return False
    return True


def lag(subject: Subject) -> int:
    """Records that the job is behind."""
    return subject.true_lag()


def start(subject: Subject) -> None:
    """Start the job and wait for its first batch."""
    subject.must("start")


def stop(subject: Subject) -> None:
    """Stop the job after its running batch."""
    subject.must("stop")


def refuses_to_start(subject: Subject) -> int:
    """Try to start the job; the exit code."""
    return subject.streamctl("start").exit_code


def start_twice(subject: Subject) -> list[int]:
    """Stop the job, then start it twice at once; the exit codes, sorted."""
    subject.must("stop")
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(subject.streamctl, "start") for _ in range(2)]
        return sorted(answer.result().exit_code for answer in answers)


def kill(subject: Subject) -> None:
    """End the driver and its JVM with SIGKILL."""
    subject.crashed = True
    _signal(subject, signal.SIGKILL)


def kill_executor(subject: Subject) -> int:
    """End one executor with SIGKILL; its process id. With a local master there is none."""
    return _kill_one(subject, _EXECUTOR, "no executor runs; a local-cluster master has some")


def kill_python_worker(subject: Subject) -> int:
    """End one of Spark's Python workers with SIGKILL; only jobs with Python functions have them."""
    return _kill_one(subject, _PYTHON_WORKER, "no Python worker runs")


def _kill_one(subject: Subject, words: str, none: str) -> int:
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


def terminate(subject: Subject) -> None:
    """Ask the driver to end with SIGTERM, behind the supervisor's back."""
    found = subject.status()
    if found is None or found.driver_pid is None:
        raise NotFound("no driver runs")
    os.kill(found.driver_pid, signal.SIGTERM)


def pause(subject: Subject) -> None:
    """Freeze the driver with SIGSTOP."""
    _signal(subject, signal.SIGSTOP)


def resume(subject: Subject) -> None:
    """Let a frozen driver go on."""
    for pid in subject.driver_processes():
        os.kill(pid, signal.SIGCONT)


def kill_supervisor(subject: Subject) -> None:
    """End the supervisor with SIGKILL; the driver has to notice and end."""
    found = subject.status()
    if found is None or not is_supervised(subject.run):
        raise NotFound("no supervisor runs")
    kill_process(found.supervisor_pid)
    until(lambda: not subject.driver_processes(), seconds=120, what="the driver has not ended")


def _signal(subject: Subject, what: signal.Signals) -> None:
    processes = subject.driver_processes()
    if not processes:
        raise NotFound("no driver runs")
    for pid in processes:
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            continue


VERBS = {
    "job.status": probe(status),
    "job.lag": probe(lag),
    "job.commits": probe(commits),
    "job.refuses_to_start": probe(refuses_to_start),
    "job.start": action(start),
    "job.stop": action(stop, undo="job.start"),
    "job.await_end": action(await_end),
    "job.await_commit": action(await_commit),
    "job.start_twice": action(start_twice, undo="job.start"),
    "job.kill": action(kill),
    "job.kill_at": action(kill_at),
    "job.kill_executor": action(kill_executor),
    "job.kill_python_worker": action(kill_python_worker),
    "job.terminate": action(terminate),
    "job.pause": action(pause, undo="job.resume"),
    "job.resume": action(resume),
    "job.kill_supervisor": action(kill_supervisor, undo="job.start"),
}
