"""How much of the history of batches tells how the query works now. Pure.

An outage says nothing of a query's pace, and yet stands among its batches until they are so many
that the history has passed it. It is not written down anywhere: a driver that was killed leaves a
planned batch, which the next one commits, hours later, under its old time. What tells is the time
from commit to commit. One is an outage that is ten times as long as each of the three before and
after it, and longer than five minutes, when a batch came after it.

Against its neighbours, because what recurs is how the query works: a trigger of ten minutes, a run
now and then of a few batches, the batch without data that follows each one with. Ten times, because
batches that catch up are several times as long as others. A batch after it, because a pause that
was the last thing to happen may be the first of many. Five minutes, because a shorter pause among
short batches has left the history soon.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from streamctl.lag.positions import Step

_TIMES = 10
_NEIGHBOURS = 3
_LEAST_NEIGHBOURS = 3
_LEAST = timedelta(minutes=5)


def outages(steps: Sequence[Step]) -> list[int]:
    """Index of the first batch after each outage."""
    spans = _spans(steps)
    return [at + 1 for at in range(len(spans)) if _is_outage(spans, at)]


def since_outage(steps: Sequence[Step]) -> Sequence[Step]:
    """The batches from the first one after the last outage on; all without one."""
    return steps[max(outages(steps), default=0) :]


def window(steps: Sequence[Step]) -> timedelta:
    """How long so many batches take, two at least: by the mean of all times but outages.

    The time of a plan is not asked: the first batch may be one that was planned before an outage.
    """
    spans = _spans(steps)
    regular = [span for at, span in enumerate(spans) if not _is_outage(spans, at)]
    return sum(regular, timedelta()) / len(regular) * len(steps)


def _spans(steps: Sequence[Step]) -> list[timedelta]:
    return [after.committed_at - before.committed_at for before, after in pairwise(steps)]


def _is_outage(spans: Sequence[timedelta], at: int) -> bool:
    before = spans[max(0, at - _NEIGHBOURS) : at]
    after = spans[at + 1 : at + 1 + _NEIGHBOURS]
    around = [*before, *after]
    if not after or len(around) < _LEAST_NEIGHBOURS:
        return False
    return spans[at] > max(_LEAST, _TIMES * max(around))
