"""Looks for records that were passed over, beside the supervisor: asking Kafka may take seconds.

What is found is told as an error, and is in `losses.jsonl` and the journal by then.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from streamctl.checkpoint.location.store import Store
from streamctl.errors import StreamctlError
from streamctl.kafka.client import Broker
from streamctl.losses.look import look
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from streamctl.supervisor.logs import JobLog

EVERY_SECONDS = 5.0
_LAST_LOOK_SECONDS = 3.0
"""A stop does not wait longer for Kafka; the next start makes up for it."""


@contextmanager
def watched(run: RunDirectory, settings: Settings, store: Store, log: JobLog) -> Iterator[None]:
    """Look now and then, and once more at the end, when the driver is gone."""
    watch = _Watch(run, settings, store, log)
    over = threading.Event()
    thread = threading.Thread(target=watch.until, args=(over,), name="losses", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_LAST_LOOK_SECONDS)


class _Watch:
    """Looks when the driver has told of a batch."""

    def __init__(self, run: RunDirectory, settings: Settings, store: Store, log: JobLog) -> None:
        self._run, self._settings, self._store, self._log = run, settings, store, log
        self._told = 0.0
        self._failed = ""

    def until(self, over: threading.Event) -> None:
        while not over.wait(EVERY_SECONDS):
            told = self._progress_at()
            if told != self._told and self.look(more_comes=True):
                self._told = told
        self.look(more_comes=False)

    def look(self, *, more_comes: bool) -> bool:
        """One look; whether Kafka could be asked. If not, the next one does; it is said once."""
        try:
            with Broker.of(self._settings.kafka) as kafka:
                found = look(self._run, self._store, kafka, more_comes=more_comes)
        except StreamctlError as error:
            self._fail("WARN", error.message)
            return False
        except Exception as error:  # noqa: BLE001 - a thread that dies would look no more
            self._fail("ERROR", f"unexpected {type(error).__name__}: {error}")
            return False
        self._failed = ""
        for loss in found:
            self._log.event("ERROR", loss.describe(), loss=loss)
        return True

    def _fail(self, level: str, why: str) -> None:
        if why != self._failed:
            self._log.event(level, f"losses could not be looked for: {why}")
        self._failed = why

    def _progress_at(self) -> float:
        try:
            return self._run.progress_file.stat().st_mtime
        except FileNotFoundError:
            return self._told
