"""What a checkpoint's logs say, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

KafkaOffsets = dict[str, dict[int, int]]
"""Topic, partition, next offset to read (the exclusive end of a range)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOffset:
    """Where one source's range ends.

    Attributes:
        source_id: the place in the plan ("0", "1"), or the source's name under source evolution.
        text: the offset's JSON exactly as Spark wrote it; None when the source had no offset.
    """

    source_id: str
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetsEntry:
    """One planned batch: `offsets/<N>`.

    Attributes:
        version: 1, or 2 (Spark 4.2: sources are named).
        watermark_ms: event-time watermark that the batch works with, in ms since 1970; 0: none.
        timestamp_ms: when the batch was planned, in ms since 1970.
        conf: settings pinned for the life of the checkpoint; they win over the session's.
        extra: other members of the metadata, kept as they are.
        has_metadata: false only in files of Spark 2.0, whose metadata line is empty.
        sources: in plan order.
    """

    version: int = 1
    watermark_ms: int = 0
    timestamp_ms: int = 0
    conf: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    has_metadata: bool = True
    sources: tuple[SourceOffset, ...] = ()

    @property
    def planned_at(self) -> datetime | None:
        """When the batch was planned, in UTC; None when the entry does not say."""
        return _moment(self.timestamp_ms)

    @property
    def watermark(self) -> datetime | None:
        """The watermark as a time in UTC; None before the first."""
        return _moment(self.watermark_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitEntry:
    """One finished batch: `commits/<N>`.

    Attributes:
        version: 1; 2 with `checkpointFormatVersion` 2; 3 with sink evolution.
        next_watermark_ms: the watermark of the next batch, in ms since 1970.
        state_unique_ids: operator, then per partition, then per store: the unique ids of the state
            files of this commit; None when the entry has none.
        extra: other members, kept as they are.
    """

    version: int = 1
    next_watermark_ms: int = 0
    state_unique_ids: Mapping[int, tuple[tuple[str, ...], ...]] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePosition:
    """How far one source was read.

    Attributes:
        source_id: as in `SourceOffset`.
        kafka: next offset to read by topic and partition; None for a source that is not Kafka.
        opaque: the parsed JSON of a source that is not Kafka; None when there is none.
    """

    source_id: str
    kafka: KafkaOffsets | None
    opaque: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a query stands.

    Attributes:
        planned_batch_id: the newest entry of the offset log; None before the first batch.
        committed_batch_id: the newest entry of the commit log; None before the first commit.
        committed: end of the last committed batch, per source; empty before the first commit, and
            when the offset log no longer has that batch.
        planned: end of the last planned batch, per source.
        watermark_ms: of the last planned batch, in ms since 1970; None when there is none.
        planned_at_ms: when the last batch was planned, in ms since 1970.
        batch_in_flight: the last planned batch has no commit: it runs now, or will run again with
            the same offsets at the next start.
    """

    planned_batch_id: int | None
    committed_batch_id: int | None
    committed: tuple[SourcePosition, ...]
    planned: tuple[SourcePosition, ...]
    watermark_ms: int | None
    planned_at_ms: int | None
    batch_in_flight: bool


def _moment(ms: int) -> datetime | None:
    """A time of the log; None for 0, which means none yet, and for times beyond the calendar."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms) if ms else None
    except OverflowError:
        return None
