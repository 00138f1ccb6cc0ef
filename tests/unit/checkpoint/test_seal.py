"""A seal finds every changed bit of a final file, and nothing else."""

import os
import random
import shutil

import pytest

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Effect
from streamctl.checkpoint.verify.seal import check_seal, seal
from streamctl.errors import Malformed, NotFound
from tests.goldens import golden

FLIPS = int(os.environ.get("STREAMCTL_FLIPS", "300"))


@pytest.fixture(params=["hdfs-aggregation", "rocksdb2-changelog"])
def place(request, tmp_path):
    shutil.copytree(golden("4.2.0", request.param), tmp_path / "cp")
    return tmp_path / "cp"


def sealed(place):
    checkpoint = Checkpoint.open(str(place))
    report = seal(checkpoint, directory=str(place.parent), name="seal.json")
    return checkpoint, report


def check(checkpoint, place):
    return check_seal(checkpoint, directory=str(place.parent), name="seal.json")


def test_every_flipped_bit_is_found_and_its_file_named(place):
    checkpoint, report = sealed(place)
    assert report.files > 20
    assert check(checkpoint, place) == []
    rng = random.Random("flips")
    covered = [
        p
        for p in sorted(place.rglob("*"))
        if p.is_file() and p.stat().st_size and _is_sealed(p, place)
    ]
    for _ in range(FLIPS):
        path = rng.choice(covered)
        data = path.read_bytes()
        at = rng.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
        assert [f.path for f in check(checkpoint, place)] == [str(path.relative_to(place))]
        path.write_bytes(data)


def _is_sealed(path, place):
    return str(path.relative_to(place)) in (place.parent / "seal.json").read_text()


def test_what_spark_purges_and_writes_later_is_no_finding(place):
    checkpoint, _ = sealed(place)
    oldest = min(
        (p for p in (place / "offsets").iterdir() if p.name.isdigit()), key=lambda p: int(p.name)
    )
    oldest.unlink()
    (place / "offsets" / "999").write_text("v1\n{}\n5")
    assert check(checkpoint, place) == []


def test_a_second_seal_keeps_the_first_digests(place):
    checkpoint, first = sealed(place)
    (place / "metadata").write_text('{"id":"00000000-0000-0000-0000-000000000000"}')
    _, second = sealed(place)
    assert second.added == 0
    assert second.files == first.files
    assert [f.path for f in check(checkpoint, place)] == ["metadata"]


def test_no_seal_and_a_damaged_seal_are_never_ok(place):
    checkpoint = Checkpoint.open(str(place))
    with pytest.raises(NotFound):
        check(checkpoint, place)
    (place.parent / "seal.json").write_text('{"format":"other"}')
    with pytest.raises(Malformed):
        check(checkpoint, place)


def test_a_seal_knows_that_there_was_state(place):
    """Without a watermark the checkpoint alone looks like one of a query that keeps none."""
    checkpoint, _ = sealed(place)
    shutil.rmtree(place / "state")
    assert [(f.code, f.effect) for f in check(checkpoint, place)] == [("state-gone", Effect.FAILS)]
