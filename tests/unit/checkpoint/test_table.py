"""RocksDB tables: every byte that RocksDB reads is guarded."""

import io

import pytest

from streamctl.checkpoint.formats.table import FilterDamaged, RowsDamaged, check_table
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


@pytest.mark.parametrize(
    ("place", "error"),
    [
        (lambda _: 0, RowsDamaged),
        (lambda data: data.index(b"rocksdb.block.based.table.index.type"), Malformed),
        (lambda data: data.index(b"fullfilter."), Malformed),
        (lambda data: len(data) - 1, Malformed),
    ],
    ids=["rows", "properties", "metaindex", "footer"],
)
def test_what_opening_a_table_reads_is_told_from_the_rows(place, error):
    data = bytearray(table("4.2.0"))
    data[place(data)] ^= 4
    with pytest.raises(Malformed) as raised:
        check_table(io.BytesIO(data), size_bytes=len(data), name="t")
    assert type(raised.value) is error


def test_a_damaged_filter_is_no_more_than_that():
    """It lies after the rows; every byte of it is told as the filter's, none as another's."""
    whole = table("4.2.0")
    kinds = []
    for at in range(0, len(whole) - 53, 7):
        data = bytearray(whole)
        data[at] ^= 4
        with pytest.raises(Malformed) as raised:
            check_table(io.BytesIO(data), size_bytes=len(data), name="t")
        kinds.append(type(raised.value).__name__)
    order = [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before]
    assert order == [RowsDamaged.__name__, FilterDamaged.__name__, Malformed.__name__]
