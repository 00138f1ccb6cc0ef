"""Looks at the job for all who ask, and lets nobody wait longer than a bound.

A look reads the checkpoint and the run directory. A store may hang for minutes, and who asks for
health then has to be told so. So a look runs in a thread of its own, which those who ask share,
and which is left to itself when it takes too long.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from streamctl.errors import StreamctlError

T = TypeVar("T")


class NotSeen(StreamctlError):
    """A look takes too long."""


class Looks(Generic[T]):
    """Shares looks.

    Args:
        look: what takes a while.
        fresh_seconds: an answer is given again for so long.
        within_seconds: how long a look may take before those who ask are told that it hangs.
    """

    def __init__(
        self, look: Callable[[], T], *, fresh_seconds: float, within_seconds: float
    ) -> None:
        self._look = look
        self._fresh = fresh_seconds
        self._within = within_seconds
        self._lock = threading.Lock()
        self._began = 0.0
        self._newest: Future[T] | None = None

    def newest(self, *, begun_after: float = 0.0) -> T:
        """What is seen, no older than it may be.

        Args:
            begun_after: a look that was begun before is not enough, by the monotonic clock.

        Raises:
            NotSeen: the look takes longer than the bound.
            StreamctlError: the look failed.
        """
        while True:
            looking, began = self._share(begun_after)
            seen = self._await(looking, began)
            if began >= begun_after:
                return seen

    def _await(self, looking: "Future[T]", began: float) -> T:
        try:
            return looking.result(timeout=max(0.0, began + self._within - time.monotonic()))
        except TimeoutError:
            hangs = time.monotonic() - began
            raise NotSeen(
                f"a look at checkpoint and run directory takes longer than {hangs:.0f} s",
                hint="Check the store and the disk: `streamctl doctor`.",
            ) from None

    def _share(self, begun_after: float) -> tuple["Future[T]", float]:
        """The look that is under way or fresh, else a new one, and when it began."""
        with self._lock:
            oldest = max(begun_after, time.monotonic() - self._fresh)
            if self._newest is None or (self._newest.done() and self._began < oldest):
                self._newest, self._began = Future(), time.monotonic()
                self._begin(self._newest)
            return self._newest, self._began

    def _begin(self, looking: "Future[T]") -> None:
        try:
            threading.Thread(target=self._take, args=(looking,), name="look", daemon=True).start()
        except RuntimeError as error:  # there is no thread to be had just now
            looking.set_exception(StreamctlError(str(error)))

    def _take(self, looking: "Future[T]") -> None:
        try:
            looking.set_result(self._look())
        except StreamctlError as error:
            looking.set_exception(error)
        except Exception as error:  # noqa: BLE001 - any store, any way to fail
            told = StreamctlError(f"unexpected {type(error).__name__}: {error}")
            looking.set_exception(told)
