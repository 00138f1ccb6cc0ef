"""Checksums beside files: Hadoop's `.N.crc` and Spark's `N.crc`.

Follows Hadoop's `ChecksumFileSystem` (CRC32 of each 512 bytes) and Spark's
`ChecksumCheckpointFileManager` (CRC32C of the whole, 4.1 and later, with format 2).
"""

import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from streamctl.checkpoint.formats import decode
from streamctl.errors import Malformed, Unsupported

_HADOOP_MAGIC = b"crc\0"
_HEAD_BYTES = 8
_CHUNK_MOST_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
_REPAIRED_BYTES = 4096
"""Pieces as short as a CRC32 tells every bit of; Hadoop's are of 512."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkChecksum:
    """What `N.crc` says of `N`."""

    algorithm: str
    value: int
    size_bytes: int


def hadoop_matches(sidecar: bytes, stream: BinaryIO, *, name: str) -> bool:
    """True when `.N.crc` agrees with the bytes of `N`, read piece by piece.

    Raises:
        Malformed: the sidecar itself is damaged.
    """
    chunk = int.from_bytes(sidecar[4:8], "big")
    if not sidecar.startswith(_HADOOP_MAGIC) or not 0 < chunk <= _CHUNK_MOST_BYTES:
        raise Malformed(f'"{name}" is not a Hadoop checksum')
    at = _HEAD_BYTES
    for piece in _pieces(stream, chunk * max(1, _PIECE_BYTES // chunk)):
        for start in range(0, len(piece), chunk):
            total = zlib.crc32(piece[start : start + chunk])
            if sidecar[at : at + 4] != total.to_bytes(4, "big"):
                return False
            at += 4
    return at == len(sidecar)


def hadoop_original(sidecar: bytes, data: bytes) -> bytes | None:
    """What the file was when `.N.crc` was written, where the sums of its pieces tell.

    They do where bytes were added since, and where one bit flipped: a CRC32 of 512 bytes differs
    for every bit, so that the one to turn back is known. None where neither explains the sums, or
    the sidecar itself is damaged.

    Args:
        sidecar: of the file.
        data: the file as it is now, not as the sidecar says.
    """
    chunk = int.from_bytes(sidecar[4:8], "big")
    sums = [int.from_bytes(sidecar[at : at + 4], "big") for at in range(8, len(sidecar), 4)]
    if not sidecar.startswith(_HADOOP_MAGIC) or not 0 < chunk <= _REPAIRED_BYTES or not sums:
        return None
    pieces = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    whole = _shortened(data, sums, chunk)
    if whole is not None or len(pieces) != len(sums):
        return whole
    wrong = [n for n, piece in enumerate(pieces) if zlib.crc32(piece) != sums[n]]
    return _turned_back(data, sums, chunk, wrong[0]) if len(wrong) == 1 else None


def _shortened(data: bytes, sums: list[int], chunk: int) -> bytes | None:
    """Without the bytes that were added: every piece but the last is whole."""
    last = (len(sums) - 1) * chunk
    if any(zlib.crc32(data[n * chunk : (n + 1) * chunk]) != sums[n] for n in range(len(sums) - 1)):
        return None
    total = 0
    for at in range(last, min(last + chunk, len(data))):
        total = zlib.crc32(data[at : at + 1], total)
        if total == sums[-1]:
            return data[: at + 1]
    return None


def _turned_back(data: bytes, sums: list[int], chunk: int, wrong: int) -> bytes | None:
    piece = bytearray(data[wrong * chunk : (wrong + 1) * chunk])
    for at, bit in itertools.product(range(len(piece)), range(8)):
        piece[at] ^= 1 << bit
        if zlib.crc32(piece) == sums[wrong]:
            return data[: wrong * chunk] + bytes(piece) + data[wrong * chunk + len(piece) :]
        piece[at] ^= 1 << bit
    return None


def parse_spark_checksum(data: bytes, *, name: str) -> SparkChecksum:
    """The JSON of `N.crc`.

    Raises:
        Malformed: not that JSON.
    """
    try:
        fields = decode.json_object(data.decode("utf-8"), name=name)
    except UnicodeDecodeError as error:
        raise Malformed(f'"{name}" is not UTF-8 text') from error
    return SparkChecksum(
        algorithm=decode.take_str(fields, "algorithm", name=name),
        value=decode.take_int(fields, "value", name=name),
        size_bytes=decode.take_int(fields, "mainFileSize", name=name),
    )


def spark_matches(checksum: SparkChecksum, stream: BinaryIO, *, name: str) -> bool:
    """True when `N.crc` agrees with the bytes of `N`, read piece by piece.

    Raises:
        Unsupported: another algorithm than CRC32C.
    """
    import crc32c

    if checksum.algorithm != "CRC32C":
        raise Unsupported(f'"{name}" uses the checksum "{checksum.algorithm}"')
    total = size = 0
    for piece in _pieces(stream, _PIECE_BYTES):
        total = crc32c.crc32c(piece, total)
        size += len(piece)
    # Java keeps the unsigned sum in a signed int.
    return size == checksum.size_bytes and total == checksum.value & 0xFFFFFFFF


def _pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Pieces of exactly `size` bytes, but the last."""
    held = b""
    while piece := stream.read(size - len(held)):
        held += piece
        if len(held) == size:
            yield held
            held = b""
    if held:
        yield held
