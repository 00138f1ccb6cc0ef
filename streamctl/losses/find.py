"""What a batch passed over, from its offsets and where the log begins. Pure.

With `failOnDataLoss=false` Spark reads from the beginning of what is left and says so in its log,
in words, per task, and often twice. The offsets say it exactly: a batch has read `[start, end)` of
a partition, so what lies before the log start in there was not read, unless it was deleted between
the reading and the look. The batch's own count of rows settles that: where it is as large as the
range, all was read.

A topic that was made anew under the job keeps the name and begins at 0. Spark goes on at the old
position, or moves back to the new end, and reads nothing before it (`KafkaOffsetReaderAdmin`,
"offset was changed from"). What was unread of the old topic cannot be counted any more.

A partition that was added later is read from 0 (`getOffsetRangesFromResolvedOffsets`).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from streamctl.rundir.losses import LossCause

Offsets = Mapping[str, Mapping[int, int]]
"""Topic -> partition -> offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A committed batch.

    Attributes:
        starts, ends: what it was to read, in each partition: the end is not included.
        rows: records that it has read; None when that was not told.
        planned_at: by the offset log.
        previous_at: when the batch before was planned; None for the first.
    """

    batch_id: int
    starts: Offsets
    ends: Offsets
    rows: int | None
    planned_at: datetime
    previous_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A range of one partition that a batch did not read.

    Attributes:
        start, end: offsets; the end is not included.
        records: how many at most; None when it cannot be known.
        exact: whether it is just so many.
    """

    topic: str
    partition: int
    start: int
    end: int
    records: int | None
    exact: bool
    cause: LossCause


def skipped_by(
    batch: Batch, log_starts: Offsets, *, anew: AbstractSet[str] = frozenset()
) -> list[Skipped]:
    """Find what a batch passed over.

    Args:
        batch: committed.
        log_starts: as they are now, after the batch.
        anew: topics that were made anew since the batch before.
    """
    found = [
        skipped
        for topic, ends in batch.ends.items()
        for partition, end in ends.items()
        if (
            skipped := _skipped(
                topic,
                partition,
                start=batch.starts.get(topic, {}).get(partition, 0),
                end=end,
                log_start=log_starts.get(topic, {}).get(partition),
                anew=topic in anew,
            )
        )
    ]
    return _settled(found, _missing(batch))


def _skipped(
    topic: str, partition: int, *, start: int, end: int, log_start: int | None, anew: bool
) -> Skipped | None:
    """One partition; where the log begins at or before the range, all of it was there."""
    if anew or end < start:
        low, high = log_start or 0, min(start, end)
        return Skipped(
            topic=topic,
            partition=partition,
            start=min(low, high),
            end=high,
            records=None,
            exact=False,
            cause=LossCause.MADE_ANEW,
        )
    if log_start is None or log_start <= start or start == end:
        return None
    high = min(end, log_start)
    return Skipped(
        topic=topic,
        partition=partition,
        start=start,
        end=high,
        records=high - start,
        exact=False,
        cause=LossCause.DELETED,
    )


def _missing(batch: Batch) -> int | None:
    """Offsets of the batch's range that gave no row; None when that cannot be said."""
    if batch.rows is None:
        return None
    planned = sum(
        max(0, end - batch.starts.get(topic, {}).get(partition, 0))
        for topic, ends in batch.ends.items()
        for partition, end in ends.items()
    )
    return planned - batch.rows if planned >= batch.rows else None  # a source may be read twice


def _settled(found: list[Skipped], missing: int | None) -> list[Skipped]:
    """Hold what was deleted against the rows that are missing."""
    deleted = [one for one in found if one.cause is LossCause.DELETED]
    others = [one for one in found if one.cause is not LossCause.DELETED]
    if missing == 0:
        return others
    is_exact = missing is not None and missing >= sum(one.records or 0 for one in deleted)
    if not is_exact and missing is not None:
        deleted = [replace(one, records=min(one.records or 0, missing)) for one in deleted]
    return [*others, *(replace(one, exact=is_exact) for one in deleted)]
