"""Which batch has read a record, and whether a record of its was late. Pure.

A window takes no more records when its end is not after the watermark planned for the batch before
(Spark `IncrementalExecution`, `WatermarkSupport`).
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from streamctl.audit.figures import Place
from streamctl.checkpoint.formats.model import KafkaOffsets


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One entry of the offset log: next offsets to read, and the watermark."""

    ends: KafkaOffsets
    watermark_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One batch: which offsets it read, and the watermark by which it told what was late.

    Attributes:
        watermark_ms: None when it is no longer known.
    """

    starts: KafkaOffsets
    ends: KafkaOffsets
    watermark_ms: int | None

    def has_closed(self, start_ms: int, *, window_ms: int) -> bool | None:
        """Whether the window that begins then was closed; None when that is no longer known."""
        if self.watermark_ms is None:
            return None
        return start_ms + window_ms <= self.watermark_ms


def in_order(planned: Mapping[int, Planned], *, starts: KafkaOffsets) -> list[Read]:
    """Each batch from the end of the one before.

    Args:
        planned: by batch id; without the one before, a batch's watermark is not known.
        starts: where the first one begins.
    """
    batches: list[Read] = []
    for batch_id in sorted(planned):
        before = planned.get(batch_id - 1)
        known = before.watermark_ms if before else None
        ends = planned[batch_id].ends
        batches.append(Read(starts=starts, ends=ends, watermark_ms=known if batch_id else 0))
        starts = ends
    return batches


class Reads:
    """Finds the batch that has read a record."""

    def __init__(self, batches: list[Read]) -> None:
        self._batches = batches
        self._ends: dict[tuple[str, int], list[int]] = {}
        for batch in batches:
            for topic, partitions in batch.ends.items():
                for partition in partitions:
                    self._ends.setdefault((topic, partition), [])
        for place, ends in self._ends.items():
            for batch in batches:
                before = ends[-1] if ends else 0
                ends.append(batch.ends.get(place[0], {}).get(place[1], before))

    def of(self, place: Place) -> Read | None:
        """The batch; None when none has read the record."""
        topic, partition, offset = place
        if not self._batches or offset < self._batches[0].starts.get(topic, {}).get(partition, 0):
            return None
        ends = self._ends.get((topic, partition), [])
        number = bisect_right(ends, offset)
        return self._batches[number] if number < len(ends) else None
