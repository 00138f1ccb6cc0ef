"""Who may ask the driver to stop: a signal, a closed standard input, `stop.json`."""

import os
import signal
import threading
from types import FrameType

from jobs.session import STOP_SIGNALS
from streamctl.bell import Bell
from streamctl.errors import Malformed
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import StopRequest

_STANDBY_POLL_SECONDS = 0.5


class StopRequests:
    """Collects requests to stop. The first one counts for the log, all mean the same.

    `now` stands in `stop.json` alone: deadlines are the supervisor's.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._bell = Bell()
        self._take_over = threading.Event()
        self.reason = ""

    def listen_to_signals(self) -> None:
        """Take SIGTERM and SIGINT. To be called again after Spark took SIGINT for itself."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)

    def listen_to_stdin(self) -> None:
        """Take the end of standard input: the supervisor is gone."""
        threading.Thread(target=self._read_stdin, name="stdin", daemon=True).start()

    def ask(self, reason: str) -> None:
        """Ask to stop."""
        self.reason = self.reason or reason
        self._bell.ring()

    def await_take_over(self) -> bool:
        """Wait in standby; False when asked to stop instead."""
        while not (self._take_over.is_set() or self.requested()):
            self.wait(_STANDBY_POLL_SECONDS)
        return self._take_over.is_set()

    def wake(self) -> None:
        """Let `wait` return: something happened."""
        self._bell.ring()

    def wait(self, seconds: float) -> None:
        """Wait until something happens, at most so long."""
        self._bell.wait(seconds)

    def requested(self) -> bool:
        """Whether anybody asked."""
        if not self.reason and (request := self._read()):
            self.reason = f"stop.json by {request.who}"
        return bool(self.reason)

    def now(self) -> bool:
        """Whether a running batch is to be interrupted."""
        request = self._read()
        return request is not None and request.now

    def _read(self) -> StopRequest | None:
        try:
            return self._directory.read(StopRequest)
        except Malformed:
            return None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.ask(signal.Signals(number).name)

    def _read_stdin(self) -> None:
        # Not through sys.stdin: a buffered reader in a daemon thread aborts Python at its end.
        while os.read(0, 4096):  # it says one thing only
            self._take_over.set()
            self.wake()
        self.ask("standard input closed")
