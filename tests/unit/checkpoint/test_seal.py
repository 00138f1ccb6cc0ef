"""A seal finds every changed bit of a final file, and nothing else."""

import os
import random
import shutil

import pytest

from streamctl.checkpoint.change.history import remade
from streamctl.checkpoint.change.rewind import plan_rewind
from streamctl.checkpoint.change.skip import Skip, plan_skip
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Effect
from streamctl.checkpoint.verify.seal import check_seal, seal
from streamctl.errors import Malformed, NotFound, Refused
from tests.goldens import golden
from tests.unit.change.helpers import NOW, bare, run, small, undo

FLIPS = int(os.environ.get("STREAMCTL_FLIPS", "300"))


@pytest.fixture(params=["hdfs-aggregation", "rocksdb2-changelog"])
def place(request, tmp_path):
    shutil.copytree(golden("4.2.0", request.param), tmp_path / "cp")
    return tmp_path / "cp"


def sealed(place, **more):
    checkpoint = Checkpoint.open(str(place))
    report = seal(checkpoint, directory=str(place.parent), name="seal.json", **more)
    return checkpoint, report


def check(checkpoint, place, **more):
    return check_seal(checkpoint, directory=str(place.parent), name="seal.json", **more)


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


def test_what_is_purged_while_it_is_sealed_is_left_out(place, monkeypatch):
    """A first seal of much state takes longer than a live query keeps its old files."""
    opened = Files.open

    def purging(self, path):
        number = path.rpartition("/")[2].partition(".")[0]
        if path.startswith("state/") and number.isdigit() and int(number) < 5:
            (place / path).unlink(missing_ok=True)
        return opened(self, path)

    monkeypatch.setattr(Files, "open", purging)
    checkpoint, report = sealed(place)
    assert report.files > 10
    assert check(checkpoint, place) == []


def test_a_second_seal_keeps_the_first_digests(place):
    checkpoint, first = sealed(place)
    oldest = min((p for p in (place / "commits").iterdir() if p.name.isdigit()), key=str)
    oldest.write_text("v1\n{}")
    _, second = sealed(place)
    assert second.added == 0
    assert second.files == first.files
    assert [f.path for f in check(checkpoint, place)] == [f"commits/{oldest.name}"]


def test_a_seal_is_of_one_query(place):
    """Of another checkpoint, the same names have other bytes and none of them is wrong."""
    sealed(place)
    before = (place.parent / "seal.json").read_text()
    (place / "metadata").write_text('{"id":"00000000-0000-0000-0000-000000000000"}')
    (place / "commits" / "0").write_text("v1\n{}")
    with pytest.raises(Refused, match="of query"):
        sealed(place)
    assert (place.parent / "seal.json").read_text() == before
    (found,) = check(Checkpoint.open(str(place)), place)
    assert found.path == "metadata"
    assert "the seal is of query" in found.detail


@pytest.mark.parametrize("inside", ["", "state", "link"])
def test_no_seal_lies_where_spark_looks(place, inside):
    (place.parent / "link").symlink_to(place, target_is_directory=True)
    directory = place.parent / "link" if inside == "link" else place / inside
    with pytest.raises(Refused, match="in the checkpoint"):
        seal(Checkpoint.open(str(place)), directory=str(directory), name="seal.json")
    assert not list(place.rglob("seal.json"))


def test_a_table_that_is_being_uploaded_is_not_sealed(place):
    """RocksDB's tables are written in place: one is whole when a snapshot names it."""
    for folder in place.glob("state/*/*/SSTs"):
        (folder / "000999-0a1b2c3d-0000-0000-0000-000000000000.sst").write_bytes(b"")
    checkpoint, report = sealed(place)
    assert report.files > 20
    for path in place.glob("state/*/*/SSTs/000999*"):
        path.write_bytes(b"whole now")
    assert check(checkpoint, place) == []
    named = [p for p in place.glob("state/*/*/SSTs/*.sst") if not p.name.startswith("000999")]
    assert any(_is_sealed(path, place) for path in named) == bool(named)
    again = seal(checkpoint, directory=str(place.parent), name="seal.json")
    assert (again.files, again.added) == (report.files, 0)


def test_what_a_rewind_lets_spark_write_again_is_no_finding(tmp_path):
    """Sealed before the rewind: the batches after it are other ones. The rest stays sealed."""
    path = small(tmp_path / "cp", uncommitted=False)
    checkpoint, _ = sealed(path)
    target = bare(path)
    run(target.area, plan_rewind(target, 1, why="test", now=NOW))
    small(tmp_path / "again", uncommitted=False, topic="other")
    for name in ("offsets/2", "offsets/3", "commits/2", "commits/3"):
        shutil.copy(tmp_path / "again" / name, path / name)
    changes = remade(target.area, str(path))
    assert [change.batch_id for change in changes] == [2]
    assert {f.path for f in check(checkpoint, path)} == {"offsets/2", "offsets/3"}
    assert check(checkpoint, path, remade=changes) == []
    (path / "offsets/1").write_text("v1\n")
    assert [f.path for f in check(checkpoint, path, remade=changes)] == ["offsets/1"]
    sealed(path, remade=changes)
    (path / "offsets/3").write_text("v1\n")
    assert {f.path for f in check(checkpoint, path, remade=changes)} == {"offsets/1", "offsets/3"}


def test_an_undone_rewind_and_a_skip_let_files_be_as_they_are_now(tmp_path):
    path = small(tmp_path / "cp", uncommitted=False)
    target = bare(path)
    skip = Skip(topic="", partition=0, end=43)
    plan = plan_skip(target, skip, why="poison", now=NOW, dead_letter_topic="t.dlq")
    checkpoint, _ = sealed(path)
    run(target.area, plan)
    assert check(checkpoint, path, remade=remade(target.area, str(path))) == []
    sealed(path, remade=remade(target.area, str(path)))
    undo(target.area)
    changes = remade(target.area, str(path))
    assert [change.batch_id for change in changes] == [3, 3]
    assert check(checkpoint, path, remade=changes) == []
    assert remade(target.area, str(tmp_path / "other")) == []


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
