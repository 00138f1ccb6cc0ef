"""The last batches of a query: when, how far, how long. Read from the logs alone."""

from dataclasses import dataclass
from datetime import UTC, datetime

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry
from streamctl.checkpoint.tree.reader import Checkpoint, again
from streamctl.errors import Malformed, Unsupported
from streamctl.reports import Verdict

DEFAULT_BATCHES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """How far a batch moved in one topic.

    Attributes:
        records: end minus start over the partitions that were there before; under transactions
            and compaction these are offsets, not records.
        new_partitions: partitions that the batch before did not have.
    """

    topic: str
    records: int
    new_partitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """One batch.

    Attributes:
        planned_at: from the offset log.
        committed_at: when the commit was written; None when it has none, or the store keeps no
            times.
        committed: it has a commit.
        duration_seconds: from planned to committed.
        since_previous_seconds: from the commit before to this one.
        watermark: None before the first.
        advanced: one per topic; None when the start is not known, as of the oldest batch kept.
        problem: why the entry cannot be read; empty otherwise.
    """

    batch_id: int
    planned_at: datetime | None
    committed_at: datetime | None
    committed: bool
    duration_seconds: float | None
    since_previous_seconds: float | None
    watermark: datetime | None
    advanced: tuple[Advance, ...] | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReport:
    """The last batches, newest last.

    Attributes:
        verdict: unknown when an entry cannot be read.
    """

    verdict: Verdict
    location: str
    batches: tuple[BatchRow, ...]


def history(checkpoint: Checkpoint, *, batches: int = DEFAULT_BATCHES) -> HistoryReport:
    """Read the last batches: two listings and one read a batch.

    Raises:
        StreamctlError: storage fails, or files kept vanishing.
    """
    return again(lambda: _history(checkpoint, batches))


def _history(checkpoint: Checkpoint, count: int) -> HistoryReport:
    commits = _listed(checkpoint, layout.COMMITS)
    planned = layout.batch_ids(_listed(checkpoint, layout.OFFSETS))
    shown = planned[-count:]
    first = planned[-count - 1 : -count] if len(planned) > count else []
    before = _read(checkpoint, first[0])[1] if first else None
    at_before = _time(commits.get(str(first[0]))) if first else None
    rows = []
    for batch in shown:
        entry, ends, problem = _read(checkpoint, batch)
        done = commits.get(str(batch))
        at = _time(done)
        start = before if batch else _initial(checkpoint, entry)
        rows.append(
            BatchRow(
                batch_id=batch,
                planned_at=entry.planned_at if entry else None,
                committed_at=at,
                committed=done is not None,
                duration_seconds=_span(entry.planned_at if entry else None, at),
                since_previous_seconds=_span(at_before, at),
                watermark=entry.watermark if entry else None,
                advanced=None if start is None or ends is None else _advanced(start, ends),
                problem=problem,
            )
        )
        before, at_before = ends, at or at_before
    unread = any(row.problem for row in rows)
    return HistoryReport(
        verdict=Verdict.UNKNOWN if unread else Verdict.OK,
        location=checkpoint.location,
        batches=tuple(rows),
    )


def _listed(checkpoint: Checkpoint, folder: str) -> dict[str, Entry]:
    try:
        return {entry.name: entry for entry in checkpoint.files.entries(folder)}
    except FileNotFoundError:
        return {}


def _read(
    checkpoint: Checkpoint, batch: int
) -> tuple[OffsetsEntry | None, KafkaOffsets | None, str]:
    """An entry, where its Kafka partitions end, and why either cannot be read."""
    entry = None
    try:
        entry = checkpoint.offsets(batch)
        return entry, log.kafka_ends(entry), ""
    except (Malformed, Unsupported) as error:
        return entry, None, error.message


def _initial(checkpoint: Checkpoint, entry: OffsetsEntry | None) -> KafkaOffsets | None:
    """Where batch 0 begins; None when a source does not say."""
    try:
        kafka = [
            source.source_id
            for source in (entry.sources if entry else ())
            if log.source_position(source).kafka is not None
        ]
        found = [checkpoint.initial_offsets(source_id) for source_id in kafka]
    except (Malformed, Unsupported):
        return None
    return None if None in found else log.lowest(found)


def _advanced(start: KafkaOffsets, end: KafkaOffsets) -> tuple[Advance, ...]:
    return tuple(
        Advance(
            topic=topic,
            records=sum(
                offset - start[topic][partition]
                for partition, offset in partitions.items()
                if partition in start.get(topic, {})
            ),
            new_partitions=sum(p not in start.get(topic, {}) for p in partitions),
        )
        for topic, partitions in sorted(end.items())
    )


def _time(entry: Entry | None) -> datetime | None:
    if entry is None or entry.modified_seconds is None:
        return None
    return datetime.fromtimestamp(entry.modified_seconds, UTC)


def _span(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round((end - start).total_seconds(), 3)
