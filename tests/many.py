"""Checkpoints with as much real, distinct state as is asked for, written as Spark writes it.

Deltas are those of `HDFSBackedStateStoreProvider` in the frames of `LZ4BlockOutputStream`, with
Hadoop's sums beside, so that they load, verify and do not shrink much, like the real ones.
"""

import json
import random
import struct
import zlib
from pathlib import Path

import lz4.block
import xxhash

from streamctl.checkpoint.tree import layout
from tests.goldens import golden

_BLOCK_BYTES = 32 * 1024
_SEED, _MASK = 0x9747B28C, 0x0FFFFFFF
_RAW, _COMPRESSED = 0x10, 0x20
_LEVEL = 5
_HEAD = struct.Struct("<8sBiiI")


class Many:
    """A checkpoint of one operator, which grows batch by batch.

    Args:
        root: made.
        partitions: of the state.
        rows: changed in each partition by a batch.
        value_bytes: of each row, half of it random.
    """

    def __init__(self, root: Path, *, partitions: int, rows: int, value_bytes: int) -> None:
        self.root, self.partitions = root, partitions
        self._rows, self._value_bytes = rows, value_bytes
        self._source = golden("4.2.0", "hdfs-aggregation")
        self._random = random.Random(7)
        self.batches = 0
        for folder in ("offsets", "commits", "state/0/_metadata"):
            (root / folder).mkdir(parents=True)
        self._copy("metadata", "metadata")
        described = (self._source / "state/0/_metadata/metadata").read_text().split("\n")[1]
        fields = json.loads(described)
        fields["stateStoreInfo"][0]["numPartitions"] = partitions
        self._write("state/0/_metadata/metadata", b"v1\n" + json.dumps(fields).encode())
        schema = "state/0/0/_metadata/schema"
        self._write(schema, (self._source / schema).read_bytes())

    def add_batch(self) -> None:
        """One more committed batch, with a delta in every partition."""
        version = self.batches + 1
        for partition in range(self.partitions):
            self._write(f"state/0/{partition}/{version}.delta", self._delta())
        newest = max(layout.batch_ids(p.name for p in (self._source / "offsets").iterdir()))
        lines = (self._source / "offsets" / str(newest)).read_text().split("\n")
        metadata = json.loads(lines[1])
        metadata["conf"]["spark.sql.shuffle.partitions"] = str(self.partitions)
        lines[1] = json.dumps(metadata)
        self._write(f"offsets/{self.batches}", "\n".join(lines).encode())
        self._copy(f"commits/{newest}", f"commits/{self.batches}")
        self.batches += 1

    def _delta(self) -> bytes:
        plain = bytearray()
        half = self._value_bytes // 2
        for _ in range(self._rows):
            value = self._random.randbytes(half) + bytes(self._value_bytes - half)
            key = self._random.randbytes(16)
            plain += struct.pack(">i", len(key)) + key + struct.pack(">i", len(value)) + value
        plain += struct.pack(">i", -1)
        return _lz4(bytes(plain))

    def _copy(self, source: str, target: str) -> None:
        self._write(target, (self._source / source).read_bytes())

    def _write(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        sums = b"".join(
            struct.pack(">I", zlib.crc32(data[at : at + 512])) for at in range(0, len(data), 512)
        )
        beside = self.root / layout.hadoop_sidecar(name)
        beside.write_bytes(b"crc\0" + struct.pack(">i", 512) + sums)


def _lz4(plain: bytes) -> bytes:
    found = bytearray()
    for at in range(0, len(plain), _BLOCK_BYTES):
        block = plain[at : at + _BLOCK_BYTES]
        small = lz4.block.compress(block, store_size=False)
        method, data = (_COMPRESSED, small) if len(small) < len(block) else (_RAW, block)
        check = xxhash.xxh32_intdigest(block, _SEED) & _MASK
        found += _HEAD.pack(b"LZ4Block", method | _LEVEL, len(data), len(block), check) + data
    return bytes(found + _HEAD.pack(b"LZ4Block", _RAW | _LEVEL, 0, 0, 0))
