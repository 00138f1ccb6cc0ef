"""RocksDB's block-based tables (`*.sst`): every block against the checksum that RocksDB keeps.

Follows RocksDB's `table/format.cc` (footer, block trailer, checksums), `block.cc` and
`index_builder.cc` (index entries), format versions 2 to 5; Spark pins version 5. Rows are not
decoded: what matters is whether RocksDB will read the block or stop with `Corruption`.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from streamctl.checkpoint.formats.lz77 import snappy
from streamctl.errors import Malformed, Unsupported

_FOOTER_BYTES = 53
_TRAILER_BYTES = 5
_MAGIC = 0x88E241B785F4CFF7
_VERSIONS = range(2, 6)
_DELTA_SINCE = 4
_BLOCK_LIMIT_BYTES = 256 << 20
_MASK = 0xFFFFFFFF
_PLAIN, _SNAPPY, _LZ4, _LZ4HC, _ZSTD = 0, 1, 4, 5, 7


class RowsDamaged(Malformed):
    """A block of rows: RocksDB opens the table, and stops when it reads the block."""


class FilterDamaged(Malformed):
    """The filter alone: RocksDB looks into every block instead (`FullFilterBlockReader`)."""


class Handle(NamedTuple):
    """Where a block lies; its trailer follows."""

    offset: int
    size_bytes: int


def check_table(stream: BinaryIO, *, size_bytes: int, name: str) -> int:
    """Compare every block that the table's indexes lead to with its checksum.

    Args:
        stream: of the whole file; it can seek.
        size_bytes: of the file.
        name: the file, for messages.

    Returns:
        The number of blocks.

    Raises:
        Malformed: no table, or a block that does not match and that opening it reads.
        RowsDamaged, FilterDamaged: another block, the worst of them.
        Unsupported: a version, checksum or compression that this release does not know.
    """
    table = _Table(stream, size_bytes=size_bytes, name=name)
    metaindex, index, version = table.footer()
    more = list(_entries(table.block(metaindex), delta=False, name=name))
    rows = list(_entries(table.block(index), delta=version >= _DELTA_SINCE, name=name))
    filters = [handle for key, handle in more if b"filter." in key]
    for key, handle in more:
        if b"filter." not in key:
            table.check(handle)
    for damaged, handles in (
        (RowsDamaged, [handle for _, handle in rows]),
        (FilterDamaged, filters),
    ):
        for handle in handles:
            try:
                table.check(handle)
            except Malformed as error:
                raise damaged(error.message) from error
    return 2 + len(more) + len(rows)


class _Table:
    def __init__(self, stream: BinaryIO, *, size_bytes: int, name: str) -> None:
        self._stream = stream
        self._size_bytes = size_bytes
        self._name = name
        self._kind = 0

    def footer(self) -> tuple[Handle, Handle, int]:
        """Where metaindex and index lie, and the format version."""
        if self._size_bytes < _FOOTER_BYTES:
            raise Malformed(f'"{self._name}" is too short for a RocksDB table')
        data = self._read(self._size_bytes - _FOOTER_BYTES, _FOOTER_BYTES)
        version, magic = struct.unpack("<IQ", data[-12:])
        if magic != _MAGIC:
            raise Malformed(f'"{self._name}" does not end like a RocksDB table')
        if version not in _VERSIONS:
            raise Unsupported(f'"{self._name}" is a RocksDB table of format {version}')
        self._kind = data[0]
        metaindex, at = _handle(data, 1, name=self._name)
        index, _ = _handle(data, at, name=self._name)
        return metaindex, index, version

    def check(self, handle: Handle) -> tuple[bytes, int]:
        """A block as it lies in the file, and how it is compressed.

        Raises:
            Malformed: it lies outside of the file, or does not match its checksum.
        """
        offset, size = handle
        if size > _BLOCK_LIMIT_BYTES or offset + size + _TRAILER_BYTES > self._size_bytes:
            raise Malformed(f'"{self._name}" has a block outside of the file')
        data = self._read(offset, size + _TRAILER_BYTES)
        content, compression = data[:size], data[size]
        if int.from_bytes(data[size + 1 :], "little") != self._sum(content, compression):
            raise Malformed(f'"{self._name}" has a block at {offset} that is not what was written')
        return content, compression

    def block(self, handle: Handle) -> bytes:
        """A block's plain content, checked."""
        content, compression = self.check(handle)
        return _plain(content, compression, name=self._name)

    def _sum(self, content: bytes, compression: int) -> int:
        """Source: `ComputeBuiltinChecksumWithLastByte`."""
        import xxhash

        last = bytes([compression])
        match self._kind:
            case 1:  # CRC32C, masked as in a file that itself holds sums
                import crc32c

                plain = crc32c.crc32c(last, crc32c.crc32c(content))
                return ((plain >> 15 | plain << 17) + 0xA282EAD8) & _MASK
            case 2:  # xxHash
                return int(xxhash.xxh32_intdigest(content + last))
            case 3:  # xxHash64
                return int(xxhash.xxh64_intdigest(content + last)) & _MASK
            case 4:  # XXH3, the default since RocksDB 6.27
                low = int(xxhash.xxh3_64_intdigest(content)) & _MASK
                return low ^ (compression * 0x6B9083D9 & _MASK)
            case kind:
                raise Unsupported(f'"{self._name}" has checksums of kind {kind}')

    def _read(self, offset: int, size: int) -> bytes:
        self._stream.seek(offset)
        data = self._stream.read(size)
        if len(data) < size:
            raise Malformed(f'"{self._name}" ends inside a block')
        return data


