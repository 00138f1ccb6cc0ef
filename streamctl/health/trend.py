"""What the status page draws: the last batches, and how lag and size moved."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from streamctl.observe.batches import Batch, Batches
from streamctl.observe.model import Sample

_KEEP_POINTS = 1440
_PHASES = ("latestOffset", "getBatch", "queryPlanning", "walCommit", "addBatch", "commitOffsets")
"""Spark's phases of a micro-batch, in the order in which they happen (`MicroBatchExecution`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The job at one moment; None where it was not known.

    Attributes:
        lag_records: query -> records.
    """

    at: datetime
    lag_records: dict[str, int | None]
    time_lag_seconds: float | None
    checkpoint_bytes: int | None


@dataclass(slots=True)
class Trend:
    """Remembers points, the newest 1,440: two hours at five seconds."""

    points: deque[Point] = field(default_factory=lambda: deque(maxlen=_KEEP_POINTS))

    def add(self, sample: Sample) -> None:
        """Take in a sample."""
        point = Point(
            at=sample.at,
            lag_records={q.name: q.lag.lag_records if q.lag else None for q in sample.queries},
            time_lag_seconds=sample.lag.time_lag_seconds if sample.lag else None,
            checkpoint_bytes=sample.checkpoint_bytes,
        )
        self.points.append(point)


def drawn_batches(batches: Batches) -> dict[str, list[dict[str, Any]]]:
    """Query -> its last batches, oldest first. The batches may be read on meanwhile."""
    return {
        name: [_drawn(batch) for batch in list(story.batches)]
        for name, story in list(batches.stories.items())
    }


def _drawn(batch: Batch) -> dict[str, Any]:
    phases = {name: batch.phases_seconds.get(name, 0.0) for name in _PHASES}
    return {
        "at": batch.at,
        "batch_id": batch.batch_id,
        "seconds": batch.seconds,
        "phases_seconds": phases,
        "input_rows": batch.input_rows,
        "input_per_second": batch.input_rows / batch.seconds if batch.seconds else None,
        "dead_letters": batch.dead_letters,
        "rejected": batch.rejected,
        "late_rows": batch.late_rows,
    }
