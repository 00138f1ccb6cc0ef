"""Checksums of both kinds, made as Hadoop and Spark make them."""

import io
import json
import random
import zlib

import crc32c
import pytest

from streamctl.checkpoint.formats import sidecar
from streamctl.errors import Malformed, Unsupported


def hadoop(data: bytes, chunk: int = 512) -> bytes:
    sums = [zlib.crc32(data[i : i + chunk]).to_bytes(4, "big") for i in range(0, len(data), chunk)]
    return b"crc\0" + chunk.to_bytes(4, "big") + b"".join(sums)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 3_000_000])
@pytest.mark.parametrize("chunk", [512, 1000])
def test_hadoops_sum_is_compared_piece_by_piece(size, chunk):
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    sums = hadoop(data, chunk)
    assert sidecar.hadoop_matches(sums, io.BytesIO(data), name="f")
    assert not sidecar.hadoop_matches(sums, io.BytesIO(data + b"y"), name="f")
    if size:
        changed = data[: size // 2] + bytes([data[size // 2] ^ 1]) + data[size // 2 + 1 :]
        assert not sidecar.hadoop_matches(sums, io.BytesIO(changed), name="f")
        assert not sidecar.hadoop_matches(sums, io.BytesIO(data[:-1]), name="f")


@pytest.mark.parametrize("size", [1, 511, 512, 513, 1300])
def test_what_was_there_is_known_after_one_flipped_bit_and_after_an_appendix(size):
    data = random.Random(size).randbytes(size)
    sums = hadoop(data)
    for at in {0, size // 2, size - 1}:
        flipped = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
        assert sidecar.hadoop_original(sums, flipped) == data
    for more in (b"x", b"y" * 511, b"z" * 2000):
        assert sidecar.hadoop_original(sums, data + more) == data


def test_what_was_there_is_not_known_after_more():
    data = random.Random(1).randbytes(1300)
    sums = hadoop(data)
    for changed in (data[:-1], data[:600], b"", b"x" * 1300, data[:5] + b"abc" + data[8:]):
        assert sidecar.hadoop_original(sums, changed) is None
    for broken in (b"", b"crc", sums[:8], b"xyz" + sums[3:]):
        assert sidecar.hadoop_original(broken, data + b"x") is None


@pytest.mark.parametrize("sums", [b"", b"crc", b"xyz\0\0\0\2\0", b"crc\0\0\0\0\0"])
def test_a_damaged_sidecar_is_a_typed_error(sums):
    with pytest.raises(Malformed):
        sidecar.hadoop_matches(sums, io.BytesIO(b""), name="f")


def test_sparks_sum_is_a_signed_crc32c():
    data = b"state" * 1000
    value = crc32c.crc32c(data)
    signed = value - (1 << 32) if value >= 1 << 31 else value
    fields = {"algorithm": "CRC32C", "value": signed, "mainFileSize": len(data)}
    checksum = sidecar.parse_spark_checksum(json.dumps(fields).encode(), name="f")
    assert sidecar.spark_matches(checksum, io.BytesIO(data), name="f")
    assert not sidecar.spark_matches(checksum, io.BytesIO(data[:-1]), name="f")


def test_another_algorithm_is_not_supported():
    checksum = sidecar.SparkChecksum(algorithm="MD5", value=1, size_bytes=0)
    with pytest.raises(Unsupported):
        sidecar.spark_matches(checksum, io.BytesIO(b""), name="f")
