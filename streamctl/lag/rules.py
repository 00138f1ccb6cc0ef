"""A verdict without thresholds: numbered rules over the history of a query, worst first.

The idea is that of Burrow's evaluator (`core/internal/evaluator/caching.go`): not how large a lag
is, but how position and lag move over a window of commits. Its window is a number of commits; ours
is a number of batches, and lag at past moments comes from Kafka's index of times. Outages are no
part of the window, see `history`: the next death would be noticed as late as the last one was long.

1. A position went back: `rewound`.
2. Nothing is unread: `ok`.
3. The last activity (commit or plan) is longer ago than the whole window is long, and so is the
   arrival of something unread: `stopped`. After a silence without records the first one proves
   nothing.
4. Batches are committed and the position has not moved over the window: `stalled`.
5. The lag was never zero and grew from each look to the next since the last outage: `lagging`.
6. Otherwise `ok`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol

from streamctl.lag.history import since_outage, window
from streamctl.lag.model import State
from streamctl.lag.positions import Positions

WINDOW_BATCHES = 20
_ENOUGH_STEPS = 2
_SHORTEST_SECONDS = 10.0
"""Batches of an idle query are seldom: a window is never taken to be shorter than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What holds, by which rule.

    Attributes:
        rule: its number above; 0 when there is not enough to judge by.
    """

    state: State
    rule: int
    reason: str
    completeness: float


class Past(Protocol):
    """What Kafka's index of times tells; asked only when the other rules do not decide."""

    def lag_at(self, moment: datetime) -> int:
        """Records that were unread at a moment."""

    def unread_before(self, moment: datetime) -> bool:
        """Whether a record that is still unread had arrived by a moment."""


def judge(positions: Positions, *, lag_records: int | None, past: Past, now: datetime) -> Judgement:
    """Apply the rules in order.

    Args:
        positions: of the query.
        lag_records: at this moment; None when not known.
        past: what was unread before.
        now: the moment.
    """
    recent = since_outage(positions.steps)
    share = min(1.0, len(recent) / WINDOW_BATCHES)

    def says(state: State, rule: int, reason: str) -> Judgement:
        return Judgement(state=state, rule=rule, reason=reason, completeness=round(share, 2))

    if back := _went_back(positions):
        return says(State.REWOUND, 1, back)
    if lag_records is None:
        return says(State.UNKNOWN, 0, "an offset is not known")
    if lag_records == 0:
        return says(State.OK, 2, "nothing is unread")
    if len(positions.steps) < _ENOUGH_STEPS:
        count = len(positions.steps)
        return says(State.UNKNOWN, 0, f"{count} committed batches are too few to judge by")
    allowed, silent = _allowed(positions), _silent(positions, now)
    if silent > allowed and past.unread_before(now - allowed):
        told = f"nothing happened for {_seconds(silent)}; the window is {_seconds(allowed)}"
        return says(State.STOPPED, 3, told)
    if positions.steps[0].ends == positions.steps[-1].ends:
        told = f"{len(positions.steps)} batches were committed and the position did not move"
        return says(State.STALLED, 4, told)
    if _grew(looks := [*_looks(recent[0].committed_at, past, now), lag_records]):
        told = f"the lag grew all the time, from {looks[0]:,} to {looks[-1]:,} records"
        return says(State.LAGGING, 5, told)
    return says(State.OK, 6, "the lag does not grow")


def _went_back(positions: Positions) -> str:
    for before, after in pairwise(positions.steps):
        for topic, partitions in before.ends.items():
            for partition, offset in partitions.items():
                later = after.ends.get(topic, {}).get(partition, offset)
                if later < offset:
                    return (
                        f"batch {after.batch_id} ends at {later} of {topic} partition {partition},"
                        f" batch {before.batch_id} at {offset}"
                    )
    return ""


def _allowed(positions: Positions) -> timedelta:
    return max(window(positions.steps), timedelta(seconds=_SHORTEST_SECONDS))


def _silent(positions: Positions, now: datetime) -> timedelta:
    """Since the last commit or plan: a long batch is no silence before it has run that long."""
    last = positions.steps[-1].committed_at
    if positions.planned_at is not None:
        last = max(last, positions.planned_at)
    return now - last


def _looks(first: datetime, past: Past, now: datetime) -> list[int]:
    """The lag at the beginning and in the middle."""
    return [past.lag_at(moment) for moment in (first, first + (now - first) / 2)]


def _grew(lags: Sequence[int]) -> bool:
    return all(lags) and all(after > before for before, after in pairwise(lags))


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():,.0f} s"
