"""Pass over the next records of a partition: a range that kills the query each time it is read.

The next batch reads from the end of the last committed batch to the end of the planned one. So the
committed entry's end of that partition is moved up, and the planned entry's where it is lower. The
planned batch stays planned, with the ranges of all other partitions as they were: its id and what
a sink may have of it keep their meaning. Before the first commit the beginning is what the source
began with, `sources/<i>/0`, and that is moved.

Follows `MicroBatchExecution.populateStartOffsets` (where a batch begins) and `OffsetSeqLog`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from streamctl.checkpoint.change import guards, preview
from streamctl.checkpoint.change.area import Target
from streamctl.checkpoint.change.guards import Kafka, Range
from streamctl.checkpoint.change.plan import Item, Kind, Obstacle, Plan, Step, make_plan
from streamctl.checkpoint.change.sink_steps import newest_logged
from streamctl.checkpoint.change.walk import sizes
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry, SourceOffset
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.reader import Checkpoint, LogIds
from streamctl.errors import ExitCode, NotFound, SettingsInvalid


class PartitionNotFound(NotFound):
    """The query does not read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """What is passed over.

    Attributes:
        topic: "" where the query reads only one with this partition.
        end: the first offset that is read again.
    """

    topic: str
    partition: int
    end: int


def plan_skip(
    target: Target,
    wanted: Skip,
    *,
    why: str,
    now: datetime,
    dead_letter_topic: str,
    kafka: Kafka | None = None,
) -> Plan:
    """Plan to pass over the records of one partition up to an offset.

    Args:
        target: the checkpoint and its sink.
        wanted: see there.
        why: the operator's reason; it goes into the dead letters too.
        now: UTC.
        dead_letter_topic: where the records are copied to before anything changes.
        kafka: asked what it still has; None leaves that unknown.

    Raises:
        PartitionNotFound: the query does not read it.
        SettingsInvalid: the offset is not after the position; or several topics and none named.
        Malformed, Unsupported: an entry cannot be read.
    """
    checkpoint = Checkpoint.open(target.path)
    ids = checkpoint.log_ids()
    begin, topic = _beginning(checkpoint, ids, wanted)
    if begin >= wanted.end:
        raise SettingsInvalid(
            f"the next record of {topic}-{wanted.partition} is {begin}, not before {wanted.end}",
            hint="Give the first offset after the poison records.",
        )
    aim = replace(wanted, topic=topic)
    written = dict(_written(checkpoint, ids, aim))
    step = _step(target.path, written)
    ranges, obstacles = guards.ask([_range(aim, begin)], kafka)
    return make_plan(
        verb="skip",
        area=target.area,
        subject=target.path,
        why=why,
        now=now,
        steps=[step],
        obstacles=[
            *guards.starts(preview.checkpoint(step)),
            *obstacles,
            *_already_written(target.sink, ids),
        ],
        facts={
            "topic": topic,
            "partition": wanted.partition,
            "start": begin,
            "end": wanted.end,
            "dead_letter_topic": dead_letter_topic,
            "first_raised_batch_id": _raised_batches(ids)[0],
            "ranges": ranges,
        },
        notes=(
            f"The records are copied to {dead_letter_topic} first, with their origin in headers.",
        ),
    )


def _range(aim: Skip, begin: int) -> Range:
    return Range(
        topic=aim.topic,
        partition=aim.partition,
        start=begin,
        end=aim.end,
        records=aim.end - begin,
        available_records=None,
    )


def _initial(checkpoint: Checkpoint, source_id: str) -> KafkaOffsets:
    name = f"{layout.SOURCES}/{source_id}/0"
    return log.parse_kafka_initial(checkpoint.files.read(name), name=name)


def _committed(ids: LogIds) -> int | None:
    return ids.committed[-1] if ids.committed else None


