"""Watch a Spark checkpoint's commit log from outside, the same way for both sides."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_LOOK_SECONDS = 0.01
_PATIENCE_SECONDS = 240.0


def last(checkpoint: Path) -> int:
    """Newest committed batch; -1 for none."""
    try:
        names = os.listdir(checkpoint / "commits")  # noqa: PTH208 - the cheapest look
    except FileNotFoundError:
        return -1
    return max((int(name) for name in names if name.isdigit()), default=-1)


def await_after(
    checkpoint: Path,
    batch: int,
    *,
    alive: Callable[[], bool],
    meanwhile: Callable[[], None] = lambda: None,
) -> float:
    """Wait until a batch after `batch` is committed, and return when (`time.perf_counter`).

    Args:
        checkpoint: of one query.
        batch: newest one before.
        alive: false when nobody is left who could commit.
        meanwhile: called at every look.

    Raises:
        RuntimeError: nobody is left, or it took too long.
    """
    began = time.perf_counter()
    while last(checkpoint) <= batch:
        meanwhile()
        waited = time.perf_counter() - began
        if not alive() or waited > _PATIENCE_SECONDS:
            raise RuntimeError(f'no batch after {batch} in "{checkpoint}" ({waited:.0f} s)')
        time.sleep(_LOOK_SECONDS)
    return time.perf_counter()


def lives(process: "subprocess.Popen[str]") -> Callable[[], bool]:
    """Whether a process has not ended, or has ended well."""
    return lambda: process.poll() in {None, 0}
