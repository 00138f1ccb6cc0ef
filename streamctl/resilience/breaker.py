"""The circuit breaker: closed, open, half-open. Pure: time is an argument.

It opens when the share of rejected records over a window, or the number of failed batches in it,
is above its threshold. After the cool-down one small trial decides between closed and open with a
longer cool-down. The pattern is Nygard's (Release It!); unlike its usual form, which guards a call,
this one stops a consumer, whose input waits in Kafka meanwhile.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # pydantic is not for `status`, which reads the state
    from streamctl.settings.model import BreakerSettings


class Circuit(StrEnum):
    """States, in the words of the pattern."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """Where it stands.

    Attributes:
        since: when it came to this.
        reason: why it opened; empty while closed.
        opened: how often in a row, trials that failed included.
        next_trial_at: when the cool-down ends; None while not open, or when an operator holds it
            open.
        held: whether an operator opened it; then only one closes it.
    """

    circuit: Circuit
    since: datetime
    reason: str = ""
    opened: int = 0
    next_trial_at: datetime | None = None
    held: bool = False


class Counted(NamedTuple):
    """Records of one batch."""

    at: datetime
    records: int
    rejected: int


@dataclass(slots=True)
class Window:
    """What happened lately.

    Args:
        settings: length of the window, thresholds.
    """

    settings: "BreakerSettings"
    batches: dict[str, deque[Counted]] = field(default_factory=dict)
    failures: deque[datetime] = field(default_factory=deque)

    def batch(self, query: str, *, records: int, rejected: int, at: datetime) -> None:
        """A query finished a batch."""
        kept = self.batches.setdefault(query, deque())
        kept.append(Counted(at, records, rejected))

    def failed(self, at: datetime) -> None:
        """A batch failed."""
        self.failures.append(at)

    def clear(self) -> None:
        """Forget all: what comes is another trial."""
        self.batches.clear()
        self.failures.clear()

    def records(self) -> int:
        """Of the query that has seen most."""
        return max((_sums(kept)[0] for kept in self.batches.values()), default=0)

    def trouble(self, now: datetime) -> str:
        """Why the breaker should open, in one phrase; empty when it should not."""
        settings = self.settings
        oldest = now - timedelta(seconds=settings.window_seconds)
        while self.failures and self.failures[0] < oldest:
            self.failures.popleft()
        if settings.failed_batches and len(self.failures) >= settings.failed_batches:
            return f"{len(self.failures)} batches failed in {settings.window_seconds:.0f} s"
        for query, kept in self.batches.items():
            while kept and kept[0].at < oldest:
                kept.popleft()
            if told := self.rejected_too_many(query):
                return told
        return ""

    def rejected_too_many(self, query: str, *, at_least: int | None = None) -> str:
        """Whether a query's rejected records are above the threshold, in one phrase.

        Args:
            query: which.
            at_least: records that are enough to judge by; default: as set.
        """
        least = self.settings.minimum_records if at_least is None else at_least
        records, rejected = _sums(self.batches.get(query, deque()))
        if records < max(1, least) or rejected <= self.settings.threshold * records:
            return ""
        return f"{rejected / records:.0%} of {records:,} records of {query} were rejected"


def _sums(kept: deque[Counted]) -> tuple[int, int]:
    return sum(batch.records for batch in kept), sum(batch.rejected for batch in kept)


def closed(now: datetime) -> BreakerState:
    """The state of one that has nothing to blame."""
    return BreakerState(circuit=Circuit.CLOSED, since=now)


def opened(
    before: BreakerState, reason: str, *, settings: "BreakerSettings", now: datetime
) -> BreakerState:
    """Open, or open again with a longer cool-down."""
    times = before.opened
    wait = settings.cool_down_seconds * settings.cool_down_factor**times
    wait = min(wait, settings.max_cool_down_seconds)
    return BreakerState(
        circuit=Circuit.OPEN,
        since=now,
        reason=reason,
        opened=times + 1,
        next_trial_at=now + timedelta(seconds=wait),
    )


def held_open(who: str, why: str, now: datetime) -> BreakerState:
    """Opened by an operator: no trial closes it."""
    told = f"opened by {who}" + (f": {why}" if why else "")
    return BreakerState(circuit=Circuit.OPEN, since=now, reason=told, opened=1, held=True)


def half_open(before: BreakerState, now: datetime) -> BreakerState:
    """A trial is made."""
    return replace(before, circuit=Circuit.HALF_OPEN, since=now, next_trial_at=None)


def after_trial(
    before: BreakerState, window: Window, *, settings: "BreakerSettings", now: datetime
) -> BreakerState:
    """Decide by what a trial saw.

    A trial without records proves nothing: it is made again, and counts for no failure.
    """
    if window.failures:
        return opened(before, "the trial batch failed", settings=settings, now=now)
    if window.records() == 0:
        again = replace(before, opened=max(0, before.opened - 1))
        return opened(again, before.reason, settings=settings, now=now)
    for query in window.batches:
        if told := window.rejected_too_many(query, at_least=1):
            return opened(before, f"in the trial {told}", settings=settings, now=now)
    return closed(now)
