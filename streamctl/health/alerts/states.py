"""When an alert opens, is told again, and closes. Pure: time is an argument.

A value is averaged, then held against its threshold. It opens an alert when it is past it, and
closes it only when it has been back by the hysteresis for the settling time without a break: so
an input that flaps gives one pair of notices in that time at most. What is not known changes
nothing. Who was told of an opening is told of its close, whatever is silenced by then.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from streamctl.health.alerts.rules import Rule
from streamctl.settings.model import AlertSettings, Settings


class Told(StrEnum):
    """Kinds of notices."""

    OPEN = "open"
    REMINDER = "reminder"
    CLOSE = "close"
    HEARTBEAT = "heartbeat"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """One alert.

    Attributes:
        threshold: beyond it the alert opens.
        closes_at: once it is back here the alert closes: the threshold, less the hysteresis.
        unit: of value and threshold, as in the metric's name; empty for a plain number.
        value: averaged; None when not known.
        where: the series that is worst.
        open_since: None while closed.
        told_at: when the last notice of this opening was given; None for never.
        good_since: since when it has been good enough to close.
        closed_at: when it last closed.
        silenced_until: None when not silenced.
    """

    name: str
    title: str
    threshold: float
    below: bool
    closes_at: float = 0.0
    unit: str = ""
    value: float | None = None
    where: str = ""
    open_since: datetime | None = None
    told_at: datetime | None = None
    good_since: datetime | None = None
    closed_at: datetime | None = None
    silenced_until: datetime | None = None


@dataclass(slots=True)
class Average:
    """Mean of a value over a time."""

    seconds: float
    values: deque[tuple[datetime, float]] = field(default_factory=deque)

    def add(self, value: float | None, now: datetime) -> float | None:
        """Take in a value; the mean of those that are not too old, None without any."""
        if value is not None:
            self.values.append((now, value))
        while self.values and (now - self.values[0][0]).total_seconds() > self.seconds:
            self.values.popleft()
        if not self.values:
            return None
        return sum(known for _, known in self.values) / len(self.values)


def step(
    state: AlertState,
    *,
    value: float | None,
    where: str,
    settings: AlertSettings,
    silenced_until: datetime | None,
    now: datetime,
) -> tuple[AlertState, Told | None]:
    """One look: the new state, and what to tell.

    Args:
        state: before.
        value: averaged; None when not known.
        where: the series that is worst.
        settings: times.
        silenced_until: end of a silence that holds now; None without one.
        now: the moment.
    """
    state = replace(state, silenced_until=silenced_until)
    if value is None:
        return replace(state, value=None), None
    state = replace(state, value=value, where=where)
    if state.open_since is None:
        if not _past(state, value, state.threshold):
            return state, None
        state = replace(state, open_since=now, told_at=None, good_since=None)
        return _tell(state, Told.OPEN, now)
    if not _past(state, value, state.closes_at):
        good_since = state.good_since or now
        if (now - good_since).total_seconds() >= settings.settle_seconds:
            told = Told.CLOSE if state.told_at else None
            closed = replace(state, open_since=None, told_at=None, good_since=None, closed_at=now)
            return closed, told
        return replace(state, good_since=good_since), None
    state = replace(state, good_since=None)
    if state.told_at is None:
        return _tell(state, Told.OPEN, now)
    if now - state.told_at >= timedelta(seconds=settings.reminder_seconds):
        return _tell(state, Told.REMINDER, now)
    return state, None


def _tell(state: AlertState, told: Told, now: datetime) -> tuple[AlertState, Told | None]:
    if state.silenced_until:
        return state, None
    return replace(state, told_at=now), told


def _past(state: AlertState, value: float, threshold: float) -> bool:
    return value < threshold if state.below else value > threshold


def fresh(rule: Rule, settings: Settings) -> AlertState:
    """An alert that was never looked at."""
    threshold = rule.threshold(settings)
    return AlertState(
        name=rule.name,
        title=rule.title,
        threshold=threshold,
        closes_at=rule.closes_at(threshold, settings),
        below=rule.below,
        unit=rule.definition.unit,
    )
