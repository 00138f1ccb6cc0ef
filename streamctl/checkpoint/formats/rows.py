"""Changes in a state file: HDFS-backed deltas and snapshots, and RocksDB changelogs.

Follows `HDFSBackedStateStoreProvider` (`updateFromDeltaFile`, `readSnapshotFile`) and
`StateStoreChangelog` (reader versions 1 to 4). Values are passed over, never held.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from streamctl.checkpoint.formats import decode
from streamctl.checkpoint.formats.codec import Decompressed
from streamctl.checkpoint.formats.javaio import DataInput, Ended, modified_utf8
from streamctl.errors import Malformed, Unsupported

CHANGELOG_NEWEST = 4
_END = -1
_EOF, _PUT, _DELETE, _MERGE, _DELETE_RANGE = 0x00, 0x01, 0x10, 0x11, 0x20


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One record.

    Attributes:
        key: the row's bytes; for a range, its first key.
        removed: the key is gone after this.
        is_range: everything from `key` on, up to another key, is gone.
    """

    key: bytes
    removed: bool = False
    is_range: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageItem:
    """A version and the unique id of the file that made it (format 2)."""

    version: int
    unique_id: str


@dataclass(slots=True)
class Counter:
    """What one file holds, once read to its end.

    Attributes:
        puts, removals: records of each kind.
        codec: the compression.
        format_version: the changelog's version; 1 for deltas and snapshots.
        lineage: the versions before this one, as a changelog of format 2 lists them.
        end_seen: the compressor's own end mark is there too.
    """

    puts: int = 0
    removals: int = 0
    codec: str = ""
    format_version: int = 1
    lineage: tuple[LineageItem, ...] = ()
    end_seen: bool = True


def read_delta(stream: BinaryIO, *, name: str, into: Counter | None = None) -> Iterator[Change]:
    """The changes of a `.delta`, in order.

    Raises:
        Malformed: cut, or damaged.
    """
    yield from _plain(stream, name=name, may_remove=True, into=into or Counter())


def read_snapshot(stream: BinaryIO, *, name: str, into: Counter | None = None) -> Iterator[Change]:
    """The keys of a `.snapshot`: no removals.

    Raises:
        Malformed: cut, or damaged.
    """
    yield from _plain(stream, name=name, may_remove=False, into=into or Counter())


def read_changelog(stream: BinaryIO, *, name: str, into: Counter | None = None) -> Iterator[Change]:
    """The changes of a `.changelog` of any version, in order.

    Raises:
        Malformed: cut, or damaged.
        Unsupported: a version newer than 4.
    """
    counter = into or Counter()
    plain = Decompressed(stream, name=name)
    counter.codec = plain.codec
    source = _begin(plain, counter, name=name)
    if counter.format_version in {1, 3}:
        yield from _records(source, name=name, may_remove=True, counter=counter)
    else:
        yield from _typed(source, name=name, counter=counter)
    _finish(plain, counter)


def read_lineage(stream: BinaryIO, *, name: str) -> tuple[LineageItem, ...]:
    """Only the lineage of a changelog: its first block is enough.

    Raises:
        Malformed: cut, or damaged.
        Unsupported: a version newer than 4.
    """
    counter = Counter()
    _begin(Decompressed(stream, name=name), counter, name=name)
    return counter.lineage


def _begin(plain: Decompressed, counter: Counter, *, name: str) -> DataInput:
    """Find the version, as `StateStoreChangelogReaderFactory` does, and read what precedes rows."""
    head = b""
    while len(head) < 2 and (piece := plain.read(2 - len(head))):  # noqa: PLR2004  a UTF length
        head += piece
    size = int.from_bytes(head, "big")
    while len(head) < size + 2 and (piece := plain.read(size + 2 - len(head))):
        head += piece
    counter.format_version = _changelog_version(head, size, name=name)
    if counter.format_version == 1:
        return DataInput(_Again(head, plain), name=name)
    source = DataInput(plain, name=name)
    if counter.format_version > 2:  # noqa: PLR2004  3 and 4 are 1 and 2 with a lineage
        counter.lineage = _lineage(source.text(), name=name)
    return source


def _changelog_version(head: bytes, size: int, *, name: str) -> int:
    if len(head) < size + 2:
        return 1
    try:
        text = modified_utf8(head[2 : size + 2])
        number = int(text[1:]) if text.startswith("v") else 1
    except ValueError:
        return 1  # the length of a first key that happens to look like a text
    if not 1 <= number <= CHANGELOG_NEWEST:
        raise Unsupported(f'"{name}" has changelog version {number}')
    return number


def _lineage(text: str, *, name: str) -> tuple[LineageItem, ...]:
    items = decode.json_value(text, name=name)
    if not isinstance(items, list):
        raise Malformed(f'"{name}" has a lineage that is not a list')
    return tuple(_lineage_item(item, name=name) for item in items)


def _lineage_item(item: Any, *, name: str) -> LineageItem:
    if not isinstance(item, dict):
        raise Malformed(f'"{name}" has a lineage of another shape')
    return LineageItem(
        version=decode.take_int(item, "version", name=name),
        unique_id=decode.take_str(item, "checkpointUniqueId", name=name),
    )


def _plain(stream: BinaryIO, *, name: str, may_remove: bool, into: Counter) -> Iterator[Change]:
    plain = Decompressed(stream, name=name)
    into.codec = plain.codec
    source = DataInput(plain, name=name)
    yield from _records(source, name=name, may_remove=may_remove, counter=into)
    _finish(plain, into)


def _records(
    source: DataInput, *, name: str, may_remove: bool, counter: Counter
) -> Iterator[Change]:
    while (size := source.int32()) != _END:
        if size < 0:
            raise Malformed(f'"{name}" has a key of {size} bytes')
        key = source.take(size)
        size = source.int32()
        if size >= 0:
            source.skip(size)
            counter.puts += 1
            yield Change(key=key)
        elif may_remove:
            counter.removals += 1
            yield Change(key=key, removed=True)
        else:
            raise Malformed(f'"{name}" has a value of {size} bytes')


def _typed(source: DataInput, *, name: str, counter: Counter) -> Iterator[Change]:
    while (kind := source.byte()) != _EOF:
        if kind not in {_PUT, _DELETE, _MERGE, _DELETE_RANGE}:
            raise Malformed(f'"{name}" has a record of kind {kind}')
        key = source.take(_size(source.int32(), name=name))
        if kind == _DELETE:
            if source.int32() != _END:
                raise Malformed(f'"{name}" has a removal with a value')
            counter.removals += 1
            yield Change(key=key, removed=True)
            continue
        source.skip(_size(source.int32(), name=name))
        if kind == _DELETE_RANGE:
            counter.removals += 1
            yield Change(key=key, removed=True, is_range=True)
            continue
        counter.puts += 1
        yield Change(key=key)


def _size(size: int, *, name: str) -> int:
    if size < 0:
        raise Malformed(f'"{name}" has a field of {size} bytes')
    return size


def _finish(plain: Decompressed, counter: Counter) -> None:
    """Look whether the compressor closed its stream; Spark does not, it stops at the last row."""
    try:
        while plain.read(1 << 16):
            pass
        counter.end_seen = plain.end_seen
    except (Malformed, Ended):
        counter.end_seen = False


class _Again:
    def __init__(self, head: bytes, rest: Decompressed) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        if self._head:
            found, self._head = self._head, b""
            return found
        return self._rest.read(size)
