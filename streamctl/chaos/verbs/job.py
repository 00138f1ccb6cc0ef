"""Faults of the job's processes, and what an operator asks of it."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from streamctl.chaos.subject import WINDOWS, Subject
from streamctl.chaos.verbs.verb import action, probe
from streamctl.checkpoint.tree import layout
from streamctl.errors import DeadlinePassed, NotFound, Unsupported
from streamctl.job.launcher import kill as kill_process
from streamctl.observe.status import is_supervised, read_status

_PHASE_SECONDS = 30.0


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
    _until(lambda: not subject.driver_processes(), seconds=120, what="the driver has not ended")


def kill_at(subject: Subject, phase: str) -> dict[str, Any]:
    """End the driver at a phase of a batch: offsets, state, sink or commit; whether it was hit."""
    if phase not in PHASES:
        raise Unsupported(f'no phase "{phase}"', hint=f"There are: {', '.join(PHASES)}.")
    base, output = subject.generation("checkpoint") / WINDOWS, subject.generation("output")
    before = _newest(base / "offsets")
    is_there = PHASES[phase](base, output / WINDOWS, before + 1)
    _until(is_there, seconds=_PHASE_SECONDS, what=f"no batch came to its {phase}", pause=0.0005)
    kill(subject)
    _until(lambda: not subject.driver_processes(), seconds=10, what="the driver lives")
    hit = not (base / "commits" / str(before + 1)).exists()
    return {"phase": phase, "batch": before + 1, "hit": hit}


def _after_offsets(base: Path, output: Path, batch: int) -> Any:
    del output
    return (base / "offsets" / str(batch)).exists


def _during_state(base: Path, output: Path, batch: int) -> Any:
    """A file of the batch's state version, or one that is being written."""
    del output
    stores = [p for p in (base / "state").glob("0/*") if p.name.isdigit()]
    prefixes = (f"{batch + 1}.", f"{batch + 1}_", f".{batch + 1}.", f".{batch + 1}_")
    return lambda: any(
        entry.name.startswith(prefixes) for store in stores for entry in os.scandir(store)
    )


def _during_sink(base: Path, output: Path, batch: int) -> Any:
    """The sink's own log is about to be written: its temporary file, or the entry."""
    del base
    log = output / "_spark_metadata"
    names = (f"{batch}", f"{batch}.compact")
    return lambda: any(
        entry.name in names or entry.name.startswith(f".{batch}.") for entry in os.scandir(log)
    )


def _before_commit(base: Path, output: Path, batch: int) -> Any:
    del base
    log = output / "_spark_metadata"
    entries = (log / str(batch), log / f"{batch}.compact")
    return lambda: any(entry.exists() for entry in entries)


PHASES = {
    "offsets": _after_offsets,
    "state": _during_state,
    "sink": _during_sink,
    "commit": _before_commit,
}


def _newest(folder: Path) -> int:
    try:
        return max(layout.batch_ids(entry.name for entry in os.scandir(folder)), default=-1)
    except FileNotFoundError:
        return -1


def _signal(subject: Subject, what: signal.Signals) -> None:
    processes = subject.driver_processes()
    if not processes:
        raise NotFound("no driver runs")
    for pid in processes:
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            continue


def _until(holds: Any, *, seconds: float, what: str, pause: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise DeadlinePassed(f"{what} within {seconds:g} s")
        time.sleep(pause)


def await_commit(subject: Subject, seconds: float = 120.0) -> None:
    """Wait until a batch of the windows is committed that was not when asked."""
    commits = subject.generation("checkpoint") / WINDOWS / "commits"
    before = _newest(commits)
    _until(lambda: _newest(commits) > before, seconds=seconds, what="no batch was committed")


def await_end(subject: Subject, seconds: float = 60.0) -> None:
    """Wait until the job has ended by itself."""
    _until(lambda: not is_supervised(subject.run), seconds=seconds, what="the job has not ended")


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
    "job.terminate": action(terminate),
    "job.pause": action(pause, undo="job.resume"),
    "job.resume": action(resume),
    "job.kill_supervisor": action(kill_supervisor, undo="job.start"),
}