def _entries(block: bytes, *, delta: bool, name: str) -> Iterator[tuple[bytes, Handle]]:
    """The handles in an index, in order, each with what its key adds to the one before.

    With `delta`, a value whose key shares a prefix is the difference in size to the block before,
    which it follows.
    """
    restarts = int.from_bytes(block[-4:], "little") & 0x7FFFFFFF
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise Malformed(f'"{name}" has an index that is cut')
    at, handle = 0, Handle(0, 0)
    while at < end:
        shared, at = _varint(block, at, name=name)
        own, at = _varint(block, at, name=name)
        if not delta:
            _, at = _varint(block, at, name=name)
        key = block[at : at + own]
        at += own
        if delta and shared:
            code, at = _varint(block, at, name=name)
            change = code >> 1 ^ -(code & 1)
            offset = handle.offset + handle.size_bytes + _TRAILER_BYTES
            handle = Handle(offset, handle.size_bytes + change)
        else:
            handle, at = _handle(block, at, name=name)
        yield key, handle


def _handle(data: bytes, at: int, *, name: str) -> tuple[Handle, int]:
    offset, at = _varint(data, at, name=name)
    size, at = _varint(data, at, name=name)
    return Handle(offset, size), at


def _varint(data: bytes, at: int, *, name: str) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  the last byte of a number
            return value, at
    raise Malformed(f'"{name}" has a number that does not end')


def _plain(content: bytes, compression: int, *, name: str) -> bytes:
    """Undo RocksDB's compression. All but Snappy, which says it itself, begin with the length."""
    if compression == _PLAIN:
        return content
    if compression not in {_SNAPPY, _LZ4, _LZ4HC, _ZSTD}:
        raise Unsupported(f'"{name}" is compressed in way {compression}')
    try:
        if compression == _SNAPPY:
            return snappy(content, limit=_BLOCK_LIMIT_BYTES)
        size, packed = _length(content, name=name)
        if compression == _ZSTD:
            import zstandard

            return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
        import lz4.block

        return bytes(lz4.block.decompress(packed, uncompressed_size=size))
    except Exception as error:  # each library has its own
        raise Malformed(f'"{name}" has an index that cannot be unpacked') from error


def _length(content: bytes, *, name: str) -> tuple[int, bytes]:
    size, at = _varint(content, 0, name=name)
    if size > _BLOCK_LIMIT_BYTES:
        raise Malformed(f'"{name}" says it has a block of {size} bytes')
    return size, content[at:]
