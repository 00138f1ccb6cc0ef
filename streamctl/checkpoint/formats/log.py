"""The logs of a checkpoint: parse and format `metadata`, `offsets/`, `commits/`, `sources/`.

Follows Spark's `StreamMetadata`, `OffsetSeqLog`, `OffsetSeqMetadata`, `CommitLog` and
`KafkaSourceInitialOffsetWriter`. Versions read: offsets 1 and 2, commits 1 to 3; written: the same
but commits 3. A version that is not known is `Unsupported`, never guessed at.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from streamctl.checkpoint.formats import decode
from streamctl.checkpoint.formats.model import (
    CommitEntry,
    KafkaOffsets,
    OffsetsEntry,
    SourceOffset,
    SourcePosition,
)
from streamctl.errors import Malformed, Unsupported

OFFSETS_NEWEST = 2
COMMITS_NEWEST = 3
COMMITS_NEWEST_WRITTEN = 2
NO_OFFSET = "-"
_PARTITION = re.compile(r"\d{1,10}\Z", re.ASCII)
_NOT_EVEN_METADATA = 2


def parse_metadata(data: bytes, *, name: str = "metadata") -> str:
    """The query id.

    Raises:
        Malformed: no JSON object with an `id`.
    """
    return decode.take_str(decode.json_object(decode.lossy(data), name=name), "id", name=name)


def format_metadata(query_id: str) -> bytes:
    """The bytes of `metadata`."""
    return decode.compact({"id": query_id}).encode()


def parse_offsets(data: bytes, *, name: str = "offsets") -> OffsetsEntry:
    """One entry of the offset log.

    Raises:
        Malformed: empty, cut, or not the format that its first line names.
        Unsupported: a version newer than 2.
    """
    found = decode.lines(data, name=name)
    if not found:
        raise Malformed(f'"{name}" is empty')
    version = decode.version(found[0], newest=OFFSETS_NEWEST, name=name)
    if len(found) < _NOT_EVEN_METADATA:
        raise Malformed(f'"{name}" ends after its version line')
    sources = found[2:]
    parsed = (
        tuple(_named(line, name=name) for line in sources)
        if version == OFFSETS_NEWEST
        else tuple(_placed(i, line) for i, line in enumerate(sources))
    )
    text = found[1].strip()
    if not text:
        return OffsetsEntry(version=version, has_metadata=False, sources=parsed)
    fields = decode.json_object(text, name=name)
    return OffsetsEntry(
        version=version,
        watermark_ms=decode.take_int(fields, "batchWatermarkMs", name=name, default=0),
        timestamp_ms=decode.take_int(fields, "batchTimestampMs", name=name, default=0),
        conf=_conf(fields.get("conf", {}), name=name),
        extra={k: v for k, v in fields.items() if k not in _OFFSETS_FIELDS},
        sources=parsed,
    )


_OFFSETS_FIELDS = frozenset({"batchWatermarkMs", "batchTimestampMs", "conf"})


def format_offsets(entry: OffsetsEntry) -> bytes:
    """The bytes of an entry, as Spark writes them.

    Raises:
        Unsupported: a version that this release does not write.
    """
    if entry.version > OFFSETS_NEWEST:
        raise Unsupported(f"offset log version {entry.version} is not written")
    fields = {
        "batchWatermarkMs": entry.watermark_ms,
        "batchTimestampMs": entry.timestamp_ms,
        "conf": dict(entry.conf),
        **entry.extra,
    }
    out = [f"v{entry.version}", decode.compact(fields) if entry.has_metadata else ""]
    for source in entry.sources:
        text = NO_OFFSET if source.text is None else source.text
        out.append(f"{source.source_id}:{text}" if entry.version == OFFSETS_NEWEST else text)
    return "\n".join(out).encode()


def parse_commit(data: bytes, *, name: str = "commits") -> CommitEntry:
    """One entry of the commit log.

    Raises:
        Malformed: empty, cut, or not the format that its first line names.
        Unsupported: a version newer than 3.
    """
    found = decode.lines(data, name=name)
    if not found:
        raise Malformed(f'"{name}" is empty')
    version = decode.version(found[0].strip(), newest=COMMITS_NEWEST, name=name)
    fields = decode.json_object(found[1], name=name) if len(found) > 1 else {}
    unique_ids = fields.get("stateUniqueIds")
    return CommitEntry(
        version=version,
        next_watermark_ms=decode.take_int(fields, "nextBatchWatermarkMs", name=name, default=0),
        state_unique_ids=None if unique_ids is None else _unique_ids(unique_ids, name=name),
        extra={k: v for k, v in fields.items() if k not in _COMMIT_FIELDS},
    )


_COMMIT_FIELDS = frozenset({"nextBatchWatermarkMs", "stateUniqueIds"})


def format_commit(entry: CommitEntry) -> bytes:
    """The bytes of an entry, as Spark writes them.

    Raises:
        Unsupported: a version that this release does not write.
    """
    if entry.version > COMMITS_NEWEST_WRITTEN:
        raise Unsupported(f"commit log version {entry.version} is not written")
    fields: dict[str, Any] = {"nextBatchWatermarkMs": entry.next_watermark_ms}
    if entry.state_unique_ids is not None:
        fields["stateUniqueIds"] = {
            str(operator): [list(stores) for stores in partitions]
            for operator, partitions in entry.state_unique_ids.items()
        }
    return f"v{entry.version}\n{decode.compact({**fields, **entry.extra})}".encode()


def parse_kafka_initial(data: bytes, *, name: str = "sources/0/0") -> KafkaOffsets:
    """The offsets that a Kafka source began with: `sources/<i>/0`.

    The first byte is skipped: 0 since Spark 2.1.1, a digit in files of 2.1.0, which have no
    version line either.

    Raises:
        Malformed: not Kafka offsets.
        Unsupported: a version newer than 1.
    """
    found = decode.lines(data[1:], name=name)
    if not data or not found:
        raise Malformed(f'"{name}" is empty')
    if found[0].startswith("v"):
        decode.version(found[0], newest=1, name=name)
        found = found[1:]
    offsets = parse_kafka_offsets("".join(found), name=name)
    if offsets is None:
        raise Malformed(f'"{name}" does not hold Kafka offsets')
    return offsets


def format_kafka_initial(offsets: KafkaOffsets) -> bytes:
    """The bytes of `sources/<i>/0`."""
    return b"\0v1\n" + format_kafka_offsets(offsets).encode()


def parse_kafka_offsets(text: str, *, name: str = "offsets") -> KafkaOffsets | None:
    """Offsets by topic and partition; None when the JSON is another source's.

    Raises:
        Malformed: not JSON.
    """
    value = decode.json_value(text, name=name)
    if not isinstance(value, dict):
        return None
    found: KafkaOffsets = {}
    for topic, partitions in value.items():
        if not isinstance(partitions, dict):
            return None
        found[topic] = {}
        for partition, offset in partitions.items():
            whole = isinstance(offset, int) and not isinstance(offset, bool)
            if not whole or not _PARTITION.match(partition):
                return None
            found[topic][int(partition)] = offset
    return found


def format_kafka_offsets(offsets: KafkaOffsets) -> str:
    """The JSON of Spark's `JsonUtils.partitionOffsets`."""
    return decode.compact({t: {str(p): o for p, o in ps.items()} for t, ps in offsets.items()})


