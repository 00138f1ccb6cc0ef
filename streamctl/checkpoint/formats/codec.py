"""The four compressions of state files, told apart by their first bytes.

Follows what Spark's `CompressionCodec` uses: `LZ4BlockInputStream` (lz4-java; a block's checksum is
xxHash32 cut to 28 bits), plain zstd frames, `SnappyInputStream` (snappy-java) and `LZFInputStream`
(compress-lzf). The codec's name is in the offset log too, but the bytes decide: a checkpoint may
hold files of two codecs.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, cast

from streamctl.errors import Malformed, Unsupported

LZ4_MAGIC = b"LZ4Block"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
SNAPPY_MAGIC = b"\x82SNAPPY\0"
LZF_MAGIC = b"ZV"

_LZ4_HEAD = struct.Struct("<8sBiiI")
_LZ4_SEED = 0x9747B28C
_LZ4_CHECK_MASK = 0x0FFFFFFF
_LZ4_RAW, _LZ4_COMPRESSED = 0x10, 0x20
_CHUNK_LIMIT_BYTES = 64 << 20
_ZSTD_WINDOW_LIMIT_BYTES = 64 << 20
_PIECE_BYTES = 1 << 16


class Decompressed:
    """A compressed file as a stream of plain bytes, one block in memory at a time.

    Args:
        stream: the file, at its beginning.
        name: the file, for messages.

    Attributes:
        codec: "lz4", "zstd", "snappy" or "lzf".
        end_seen: the compressor's end mark was read. Spark starts without noticing its absence.

    Raises:
        Malformed: empty, or none of the four.
    """

    def __init__(self, stream: BinaryIO, *, name: str) -> None:
        self._name = name
        self.end_seen = False
        head = _exactly(stream, len(SNAPPY_MAGIC))
        for magic, codec, blocks in (
            (LZ4_MAGIC, "lz4", self._lz4),
            (ZSTD_MAGIC, "zstd", self._zstd),
            (SNAPPY_MAGIC, "snappy", self._snappy),
            (LZF_MAGIC, "lzf", self._lzf),
        ):
            if head.startswith(magic):
                self.codec = codec
                self._blocks = blocks(_Pushed(head, stream))
                break
        else:
            if not head:
                raise Malformed(f'"{name}" is empty')
            raise Malformed(f'"{name}" is not compressed in any way that Spark uses')
        self._held = b""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; empty at the end.

        Raises:
            Malformed: a block is cut, or fails its checksum.
            Unsupported: a block larger than any Spark writes.
        """
        while not self._held:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._held = block
        if size < 0 or size >= len(self._held):
            found, self._held = self._held, b""
            return found
        found, self._held = self._held[:size], self._held[size:]
        return found

    def _lz4(self, stream: "_Pushed") -> Iterator[bytes]:
        import lz4.block
        import xxhash

        while True:
            head = stream.exactly(_LZ4_HEAD.size)
            if len(head) < _LZ4_HEAD.size:
                return  # LZ4BlockInputStream takes a short header for the end
            magic, token, packed, size, check = _LZ4_HEAD.unpack(head)
            method, most = token & 0xF0, 1 << (10 + (token & 0x0F))
            if magic != LZ4_MAGIC or not _lz4_sane(method, packed, size, most):
                raise self._damaged()
            self.end_seen = size == 0
            if size == 0:
                if check:
                    raise self._damaged()
                continue
            data = stream.exactly(packed)
            if len(data) < packed:
                raise self._cut()
            if method == _LZ4_COMPRESSED:
                try:
                    data = lz4.block.decompress(data, uncompressed_size=size)
                except (lz4.block.LZ4BlockError, ValueError) as error:
                    raise self._damaged() from error
            if (
                len(data) != size
                or xxhash.xxh32_intdigest(data, _LZ4_SEED) & _LZ4_CHECK_MASK != check
            ):
                raise self._damaged()
            yield data

    def _zstd(self, stream: "_Pushed") -> Iterator[bytes]:
        import zstandard

        context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_LIMIT_BYTES)
        try:
            with context.stream_reader(cast("BinaryIO", stream), read_across_frames=True) as plain:
                while block := plain.read(_PIECE_BYTES):
                    yield block
        except zstandard.ZstdError as error:
            raise self._damaged() from error
        self.end_seen = True

    def _snappy(self, stream: "_Pushed") -> Iterator[bytes]:
        from streamctl.checkpoint.formats.lz77 import snappy

        if len(stream.exactly(16)) < 16:  # noqa: PLR2004  magic and two version numbers
            raise self._cut()
        while len(head := stream.exactly(4)) == 4:  # noqa: PLR2004  the width of an int
            if head == SNAPPY_MAGIC[:4]:
                stream.exactly(12)  # a second stream after the first
                continue
            packed = stream.exactly(self._bounded(int.from_bytes(head, "big")))
            if len(packed) < int.from_bytes(head, "big"):
                raise self._cut()
            try:
                yield snappy(packed, limit=_CHUNK_LIMIT_BYTES)
            except (ValueError, IndexError) as error:
                raise self._damaged() from error
        self.end_seen = True

    def _lzf(self, stream: "_Pushed") -> Iterator[bytes]:
        from streamctl.checkpoint.formats.lz77 import lzf

        while head := stream.exactly(5):
            if len(head) < 5:  # noqa: PLR2004  "ZV", kind, length
                raise self._cut()
            if head[:2] != LZF_MAGIC or head[2] > 1:
                raise self._damaged()
            size = int.from_bytes(stream.exactly(2), "big") if head[2] else 0
            length = int.from_bytes(head[3:5], "big")
            data = stream.exactly(length)
            if len(data) < length:
                raise self._cut()
            if head[2]:
                try:
                    data = lzf(data, size=size)
                except (ValueError, IndexError) as error:
                    raise self._damaged() from error
            yield data
        self.end_seen = True

    def _bounded(self, size: int) -> int:
        if size > _CHUNK_LIMIT_BYTES:
            raise Unsupported(f'"{self._name}" has a compressed block of {size} bytes')
        return size

    def _damaged(self) -> Malformed:
        return Malformed(f'"{self._name}" has a damaged {self.codec} block')

    def _cut(self) -> Malformed:
        return Malformed(f'"{self._name}" ends inside a {self.codec} block')


class _Pushed:
    """A stream with its first bytes put back."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        if self._head:
            found = self._head if size < 0 else self._head[:size]
            self._head = self._head[len(found) :]
            return found
        return self._stream.read(size)

    def exactly(self, size: int) -> bytes:
        """`size` bytes, or fewer at the end."""
        head, self._head = self._head[:size], self._head[size:]
        return head + _exactly(self._stream, size - len(head)) if len(head) < size else head


def _exactly(stream: BinaryIO, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := stream.read(min(size, 1 << 20))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _lz4_sane(method: int, packed: int, size: int, most: int) -> bool:
    if method not in {_LZ4_RAW, _LZ4_COMPRESSED} or not 0 <= size <= most:
        return False
    if method == _LZ4_RAW:
        return packed == size
    # The writer stores a block raw when compression does not shorten it.
    return 0 <= packed <= size + 16 + size // 255 and (packed == 0) == (size == 0)