def _beginning(checkpoint: Checkpoint, ids: LogIds, wanted: Skip) -> tuple[int, str]:
    """The next offset of the partition, the lowest where several sources read it; its topic."""
    if not ids.planned:
        raise PartitionNotFound("the query has not planned a batch yet")
    committed = _committed(ids)
    entry = checkpoint.offsets(ids.planned[-1] if committed is None else committed)
    found: dict[str, int] = {}
    for source in entry.sources:
        offsets = log.source_position(source).kafka
        if offsets is None:
            continue
        begins = offsets if committed is not None else _initial(checkpoint, source.source_id)
        for topic, partitions in begins.items():
            if wanted.partition in partitions and wanted.topic in {"", topic}:
                offset = partitions[wanted.partition]
                found[topic] = min(offset, found.get(topic, offset))
    if not found:
        raise PartitionNotFound(
            f"the query does not read partition {wanted.topic or '*'}:{wanted.partition}",
            hint="`streamctl checkpoint inspect` lists what it reads.",
        )
    if len(found) > 1:
        raise SettingsInvalid(
            f"partition {wanted.partition} is read of {', '.join(sorted(found))}",
            hint="Name one: --partition TOPIC:PARTITION.",
        )
    topic, begin = found.popitem()
    return begin, topic


def _written(checkpoint: Checkpoint, ids: LogIds, aim: Skip) -> Iterable[tuple[str, str]]:
    """The files that change, with their text."""
    for batch_id in _raised_batches(ids):
        entry = checkpoint.offsets(batch_id)
        text = log.format_offsets(_raised(entry, aim)).decode()
        yield f"{layout.OFFSETS}/{batch_id}", text
    if _committed(ids) is None:
        for source in checkpoint.offsets(ids.planned[-1]).sources:
            if log.source_position(source).kafka is not None:
                offsets = _lift(_initial(checkpoint, source.source_id), aim)
                name = f"{layout.SOURCES}/{source.source_id}/0"
                yield name, log.format_kafka_initial(offsets).decode()


def _raised_batches(ids: LogIds) -> list[int]:
    """Whose entries change: where the next batch begins, and where it ends if it is planned."""
    committed = _committed(ids)
    return sorted({ids.planned[-1], ids.planned[-1] if committed is None else committed})


def _raised(entry: OffsetsEntry, aim: Skip) -> OffsetsEntry:
    sources = []
    for source in entry.sources:
        offsets = log.source_position(source).kafka
        if offsets is not None:
            text = log.format_kafka_offsets(_lift(offsets, aim))
            sources.append(SourceOffset(source_id=source.source_id, text=text))
        else:
            sources.append(source)
    return replace(entry, sources=tuple(sources))


def _lift(offsets: KafkaOffsets, aim: Skip) -> KafkaOffsets:
    """The partition's offset not below the end of the skip, wherever it is read."""
    return {
        topic: {
            partition: max(offset, aim.end)
            if (topic, partition) == (aim.topic, aim.partition)
            else offset
            for partition, offset in partitions.items()
        }
        for topic, partitions in offsets.items()
    }


def _step(path: str, written: dict[str, str]) -> Step:
    there = sizes(path)
    removed = tuple(
        Item(path=sidecar, size_bytes=there[sidecar], reason=f"checksum of the old {name}")
        for name in written
        for sidecar in layout.sidecars(name)
        if sidecar in there
    )
    return Step(
        kind=Kind.REBUILD,
        place=path,
        reason="the next batch begins after the skipped records",
        removed=removed,
        written=written,
        kept_files=len(there) - len(removed),
        kept_bytes=sum(there.values()),
    )


def _already_written(sink: str, ids: LogIds) -> Iterable[Obstacle]:
    """The sink has the planned batch: it ran through, and is passed over at the next start."""
    latest = newest_logged(sink)
    if latest is not None and latest > (ids.committed[-1] if ids.committed else -1):
        yield Obstacle(
            code=guards.ACCEPT_FINDINGS,
            message=f"the sink already has batch {latest}: it did not fail at these records",
            hint="Start the query first: it commits that batch.",
            exit_code=ExitCode.WOULD_NOT_START,
        )
