"""What each source reads in one batch: from where, up to where."""

from typing import Any

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry, SourcePosition
from streamctl.checkpoint.report.model import PartitionRange, SourceReport
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import Malformed, Unsupported


def read_sources(
    checkpoint: Checkpoint,
    batch_id: int | None,
    *,
    entry: OffsetsEntry | None,
    before: OffsetsEntry | None,
    unknown: list[str],
) -> tuple[SourceReport, ...]:
    """The sources of a batch.

    A batch begins where the one before ended. The first has none before: a Kafka source writes
    down where it begins (`KafkaSourceInitialOffsetWriter`).

    Args:
        checkpoint: asked for the first offsets only.
        batch_id: of the entry.
        entry: of the batch; None when it cannot be read.
        before: of the batch before; None for batch 0, or when it cannot be read.
        unknown: takes what could not be read, one line each.
    """
    name = f"{layout.OFFSETS}/{batch_id}"
    try:
        ends = [log.source_position(s, name=name) for s in (entry.sources if entry else ())]
        starts = {
            s.source_id: log.source_position(s).kafka for s in (before.sources if before else ())
        }
    except Malformed as error:
        unknown.append(error.message)
        return ()
    found = []
    for position in ends:
        start = starts.get(position.source_id)
        if batch_id == 0 and position.kafka is not None:
            start = _first_offsets(checkpoint, position.source_id, unknown)
        found.append(_source(position, start or {}))
    return tuple(found)


def _first_offsets(
    checkpoint: Checkpoint, source_id: str, unknown: list[str]
) -> KafkaOffsets | None:
    try:
        return checkpoint.initial_offsets(source_id)
    except (Malformed, Unsupported) as error:
        unknown.append(error.message)
        return None


def _source(position: SourcePosition, start: KafkaOffsets) -> SourceReport:
    ranges = tuple(
        PartitionRange(
            topic=topic,
            partition=partition,
            start_offset=start.get(topic, {}).get(partition),
            end_offset=end,
        )
        for topic, partitions in sorted((position.kafka or {}).items())
        for partition, end in sorted(partitions.items())
    )
    known = [r.end_offset - r.start_offset for r in ranges if r.start_offset is not None]
    return SourceReport(
        source_id=position.source_id,
        kind=_kind(position.kafka is not None, position.opaque),
        partitions=ranges,
        records=sum(known) if position.kafka is not None and known else None,
        offset=position.opaque,
    )


def _kind(kafka: bool, opaque: Any) -> str:
    if kafka:
        return "kafka"
    if opaque is None:
        return "none"
    return "file" if isinstance(opaque, dict) and set(opaque) == {"logOffset"} else "other"
