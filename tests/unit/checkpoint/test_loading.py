"""When Spark makes do without a snapshot: by release, by format, and by how far changelogs go."""

import shutil

import pytest

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify import loading
from streamctl.checkpoint.verify.kinds import Effect
from streamctl.checkpoint.verify.verify import verify
from tests.goldens import golden


@pytest.fixture
def look(tmp_path):
    """Damage the newest snapshot of a copy; the one finding in its partition."""

    def looked(version, name, *, gone=False):
        shutil.copytree(golden(version, name), tmp_path / "cp")
        files = (tmp_path / "cp/state/0/0").glob("*.zip")
        newest = max(files, key=lambda path: int(path.stem.partition("_")[0]))
        newest.unlink() if gone else newest.write_bytes(b"PK")
        for sum_of_it in newest.parent.glob(f"*{newest.name}*.crc"):
            sum_of_it.unlink()
        report = verify(Checkpoint.open(str(tmp_path / "cp")), sleep=lambda _: None)
        found = [f for f in report.findings if "/0/0/" in f.path]
        assert [f.path for f in found] == [f"state/0/0/{newest.name}"]
        return found[0].code, found[0].effect

    return looked


@pytest.mark.parametrize(
    ("version", "name", "expected"),
    [
        ("3.5.7", "rocksdb-changelog", Effect.UNKNOWN),
        ("4.0.1", "rocksdb-changelog", Effect.UNKNOWN),
        ("4.1.0", "rocksdb-changelog", Effect.STARTS),
        ("4.2.0", "rocksdb-changelog", Effect.STARTS),
        ("4.1.0", "rocksdb2-transformwithstate", Effect.UNKNOWN),
        ("4.2.0", "rocksdb2-transformwithstate", Effect.STARTS),
        ("4.3.0", "rocksdb2-transformwithstate", Effect.STARTS),
    ],
)
def test_a_snapshot_is_repaired_by_the_releases_that_can(look, version, name, expected):
    """4.1 by names alone, 4.2 by unique ids too; the one before starts only with a newer Spark."""
    assert look(version, name) == ("snapshot-damaged", expected)


def test_a_missing_snapshot_is_one_too_many_for_names_alone_and_not_for_ids(look):
    """The changelogs name it; without ids, an older snapshot and more changes are as good."""
    assert look("4.2.0", "rocksdb2-transformwithstate", gone=True) == (
        "snapshot-damaged",
        Effect.STARTS,
    )


def test_where_the_changelogs_do_not_lead_back_an_older_snapshot_is_not_found(look):
    """The older snapshot is there; the changelog of version 3, which leads on, is purged."""
    assert look("4.2.0", "rocksdb2-changelog") == ("state-file-damaged", Effect.FAILS)


def test_an_older_snapshot_is_not_taken_where_too_many_changes_follow(look, monkeypatch):
    monkeypatch.setattr(loading, "MOST_REPLAYED", 3)
    assert look("4.2.0", "rocksdb2-transformwithstate")[1] is Effect.FAILS


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("rocksdb-changelog", 0, ("state-file-damaged", Effect.FAILS)),
        ("rocksdb2-transformwithstate", 0, ("state-file-damaged", Effect.FAILS)),
        ("rocksdb-changelog", -60, ("snapshot-damaged", Effect.STARTS)),
        ("rocksdb2-transformwithstate", -60, ("snapshot-damaged", Effect.STARTS)),
    ],
)
def test_damaged_rows_are_found_when_the_snapshot_is_loaded_already(
    tmp_path, name, place, expected
):
    """Only what RocksDB reads on opening a table makes Spark take an older snapshot."""
    shutil.copytree(golden("4.2.0", name), tmp_path / "cp")
    newest = max((tmp_path / "cp/state/0/0/SSTs").glob("*.sst"))
    data = bytearray(newest.read_bytes())
    data[place] ^= 4
    newest.write_bytes(data)
    newest.with_name(f".{newest.name}.crc").unlink(missing_ok=True)
    report = verify(Checkpoint.open(str(tmp_path / "cp")), sleep=lambda _: None)
    found = [f for f in report.findings if "/0/0/" in f.path]
    assert [(f.code, f.effect) for f in found] == [expected]
