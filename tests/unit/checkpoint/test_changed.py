"""Whether a start sees what became of a file that its checksum contradicts."""

import zlib

import pytest

from streamctl.checkpoint.verify import changed
from streamctl.checkpoint.verify.kinds import Effect
from tests.goldens import golden

NEWEST = changed.newest_offsets(has_state=True)


def newest(folder):
    names = (p for p in folder.iterdir() if p.name.isdigit())
    return max(names, key=lambda path: int(path.name)).read_bytes()


@pytest.fixture(scope="module")
def files():
    place = golden("4.2.0", "hdfs-aggregation")
    return {
        "metadata": (place / "metadata").read_bytes(),
        "offsets": newest(place / "offsets"),
        "commits": newest(place / "commits"),
        "operator": (place / "state/0/_metadata/metadata").read_bytes(),
        "schema": (place / "state/0/0/_metadata/schema").read_bytes(),
    }


def sums(data):
    pieces = [data[at : at + 512] for at in range(0, len(data), 512)]
    return b"crc\0\0\0\2\0" + b"".join(zlib.crc32(p).to_bytes(4, "big") for p in pieces)


@pytest.mark.parametrize(
    ("name", "compare", "bit", "expected"),
    [
        ("metadata", changed.metadata, (b'":"', b'":#'), Effect.UNKNOWN),
        ("offsets", NEWEST, (b'Ms":17', b'Ms":13'), Effect.STARTS),
        ("offsets", NEWEST, (b'Ms":17', b'Ms":57'), Effect.UNKNOWN),
        ("offsets", NEWEST, (b"compression.codec", b"Compression.codec"), Effect.STARTS),
        ("offsets", NEWEST, (b"providerClass", b"proviterClass"), Effect.UNKNOWN),
        ("offsets", NEWEST, (b"unsaferow", b"uns`ferow"), Effect.FAILS),
        ("offsets", NEWEST, (b'"offset":1', b'"offset":3'), Effect.UNKNOWN),
        ("offsets", changed.older_offsets, (b"providerClass", b"proviterClass"), Effect.STARTS),
        ("offsets", changed.older_offsets, (b'"offset":1', b'"offset":3'), Effect.UNKNOWN),
        ("commits", changed.commit, (b'Ms":17', b'Ms":13'), Effect.STARTS),
        ("commits", changed.commit, (b'Ms":17', b'Ms":57'), Effect.UNKNOWN),
        ("operator", changed.operator, (b'"default"', b'"defaulu"'), Effect.STARTS),
        ("operator", changed.operator, (b"StoreSave", b"StoreSawe"), Effect.FAILS),
        ("schema", changed.schema, (b"spark.watermarkDelayMs", b"spark.watermarkDelayMq"),
         Effect.STARTS),
        ("schema", changed.schema, (b'"long"', b'"mong"'), Effect.UNKNOWN),
        ("schema", changed.state_file("zstd"), (b'"long"', b'"mong"'), Effect.UNKNOWN),
        ("schema", changed.state_file("lz4"), (b'"long"', b'"mong"'), Effect.STARTS),
    ],
)  # fmt: skip
def test_one_flipped_bit(files, name, compare, bit, expected):
    """What there was is told by the sum; what Spark does not look at does not count."""
    before = files[name]
    after = before.replace(*bit, 1)
    change = changed.judge(sums(before), after, compare)
    assert after != before
    assert change.effect is expected
    assert change.detail.startswith("one bit flipped: byte ")


@pytest.mark.parametrize(
    ("name", "compare", "more", "expected"),
    [
        ("metadata", changed.metadata, b"{}", Effect.STARTS),
        ("schema", changed.schema, b"xyz", Effect.STARTS),
        ("commits", changed.commit, b"\n", Effect.STARTS),
        ("offsets", NEWEST, b'\n{"offset":9}', Effect.UNKNOWN),
        ("schema", changed.state_file("zstd"), b"x", Effect.STARTS),
    ],
)
def test_bytes_at_the_end(files, name, compare, more, expected):
    """Harmless after a value that has an end of its own; a further source it is not."""
    change = changed.judge(sums(files[name]), files[name] + more, compare)
    assert (change.effect, change.detail) == (expected, f"{len(more)} bytes were added")


def test_what_cannot_be_told(files):
    """Where more was changed, neither what was there nor what it does."""
    cut = files["schema"][:-20]
    assert changed.judge(sums(files["schema"]), cut, changed.schema) == changed.Change()
