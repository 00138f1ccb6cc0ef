"""Writes the run directory of a running job as far as its disk lets it.

A full disk under the run directory makes what `status` says old, and must not end the job: what
could not be written is kept, and written once there is room.
"""

import time
from collections.abc import Callable

from streamctl.rundir.directory import RunDirectory, Written

_LAST_SECONDS = 3.0
_PAUSE_SECONDS = 0.2


class Writing:
    """The newest value of each kind, written now or later.

    Args:
        run: where to.
        tell: (level, message) -> writes to the log.
    """

    def __init__(self, run: RunDirectory, tell: Callable[[str, str], None]) -> None:
        self._run = run
        self._tell = tell
        self._waiting: dict[type, Written] = {}

    def write(self, value: Written) -> None:
        """Replace the file of this kind, or keep the value for later."""
        before = bool(self._waiting)
        self._waiting[type(value)] = value
        self._try(before=before)

    @property
    def waiting(self) -> bool:
        """Whether something could not be written."""
        return bool(self._waiting)

    def last_words(self) -> None:
        """Try once more for a while before the process ends."""
        until = time.monotonic() + _LAST_SECONDS
        while self._waiting and time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS)
            self.again()

    def again(self) -> None:
        """Write what is waiting, if anything is."""
        if self._waiting:
            self._try(before=True)

    def remove(self, kind: type) -> None:
        """Remove the file of this kind, and what waits to be written into it."""
        self._waiting.pop(kind, None)
        self._run.remove(kind)

    def _try(self, *, before: bool) -> None:
        try:
            for kind, value in list(self._waiting.items()):
                self._run.write(value)
                del self._waiting[kind]
        except OSError as error:
            if not before:
                told = f'"{self._run.path}" cannot be written: {error.strerror or error}'
                self._tell("ERROR", f"{told}; the job goes on, and its status is old")
            return
        if before:
            self._tell("INFO", f'"{self._run.path}" can be written again')
