"""RocksDB snapshots: `<version>.zip`, the files it names, and what its metadata says.

Follows `RocksDBFileManager` and `RocksDBCheckpointMetadata`. Spark reads the archive from front to
back with `ZipInputStream` and never looks at the directory at its end, so this does the same: an
archive that has lost only its directory still loads.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from streamctl.checkpoint.formats import decode
from streamctl.errors import Malformed, Unsupported

_LOCAL = b"PK\x03\x04"
_DESCRIPTOR = b"PK\x07\x08"
_CENTRAL = (b"PK\x01\x02", b"PK\x05\x06")
_HEAD_BYTES = 30
_STORED, _DEFLATED = 0, 8
_METADATA_LIMIT_BYTES = 16 << 20
_PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFile:
    """A file that lies outside the archive, in `SSTs/` or `logs/`."""

    local_name: str
    stored_name: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One RocksDB snapshot.

    Attributes:
        keys: rows in the store at this version; -1 when Spark did not track them.
        internal_keys: rows in column families of Spark's own.
        column_families: names, in no order.
        ssts: shared table files in `SSTs/`.
        logs: shared write-ahead logs in `logs/`.
        members: names in the archive, in order.
        empty_members: members of no bytes, where Spark wants bytes.
    """

    keys: int
    internal_keys: int
    column_families: tuple[str, ...]
    ssts: tuple[SharedFile, ...]
    logs: tuple[SharedFile, ...]
    members: tuple[str, ...]
    empty_members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of an archive: its name, plain length, and the bytes when asked for."""

    name: str
    size_bytes: int
    data: bytes


def parse_snapshot(stream: BinaryIO, *, name: str) -> Snapshot:
    """Read a whole archive, checking each member's length and CRC.

    Raises:
        Malformed: cut, damaged, or without its metadata.
        Unsupported: metadata newer than version 1, or an archive that Spark would not write.
    """
    text: bytes | None = None
    members, empty = [], []
    for member in _members(_Source(stream, name=name)):
        members.append(member.name)
        if member.name == "metadata":
            text = member.data
        if member.size_bytes == 0 and not member.name.endswith((".log", "/")):
            empty.append(member.name)
    if text is None:
        raise Malformed(f'"{name}" has no metadata inside')
    fields = _fields(text, name=name)
    return Snapshot(
        keys=decode.take_int(fields, "numKeys", name=name, default=-1),
        internal_keys=decode.take_int(fields, "numInternalKeys", name=name, default=0),
        column_families=_names(fields.get("columnFamilyMapping"), name=name),
        ssts=_shared(fields.get("sstFiles", []), "dfsSstFileName", name=name),
        logs=_shared(fields.get("logFiles") or [], "dfsLogFileName", name=name),
        members=tuple(members),
        empty_members=tuple(empty),
    )


def _fields(text: bytes, *, name: str) -> dict[str, Any]:
    found = decode.lines(text, name=f"{name}!metadata")
    if not found:
        raise Malformed(f'"{name}" has empty metadata inside')
    decode.version(found[0], newest=1, name=f"{name}!metadata")
    return decode.json_object("".join(found[1:]), name=f"{name}!metadata")


def _names(value: Any, *, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise Malformed(f'"{name}" has column families of another shape')
    return tuple(value)


def _shared(value: Any, stored: str, *, name: str) -> tuple[SharedFile, ...]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Malformed(f'"{name}" names its files in another shape')
    return tuple(
        SharedFile(
            local_name=decode.take_str(item, "localFileName", name=name)
            if "localFileName" in item
            else "",
            stored_name=decode.take_str(item, stored, name=name),
            size_bytes=decode.take_int(item, "sizeBytes", name=name),
        )
        for item in value
    )


def _members(source: "_Source") -> Iterator[Member]:
    if source.peek(4) != _LOCAL:
        raise Malformed(f'"{source.name}" is not a zip archive')
    while source.peek(4) == _LOCAL:
        head = source.take(_HEAD_BYTES)
        flags, method = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
        name = source.take(int.from_bytes(head[26:28], "little")).decode("utf-8", "replace")
        source.take(int.from_bytes(head[28:30], "little"))
        if flags & 1 or method not in {_STORED, _DEFLATED}:
            raise Unsupported(f'"{source.name}" has a member packed in a way Spark does not use')
        sized = not flags & 8
        keep = name == "metadata"
        size, check, data = (
            source.inflate(keep=keep)
            if method == _DEFLATED
            else source.copy(int.from_bytes(head[18:22], "little"), keep=keep)
        )
        said = head[14:18] + head[22:26]
        if not sized:
            tail = source.take(16 if source.peek(4) == _DESCRIPTOR else 12)
            said = tail[-12:-8] + tail[-4:]
        if said != check.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little"):
            raise Malformed(f'"{source.name}" has a member whose checksum or length is wrong')
        yield Member(name=name, size_bytes=size, data=data)


class _Source:
    def __init__(self, stream: BinaryIO, *, name: str) -> None:
        self.name = name
        self._stream = stream
        self._held = b""

    def peek(self, size: int) -> bytes:
        while len(self._held) < size and (piece := self._stream.read(_PIECE_BYTES)):
            self._held += piece
        return self._held[:size]

    def take(self, size: int) -> bytes:
        found = self.peek(size)
        if len(found) < size:
            raise Malformed(f'"{self.name}" ends inside a member')
        self._held = self._held[size:]
        return found

    def inflate(self, *, keep: bool) -> tuple[int, int, bytes]:
        """The plain length, its CRC, and the bytes when they are to be kept."""
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        sink = _Sink(keep=keep, name=self.name)
        while not inflater.eof:
            if not self.peek(1):
                raise Malformed(f'"{self.name}" ends inside a member')
            try:
                sink.add(inflater.decompress(self._held, _PIECE_BYTES * 16))
            except zlib.error as error:
                raise Malformed(f'"{self.name}" has a damaged member') from error
            self._held = inflater.unconsumed_tail or inflater.unused_data
        return sink.size, sink.check, bytes(sink.data)

    def copy(self, size: int, *, keep: bool) -> tuple[int, int, bytes]:
        sink = _Sink(keep=keep, name=self.name)
        while size:
            piece = self.take(min(size, len(self.peek(1) and self._held) or 1))
            sink.add(piece)
            size -= len(piece)
        return sink.size, sink.check, bytes(sink.data)


class _Sink:
    def __init__(self, *, keep: bool, name: str) -> None:
        self.size = 0
        self.check = 0
        self.data = bytearray()
        self._keep = keep
        self._name = name

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.check = zlib.crc32(piece, self.check)
        if self._keep:
            if self.size > _METADATA_LIMIT_BYTES:
                raise Unsupported(f'"{self._name}" has metadata of more than 16 MiB inside')
            self.data += piece