def source_position(source: SourceOffset, *, name: str = "offsets") -> SourcePosition:
    """What a source's offset says: Kafka's parsed, any other kept as opaque JSON.

    Raises:
        Malformed: not JSON.
    """
    if source.text is None:
        return SourcePosition(source_id=source.source_id, kafka=None)
    kafka = parse_kafka_offsets(source.text, name=name)
    if kafka is not None:
        return SourcePosition(source_id=source.source_id, kafka=kafka)
    opaque = decode.json_value(source.text, name=name)
    return SourcePosition(source_id=source.source_id, kafka=None, opaque=opaque)


def kafka_ends(entry: OffsetsEntry) -> KafkaOffsets:
    """Where each Kafka partition of a batch ends.

    Raises:
        Malformed: a source's offset is not JSON.
    """
    return lowest(source_position(source).kafka for source in entry.sources)


def readable_kafka_ends(entry: OffsetsEntry | None) -> KafkaOffsets:
    """The same, without sources that cannot be read; nothing without an entry."""
    found: list[KafkaOffsets | None] = []
    for source in entry.sources if entry else ():
        with suppress(Malformed):
            found.append(source_position(source).kafka)
    return lowest(found)


def lowest(positions: Iterable[KafkaOffsets | None]) -> KafkaOffsets:
    """All positions together; a partition that several have is where the slowest is."""
    found: KafkaOffsets = {}
    for position in positions:
        for topic, partitions in (position or {}).items():
            known = found.setdefault(topic, {})
            for partition, offset in partitions.items():
                known[partition] = min(offset, known.get(partition, offset))
    return found


def _placed(place: int, line: str) -> SourceOffset:
    return SourceOffset(source_id=str(place), text=None if line == NO_OFFSET else line)


def _named(line: str, *, name: str) -> SourceOffset:
    source_id, colon, text = line.partition(":")
    if not colon:
        raise Malformed(f'"{name}" has a source line without a colon: "{decode.clip(line)}"')
    return SourceOffset(source_id=source_id, text=None if text == NO_OFFSET else text)


def _conf(value: Any, *, name: str) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise Malformed(f'"{name}" has a "conf" that is not a map of texts')
    return value


def _unique_ids(value: Any, *, name: str) -> dict[int, tuple[tuple[str, ...], ...]]:
    try:
        return {
            int(operator): tuple(tuple(_text(i) for i in stores) for stores in partitions)
            for operator, partitions in value.items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise Malformed(f'"{name}" has "stateUniqueIds" of another shape') from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
