"""Waiting for what a job does by itself."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from streamctl.chaos.operated import Operated
from streamctl.checkpoint.tree import layout
from streamctl.errors import DeadlinePassed
from streamctl.observe.status import is_supervised


def until(holds: Callable[[], bool], *, seconds: float, what: str, pause: float = 0.05) -> None:
    """Wait until something holds.

    Raises:
        DeadlinePassed: it does not in time; `what` says so.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise DeadlinePassed(f"{what} within {seconds:g} s")
        time.sleep(pause)


def newest(folder: Path) -> int:
    """The newest batch id of a log; -1 for none."""
    try:
        return max(layout.batch_ids(entry.name for entry in os.scandir(folder)), default=-1)
    except FileNotFoundError:
        return -1


def await_commit(subject: Operated, seconds: float = 120.0) -> None:
    """Wait until a batch of the windows is committed that was not when asked."""
    commits = subject.generation("checkpoint") / subject.query / "commits"
    before = newest(commits)
    until(lambda: newest(commits) > before, seconds=seconds, what="no batch was committed")


def await_end(subject: Operated, seconds: float = 60.0) -> None:
    """Wait until the job has ended by itself."""
    until(lambda: not is_supervised(subject.run), seconds=seconds, what="the job has not ended")
