"""The planned batch of a query that is down: which records it reads when it is run again."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound
from streamctl.poison.search import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A range of one partition: the end is not included."""

    topic: str
    partition: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBatch:
    """A batch that was planned and not committed: the next start runs it, with these ranges.

    Attributes:
        parts: in the order by which records are numbered; an offset is a record, though it may be
            empty.
    """

    query: str
    checkpoint: Checkpoint
    batch_id: int
    parts: tuple[Part, ...]

    @property
    def records(self) -> int:
        """Offsets in it."""
        return sum(part.end - part.start for part in self.parts)

    def place(self, number: int) -> Part:
        """The one record of a number."""
        (found,) = self.within([(number, number + 1)])
        return found

    def within(self, spans: Iterable[Span]) -> list[Part]:
        """The ranges of some records."""
        begins = [0, *accumulate(part.end - part.start for part in self.parts)]
        found = []
        for start, end in spans:
            number = max(0, bisect_right(begins, start) - 1)
            while number < len(self.parts) and begins[number] < end:
                part, begin = self.parts[number], begins[number]
                low = part.start + max(0, start - begin)
                high = min(part.end, part.start + end - begin)
                if low < high:
                    found.append(_part(part, low, high))
                number += 1
        return found


def _part(of: Part, start: int, end: int) -> Part:
    return Part(topic=of.topic, partition=of.partition, start=start, end=end)


def planned_batches(store: Store, generation: Generation) -> list[PlannedBatch]:
    """Of each query of a generation that has one.

    Raises:
        Malformed, Unsupported, StreamctlError: a checkpoint cannot be read.
    """
    found = []
    for query in generations.queries(store, generation.name):
        path = f"{store.url.rstrip('/')}/{generation.name}/{query}"
        try:
            checkpoint = Checkpoint.open(path)
        except CheckpointNotFound:
            continue  # made, and ended before its first file
        batch = _planned(query, checkpoint)
        if batch is not None:
            found.append(batch)
    return found


def _planned(query: str, checkpoint: Checkpoint) -> PlannedBatch | None:
    ids = checkpoint.log_ids()
    if not ids.planned or ids.planned[-1] in ids.committed:
        return None
    batch_id = ids.planned[-1]
    before = checkpoint.offsets(batch_id - 1) if batch_id - 1 in ids.planned else None
    return PlannedBatch(
        query=query,
        checkpoint=checkpoint,
        batch_id=batch_id,
        parts=tuple(_parts(checkpoint, before, checkpoint.offsets(batch_id))),
    )


def _parts(
    checkpoint: Checkpoint, before: OffsetsEntry | None, entry: OffsetsEntry
) -> Sequence[Part]:
    """All Kafka sources together: one that reads a partition twice is numbered once.

    A partition that was added later is read from 0 (`getOffsetRangesFromResolvedOffsets`).
    """
    starts: dict[tuple[str, int], int] = {}
    ends: dict[tuple[str, int], int] = {}
    begins = _by_source(before) if before else {}
    for source_id, offsets in _by_source(entry).items():
        begin = begins.get(source_id, {}) if before else _initial(checkpoint, source_id)
        for topic, partitions in offsets.items():
            for partition, end in partitions.items():
                place = (topic, partition)
                start = begin.get(topic, {}).get(partition, 0)
                starts[place] = min(start, starts.get(place, start))
                ends[place] = max(end, ends.get(place, end))
    return [
        Part(topic=topic, partition=partition, start=start, end=ends[topic, partition])
        for (topic, partition), start in sorted(starts.items())
        if start < ends[topic, partition]
    ]


def _by_source(entry: OffsetsEntry) -> dict[str, KafkaOffsets]:
    """Offsets of each source that is Kafka."""
    found = {source.source_id: log.source_position(source).kafka for source in entry.sources}
    return {source_id: offsets for source_id, offsets in found.items() if offsets is not None}


def _initial(checkpoint: Checkpoint, source_id: str) -> KafkaOffsets:
    """Where a source began, as it wrote it down before its first batch."""
    name = f"{layout.SOURCES}/{source_id}/0"
    return log.parse_kafka_initial(checkpoint.files.read(name), name=name)
