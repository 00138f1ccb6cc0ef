"""RocksDB tables: every byte that RocksDB reads is guarded."""

import io

import pytest

from streamctl.checkpoint.formats.table import check_table
from streamctl.errors import Malformed, Unsupported
from tests.goldens import VERSIONS, unpacked

PADDING = range(12, 47)
"""Bytes before the end that pad the footer; RocksDB does not look at them."""


def table(version):
    """The largest table of a version."""
    found = unpacked(version).glob("*rocksdb*/state/**/SSTs/*.sst")
    return max((path.read_bytes() for path in found), key=lambda data: (len(data), data))


@pytest.mark.parametrize("version", [v for v in VERSIONS if not v.endswith("kafka")])
def test_a_changed_byte_is_found_wherever_it_is(version):
    """Spark 3.5 compresses with Snappy, later ones with LZ4."""
    data = table(version)
    assert check_table(io.BytesIO(data), size_bytes=len(data), name="t") >= 5
    missed = []
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x21
        try:
            check_table(io.BytesIO(changed), size_bytes=len(data), name="t")
            missed.append(len(data) - at)
        except (Malformed, Unsupported):
            pass
    assert set(missed) <= set(PADDING)


@pytest.mark.parametrize("size", [0, 52, 53, 400])
def test_a_cut_table_is_found(size):
    data = table("4.2.0")[:size]
    with pytest.raises(Malformed):
        check_table(io.BytesIO(data), size_bytes=len(data), name="t")
