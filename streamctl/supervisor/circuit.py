"""Holds the circuit breaker of a run: what it sees, its file, what operators ask of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from streamctl.resilience import breaker
from streamctl.resilience.breaker import BreakerState, Circuit, Window
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import BreakerRequest, Failure
from streamctl.settings.model import BreakerSettings
from streamctl.supervisor.writing import Writing


class CircuitBreaker:
    """One run's breaker.

    Args:
        run: where its state is kept, and requests are found.
        files: where its state is written.
        settings: thresholds, window, cool-down.
        tell: (level, message) -> writes to the log.

    Attributes:
        state: where it stands. A run that begins with an open one makes a trial at once: the
            operator who started the job asked for it; one that is held stays open.
    """

    def __init__(
        self,
        run: RunDirectory,
        files: Writing,
        settings: BreakerSettings,
        *,
        tell: Callable[[str, str], None],
    ) -> None:
        self._run = run
        self._files = files
        self._settings = settings
        self._tell = tell
        self._window = Window(settings)
        now = datetime.now(UTC)
        before = run.read(BreakerState)
        if before is None or not settings.enabled:
            before = breaker.closed(now)
        self.state = before
        self._write()

    @property
    def is_open(self) -> bool:
        """Whether nothing is to be processed."""
        return self.state.circuit is Circuit.OPEN

    @property
    def on_trial(self) -> bool:
        """Whether the next, or the present, attempt is a trial."""
        return self.state.circuit is Circuit.HALF_OPEN

    def take(self, line: dict[str, Any]) -> None:
        """Take in a finished batch: a line of `progress.jsonl`."""
        at = datetime.fromisoformat(line["at"])
        rejected = line.get("dead_letters", 0)
        self._window.batch(line["query"], records=line["input_rows"], rejected=rejected, at=at)

    def batch_failed(self, failure: Failure | None) -> None:
        """An attempt ended with a failure; it counts when it was in a batch."""
        if failure is not None and failure.query:
            self._window.failed(failure.at)

    def look(self) -> bool:
        """Whether it has to open now."""
        now = datetime.now(UTC)
        self._read_request(now)
        if not self._settings.enabled or self.state.circuit is not Circuit.CLOSED:
            return self.is_open
        if reason := self._window.trouble(now):
            self._move(breaker.opened(self.state, reason, settings=self._settings, now=now))
        return self.is_open

    def wait_over(self) -> bool:
        """While open: whether the trial is due, or an operator has closed it."""
        now = datetime.now(UTC)
        self._read_request(now)
        due = self.state.next_trial_at
        if self.is_open and due is not None and now >= due:
            self._move(breaker.half_open(self.state, now))
        return not self.is_open

    def end_trial(self) -> None:
        """Decide by what the trial saw."""
        now = datetime.now(UTC)
        self._move(breaker.after_trial(self.state, self._window, settings=self._settings, now=now))

    def begin(self) -> None:
        """A run begins: one that was left open by its own rules is tried at once."""
        if self.is_open and not self.state.held:
            self._move(breaker.half_open(self.state, datetime.now(UTC)))

    def _read_request(self, now: datetime) -> None:
        request = self._run.read(BreakerRequest)
        if request is None:
            return
        self._run.remove(BreakerRequest)
        self._move(asked(request, now))

    def _move(self, state: BreakerState) -> None:
        before, self.state = self.state.circuit, state
        self._window.clear()  # what comes is judged by itself
        self._write()
        level = "ERROR" if state.circuit is Circuit.OPEN else "INFO"
        told = f": {state.reason}" if state.reason else ""
        if state.circuit is not before:
            self._tell(level, f"circuit breaker {state.circuit}{told}")

    def _write(self) -> None:
        self._files.write(self.state)


def asked(request: BreakerRequest, now: datetime) -> BreakerState:
    """What an operator wants it to be."""
    if request.wanted == Circuit.CLOSED:
        return breaker.closed(now)
    return breaker.held_open(request.who, request.why, now)
