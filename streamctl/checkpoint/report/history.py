"""The last batches of a query: when, how far, how long. Read from the logs alone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import OffsetsEntry
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
        advanced: one per topic; None for the oldest batch kept, whose start is not known.
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
    before = _read(checkpoint, first[0])[0] if first else None
    at_before = _time(commits.get(str(first[0]))) if first else None
    rows = []
    for batch in shown:
        entry, problem = _read(checkpoint, batch)
        done = commits.get(str(batch))
        at = _time(done)
        rows.append(
            BatchRow(
                batch_id=batch,
                planned_at=_moment(entry.timestamp_ms) if entry else None,
                committed_at=at,
                committed=done is not None,
                duration_seconds=_span(_moment(entry.timestamp_ms) if entry else None, at),
                since_previous_seconds=_span(at_before, at),
                watermark=_moment(entry.watermark_ms) if entry else None,
                advanced=_advanced(before, entry, batch),
                problem=problem,
            )
        )
        before, at_before = entry, at or at_before
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


def _read(checkpoint: Checkpoint, batch: int) -> tuple[OffsetsEntry | None, str]:
    try:
        return checkpoint.offsets(batch), ""
    except (Malformed, Unsupported) as error:
        return None, error.message


def _advanced(
    before: OffsetsEntry | None, entry: OffsetsEntry | None, batch: int
) -> tuple[Advance, ...] | None:
    if entry is None or (before is None and batch > 0):
        return None
    start, end = log.readable_kafka_ends(before), log.readable_kafka_ends(entry)
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


def _moment(ms: int) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms) if ms else None
    except OverflowError:
        return None


def _span(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round((end - start).total_seconds(), 3)
