"""Freezes and thaws processes in turns, so that they have a share of the time."""

import threading
from collections.abc import Callable
from contextlib import suppress

from streamctl.errors import NotFound

_SLICE_SECONDS = 0.1


class InTurns(threading.Thread):
    """Goes on until `stop`, or until the processes are gone.

    Args:
        pause: freezes them; raises `NotFound` where there are none. (So does `resume`.)
        resume: thaws them.
        share: of the time in which they run, below 1.
    """

    def __init__(
        self, pause: Callable[[], None], resume: Callable[[], None], *, share: float
    ) -> None:
        super().__init__(name="turns", daemon=True)
        self._pause, self._resume, self._share = pause, resume, share
        self._stopping = threading.Event()

    def run(self) -> None:
        """Freeze and thaw."""
        with suppress(NotFound):
            while not self._stopping.is_set():
                self._pause()
                self._stopping.wait(_SLICE_SECONDS * (1 - self._share))
                self._resume()
                self._stopping.wait(_SLICE_SECONDS * self._share)

    def stop(self) -> None:
        """End it; the processes run then."""
        self._stopping.set()
        self.join()
