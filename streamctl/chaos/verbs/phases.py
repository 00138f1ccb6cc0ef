"""Ends the driver at a phase of a micro-batch, seen from outside by the files that it writes.

Source: the order of writes in Spark's `MicroBatchExecution`: `offsets/N`, state of version N + 1
and files of the sink by the tasks, the sink's own log entry N, `commits/N`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamctl.chaos.operated import Operated
from streamctl.chaos.verbs.wait import newest, until
from streamctl.errors import NotFound, Unsupported
from streamctl.job.launcher import kill, session_members

_SECONDS = 60.0
_LOOK_SECONDS = 0.0005
"""Some phases last a few milliseconds."""
Look = Callable[[], bool]


def kill_at(subject: Operated, phase: str) -> dict[str, Any]:
    """End the driver at a phase of a batch: offsets, state, sink or commit; whether it was hit.

    Raises:
        Unsupported: no such phase.
        NotFound: no driver runs.
        DeadlinePassed: no batch came to it.
    """
    if phase not in PHASES:
        raise Unsupported(f'no phase "{phase}"', hint=f"There are: {', '.join(PHASES)}.")
    base, output = (
        subject.generation("checkpoint") / subject.query,
        subject.generation("output") / subject.query,
    )
    batch = newest(base / "offsets") + 1
    processes = subject.driver_processes()  # beforehand: looking for them takes longer than a phase
    if not processes:
        raise NotFound("no driver runs")
    session = os.getsid(processes[0])
    subject.crashed = True
    look = PHASES[phase](base, output, batch)
    until(look, seconds=_SECONDS, what=f"no batch came to its {phase}", pause=_LOOK_SECONDS)
    for pid in reversed(processes):  # the JVM first, which is the writer
        kill(pid)
    until(lambda: not session_members(session), seconds=10, what="the driver lives")
    committed = (base / "commits" / str(batch)).exists()
    return {"phase": phase, "batch": batch, "hit": not committed}


def _after_offsets(base: Path, output: Path, batch: int) -> Look:
    """The batch is planned."""
    del output
    return (base / "offsets" / str(batch)).exists


def _during_state(base: Path, output: Path, batch: int) -> Look:
    """A file of the batch's state version is there, or is being written."""
    del output
    stores = [path for path in (base / "state").glob("0/*") if path.name.isdigit()]
    version = batch + 1
    prefixes = (f"{version}.", f"{version}_", f".{version}.", f".{version}_")
    return lambda: any(name.startswith(prefixes) for store in stores for name in _names(store))


def _during_sink(base: Path, output: Path, batch: int) -> Look:
    """The entry of the sink's own log is there, or is being written."""
    del base
    log, names = output / "_spark_metadata", (f"{batch}", f"{batch}.compact")
    return lambda: any(name in names or name.startswith(f".{batch}.") for name in _names(log))


def _before_commit(base: Path, output: Path, batch: int) -> Look:
    """The sink's own log has the batch, and the commit log does not yet."""
    del base
    log = output / "_spark_metadata"
    entries = (log / str(batch), log / f"{batch}.compact")
    return lambda: any(entry.exists() for entry in entries)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are all that is needed, and fast
    except FileNotFoundError:
        return []


PHASES: dict[str, Callable[[Path, Path, int], Look]] = {
    "offsets": _after_offsets,
    "state": _during_state,
    "sink": _during_sink,
    "commit": _before_commit,
}
