"""A second driver, its Spark session up, that has read and written nothing yet.

When the first one dies it takes over: what remains of a restart is analysis and the first batch.
It is not a second writer, because it touches neither checkpoint nor Kafka before it is told to.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from streamctl.job.launcher import Driver

RETRY_SECONDS = 60.0
"""A standby that died is replaced no sooner than this, so that it cannot eat the machine."""


class Watched(NamedTuple):
    """A driver, and the thread that copies its output."""

    driver: Driver
    reader: threading.Thread


class Standby:
    """Keeps one driver waiting.

    Args:
        start: starts a driver that waits.
        pump: copies its output into the log from now on.
    """

    def __init__(self, *, start: Callable[[], Driver], pump: Callable[[Driver], Watched]) -> None:
        self._start = start
        self._pump = pump
        self._waiting: Watched | None = None
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """Process id of the one that waits."""
        return None if self._waiting is None else self._waiting.driver.pid

    def keep(self) -> None:
        """Start one if none waits."""
        if self._waiting is not None and self._waiting.driver.poll() is not None:
            self.end()
            self._not_before = time.monotonic() + RETRY_SECONDS
        if self._waiting is None and time.monotonic() >= self._not_before:
            self._waiting = self._pump(self._start())

    def take(self) -> Watched | None:
        """Let the one that waits begin, if it lives; its launch is written."""
        if self._waiting is None:
            return None
        try:
            self._waiting.driver.take_over()
        except BrokenPipeError:
            self.end()
        taken, self._waiting = self._waiting, None
        return taken

    def end(self) -> None:
        """End it; it has nothing to lose."""
        if self._waiting is not None:
            self._waiting.driver.end_session()
            self._waiting.reader.join(timeout=5)
            self._waiting = None
