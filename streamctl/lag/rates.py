"""How fast records come, how fast they are processed, and when the lag is gone. Pure."""

from collections.abc import Sequence
from itertools import pairwise

from streamctl.checkpoint.formats.model import KafkaOffsets
from streamctl.lag.history import since_outage
from streamctl.lag.model import Rates
from streamctl.lag.positions import Positions, Step

_LEAST_INTERVALS = 4
"""For quartiles; below, the spread is that of all."""


def rates(
    positions: Positions, *, arriving: float | None, lag_records: int | None, moves: bool
) -> Rates:
    """Work out what the history since the last outage and the arrival rate say.

    Args:
        positions: of the query.
        arriving: records a second; None when not known.
        lag_records: unread now; None when not known.
        moves: whether the query goes on; one that is stopped or stalled processes nothing.
    """
    if not moves:
        return Rates(arriving=arriving, processing=0.0)
    steps = since_outage(positions.steps)
    paces = [_pace(a, b) for a, b in pairwise(steps)]
    if not paces:
        return Rates(arriving=arriving)
    processing = _mean(steps)
    if lag_records == 0:
        return Rates(
            arriving=arriving, processing=round(processing, 3), eta_seconds=0.0,
            eta_low_seconds=0.0, eta_high_seconds=0.0,
        )  # fmt: skip
    slow, fast = _quarters(paces)
    return Rates(
        arriving=arriving,
        processing=round(processing, 3),
        eta_seconds=_eta(lag_records, processing, arriving),
        eta_low_seconds=_eta(lag_records, max(fast, processing), arriving),
        eta_high_seconds=_eta(lag_records, min(slow, processing), arriving),
    )


def advanced(before: KafkaOffsets, after: KafkaOffsets) -> int:
    """Records between two positions, over the partitions that both have."""
    return sum(
        max(0, offset - before[topic][partition])
        for topic, partitions in after.items()
        for partition, offset in partitions.items()
        if partition in before.get(topic, {})
    )


def _pace(before: Step, after: Step) -> float:
    spent = (after.committed_at - before.committed_at).total_seconds()
    return advanced(before.ends, after.ends) / spent if spent > 0 else 0.0


def _mean(steps: Sequence[Step]) -> float:
    spent = (steps[-1].committed_at - steps[0].committed_at).total_seconds()
    return advanced(steps[0].ends, steps[-1].ends) / spent if spent > 0 else 0.0


def _quarters(paces: Sequence[float]) -> tuple[float, float]:
    if len(paces) < _LEAST_INTERVALS:
        return min(paces), max(paces)
    import statistics

    low, _, high = statistics.quantiles(paces, n=4)
    return max(0.0, low), high


def _eta(lag_records: int | None, processing: float, arriving: float | None) -> float | None:
    if lag_records is None or arriving is None or processing <= arriving:
        return None
    return round(lag_records / (processing - arriving), 1)
