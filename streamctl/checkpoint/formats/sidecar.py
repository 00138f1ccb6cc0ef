"""Checksums beside files: Hadoop's `.N.crc` and Spark's `N.crc`.

Follows Hadoop's `ChecksumFileSystem` (CRC32 of each 512 bytes) and Spark's
`ChecksumCheckpointFileManager` (CRC32C of the whole, 4.1 and later, with format 2).
"""

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
