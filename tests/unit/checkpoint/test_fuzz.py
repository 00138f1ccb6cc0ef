"""Whatever the bytes, every parser answers with a value or a typed error, in bounded memory.

`STREAMCTL_FUZZ` sets the number of inputs per parser; the release run uses 100000 in all.
"""

import functools
import io
import os
import random
import resource
import time

import pytest

from streamctl.checkpoint.formats import filelog, log, operator, rows, sidecar, snapshot, table
from streamctl.checkpoint.tree import layout
from streamctl.errors import Malformed, Unsupported
from tests.goldens import VERSIONS, unpacked

INPUTS = int(os.environ.get("STREAMCTL_FUZZ", "250"))
SLOWEST_SECONDS = 2.0
MEMORY_LIMIT_KB = 200 * 1024


def drain(reader):
    return lambda data: list(reader(io.BytesIO(data), name="fuzz"))


PARSERS = {
    "metadata": (
        log.parse_metadata,
        lambda p: p.name == "metadata" and p.parent.name != "_metadata",
    ),
    "offsets": (log.parse_offsets, lambda p: p.parent.name == "offsets"),
    "commits": (log.parse_commit, lambda p: p.parent.name == "commits"),
    "kafka": (log.parse_kafka_initial, None),
    "delta": (drain(rows.read_delta), lambda p: p.suffix == ".delta"),
    "snapshot": (drain(rows.read_snapshot), lambda p: p.suffix == ".snapshot"),
    "changelog": (drain(rows.read_changelog), lambda p: p.suffix == ".changelog"),
    "zip": (
        lambda data: snapshot.parse_snapshot(io.BytesIO(data), name="fuzz"),
        lambda p: p.suffix == ".zip",
    ),
    "table": (
        lambda data: table.check_table(io.BytesIO(data), size_bytes=len(data), name="fuzz"),
        lambda p: p.suffix == ".sst",
    ),
    "operator": (
        functools.partial(operator.parse_operator_metadata, name="fuzz"),
        lambda p: "_metadata" in p.parts and p.name in {"metadata", "0"} and "state" in p.parts,
    ),
    "schema": (functools.partial(operator.parse_schema, name="fuzz"), lambda p: p.name == "schema"),
    "schema3": (
        functools.partial(operator.parse_schema, name="fuzz"),
        lambda p: "_stateSchema" in p.parts,
    ),
    "spark-sum": (
        functools.partial(sidecar.parse_spark_checksum, name="fuzz"),
        lambda p: p.suffix == ".crc" and not p.name.startswith("."),
    ),
    "hadoop-sum": (
        lambda data: sidecar.hadoop_matches(data, io.BytesIO(b"x" * 700), name="fuzz"),
        None,
    ),
    "file-log": (
        functools.partial(filelog.parse_file_log, name="fuzz"),
        lambda p: "_spark_metadata" in p.parts,
    ),
}
MADE = {
    "kafka": [b'\0v1\n{"topic":{"0":12,"1":3}}', b'9{"t":{"0":1}}'],
    "hadoop-sum": [b"crc\0\0\0\2\0" + bytes(8)],
}


def seeds(name: str, wanted) -> list[bytes]:
    if wanted is None:
        return MADE[name]
    found = set()
    for version in VERSIONS:
        for path in sorted(unpacked(version).rglob("*")):
            if (
                path.is_file()
                and wanted(path)
                and (
                    not path.name.startswith(".")
                    and layout.sidecar_of(path.name) in {None, path.stem}
                )
            ) and (path.suffix == ".crc") == (name == "spark-sum"):
                found.add(path.read_bytes())
    return sorted(found)[::3]


def mutate(rng: random.Random, data: bytes) -> bytes:
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return data[: rng.randrange(len(data) + 1)]
    out = bytearray(data)
    if kind == 2 and out:
        at = rng.randrange(len(out))
        del out[at : at + rng.randrange(1, 40)]
    elif kind == 3:
        at = rng.randrange(len(out) + 1)
        out[at:at] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"[" * 3000, bytes(9)])
    else:
        for _ in range(rng.randrange(1, 6)):
            if out:
                out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


@pytest.mark.parametrize("name", PARSERS)
def test_any_bytes_give_a_value_or_a_typed_error(name):
    parse, wanted = PARSERS[name]
    known = seeds(name, wanted)
    assert known
    rng = random.Random(f"fuzz {name}")
    values = errors = 0
    for _ in range(INPUTS):
        data = mutate(rng, rng.choice(known))
        began = time.perf_counter()
        try:
            parse(data)
            values += 1
        except (Malformed, Unsupported):
            errors += 1
        assert time.perf_counter() - began < SLOWEST_SECONDS
    assert errors
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MEMORY_LIMIT_KB * 2
    )  # with what other tests left behind


BOMBS = {
    "a key of two gigabytes": b"\x7f\xff\xff\xff",
    "a value of two gigabytes": b"\0\0\0\1k\x7f\xff\xff\xff",
}


@pytest.mark.parametrize("plain", BOMBS.values(), ids=BOMBS.keys())
def test_lengths_are_not_believed(plain):
    import zstandard

    data = zstandard.compress(plain + bytes(1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((Malformed, Unsupported)):
        list(rows.read_delta(io.BytesIO(data), name="bomb"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_LIMIT_KB


def test_a_compression_bomb_is_read_in_pieces():
    import zstandard

    plain = b"\0\0\0\1k" + (1 << 30).to_bytes(4, "big")
    packer = zstandard.ZstdCompressor().compressobj()
    packed = packer.compress(plain)
    for _ in range(1024):
        packed += packer.compress(bytes(1 << 20))
    packed += packer.compress(b"\xff\xff\xff\xff") + packer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    changes = list(rows.read_delta(io.BytesIO(packed), name="bomb"))
    assert len(changes) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_LIMIT_KB
