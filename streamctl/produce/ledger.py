"""The ledger: what was sent, what must become of it, and where Kafka put it.

An append-only file of frames. Each frame is `magic, kind, length, raw length, CRC-32` (little-endian)
and a zstandard block:

| kind | content |
|---|---|
| `H` | JSON: run id, topic, seed, names of the reasons; first |
| `S` | records about to be sent: first sequence number, count, then columns: reason (u8), device (u32), event time and CreateTime (i64, ms) |
| `D` | delivery reports: columns sequence number (i64), partition (i32), offset (i64); partition -1 is a failure and the offset then its error code |
| `E` | JSON: the clean end; last |

`S` is written before the records are given to Kafka, so whatever is in Kafka is in the ledger,
even when the producer is killed. A file without `E`, or with a torn last frame, is a run that was
killed: its last records may be without a delivery report, and read as unknown.
"""  # noqa: E501 - a table

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from streamctl.errors import Malformed, NotFound, Refused, StreamctlError
from streamctl.produce.telemetry import Batch
from streamctl.reports import as_json

MAGIC = b"SCL1"
FRAME = struct.Struct("<4scxxxIII")
COUNTS = struct.Struct("<QI")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHeader:
    """Whose ledger it is.

    Attributes:
        run_id: also in the header of each record.
        reasons: by index; "" is valid.
        started_at: UTC, by the clock of the machine.
    """

    run_id: str
    topic: str
    bootstrap_servers: str
    seed: int
    devices: int
    reasons: tuple[str, ...]
    started_at: datetime


class LedgerWriter:
    """Append to a new ledger. Every call is one write, so that nothing is lost with the process.

    Raises:
        Refused: the file exists; a ledger is never overwritten.
        StreamctlError: it cannot be written, for instance for want of space.
    """

    def __init__(self, path: Path, header: LedgerHeader) -> None:
        import zstandard

        self.path = path
        self._compress = zstandard.ZstdCompressor(level=1).compress
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file: BinaryIO = path.open("xb", buffering=0)
        except FileExistsError:
            raise Refused(
                f'the ledger "{path}" exists', hint="Give another path with --ledger."
            ) from None
        self._write(b"H", json.dumps(as_json(header)).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def sending(self, batch: Batch) -> None:
        """Note records that are about to be given to Kafka."""
        columns = (batch.reasons, batch.devices, batch.event_ms, batch.created_ms)
        self._write(b"S", COUNTS.pack(batch.first, len(batch.values)) + _pack(columns))

    def delivered(
        self, sequences: "array[int]", partitions: "array[int]", offsets: "array[int]"
    ) -> None:
        """Note delivery reports; partition -1 is a failure, with the error's code as its offset."""
        if sequences:
            columns = (sequences, partitions, offsets)
            self._write(b"D", COUNTS.pack(0, len(sequences)) + _pack(columns))

    def end(self, facts: dict[str, Any]) -> None:
        """Note that the run ended in an orderly way."""
        self._write(b"E", json.dumps(facts).encode())

    def _write(self, kind: bytes, raw: bytes) -> None:
        block = self._compress(raw)
        head = FRAME.pack(MAGIC, kind, len(block), len(raw), zlib.crc32(block))
        rest = memoryview(head + block)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise StreamctlError(
                f'cannot write the ledger "{self.path}": {error.strerror}'
            ) from error


def read_frames(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each whole frame; end silently at a torn last one.

    Raises:
        NotFound: no such file.
        Malformed: it is no ledger, or a frame in the middle is damaged.
    """
    import zstandard

    decompress = zstandard.ZstdDecompressor().decompress
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFound(f'no ledger "{path}"') from None
    with file:
        size = path.stat().st_size
        while head := file.read(FRAME.size):
            if len(head) < FRAME.size:
                return
            magic, kind, length, raw_length, checksum = FRAME.unpack(head)
            if magic != MAGIC:
                raise Malformed(f'"{path}" is no ledger, or damaged at byte {file.tell()}')
            block = file.read(length)
            if len(block) < length:
                return
            if zlib.crc32(block) != checksum:
                if file.tell() >= size:
                    return
                raise Malformed(f'the ledger "{path}" is damaged before byte {file.tell()}')
            yield kind, decompress(block, max_output_size=raw_length)


def read_header(path: Path) -> LedgerHeader:
    """Say whose ledger it is.

    Raises:
        NotFound, Malformed: as `read_frames`.
    """
    for kind, content in read_frames(path):
        if kind == b"H":
            fields = json.loads(content)
            fields["reasons"] = tuple(fields["reasons"])
            fields["started_at"] = datetime.fromisoformat(fields["started_at"])
            return LedgerHeader(**fields)
        break
    raise Malformed(f'"{path}" is no ledger: it does not begin with a header')


def unpack(content: bytes, types: str) -> tuple[int, list["array[int]"]]:
    """Return the first number and the columns of an `S` or `D` frame."""
    first, count = COUNTS.unpack_from(content)
    position, columns = COUNTS.size, []
    for code in types:
        column = array(code)
        end = position + count * column.itemsize
        column.frombytes(content[position:end])
        _little_endian(column)
        columns.append(column)
        position = end
    return first, columns


def _pack(columns: tuple["array[int]", ...]) -> bytes:
    return b"".join(_little_endian(column[:]).tobytes() for column in columns)


def _little_endian(column: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        column.byteswap()
    return column
