"""A checkpoint that Spark alone made has no lease: is somebody writing to it?

A running query plans a batch at each trigger. So the logs are looked at, and where they were
written to lately, once more after a while. A query whose trigger is longer cannot be told from a
stopped one; that the operator must know.
"""

import time
from collections.abc import Callable

from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry, Files
from streamctl.errors import Busy

QUIET_SECONDS = 10.0


def require_quiet(
    path: str,
    *,
    seconds: float = QUIET_SECONDS,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Guard against changing a checkpoint that a query of no lease is writing.

    Args:
        path: the checkpoint.
        seconds: without a new log entry for so long, it is taken to be at rest.
        clock: seconds since the epoch.
        sleep: waits.

    Raises:
        Busy: it is being written.
        FileNotFoundError: its logs are not there.
    """
    before = _logs(path)
    newest = max((entry.modified_seconds or 0.0 for entry in before), default=0.0)
    wait = seconds - (clock() - newest)
    if wait <= 0:
        return
    sleep(min(wait, seconds))
    if _logs(path) != before:
        raise Busy(
            f'a query is writing to "{path}"',
            hint="Stop it first; nothing was changed.",
        )


def _logs(path: str) -> set[Entry]:
    files = Files(path)
    found: set[Entry] = set()
    for folder in (layout.OFFSETS, layout.COMMITS):
        if files.exists(folder):
            found |= set(files.entries(folder))
    return found
