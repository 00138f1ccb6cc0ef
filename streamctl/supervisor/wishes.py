"""What the operator wants of a running supervisor: signals, and `stop.json`."""

import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from types import FrameType

from streamctl.bell import Bell
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import StopRequest

NOW_GRACE_SECONDS = 10.0
"""How long `stop --now` lets Spark end by itself before the processes are killed."""


class Wishes:
    """The wish to stop, from whichever side it comes.

    Args:
        run: where requests are written, those of signals as well.
        deadline_seconds: for a request that names none.

    Attributes:
        stop: the newest request; None while the job is to run.
    """

    def __init__(self, run: RunDirectory, *, deadline_seconds: float) -> None:
        self._run = run
        self._own: StopRequest | None = None
        self._deadline_seconds = deadline_seconds
        self._deadline = 0.0
        self._signal: str | None = None
        self._bell = Bell()
        self.stop: StopRequest | None = None

    @property
    def too_late(self) -> bool:
        """Whether the deadline of the request has passed."""
        return time.monotonic() > self._deadline

    def listen(self) -> None:
        """Take SIGTERM, SIGINT and SIGHUP as a wish to stop."""
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, self._on_signal)

    def read(self) -> bool:
        """Take in a request; a later one replaces an earlier. Whether there was a new one."""
        if self._signal:
            name, self._signal = self._signal, None
            if self.stop is None:
                self.ask_to_stop(name, f"{name} reached the supervisor")
        request = self._run.read(StopRequest) or self._own
        if request is None or request == self.stop:
            return False
        self.stop = request
        allowed = NOW_GRACE_SECONDS if request.now else request.deadline_seconds
        self._deadline = time.monotonic() + allowed
        return True

    def ask_to_stop(self, who: str, reason: str) -> None:
        """Make a request of the supervisor's own, and write it down."""
        request = StopRequest(
            at=datetime.now(UTC),
            who=who,
            reason=reason,
            deadline_seconds=self._deadline_seconds,
        )
        self._own = request
        with suppress(OSError):  # on a full disk it still counts, and only nobody can read it
            self._run.write(request)

    def wait(self, seconds: float) -> None:
        """Sleep; a signal ends it."""
        self._bell.wait(seconds)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._signal = signal.Signals(number).name
        self._bell.ring()
