"""What `inspect` says is what the files say, and what they do not say is not made up."""

import os
import shutil
import uuid
from datetime import UTC, datetime

import pytest

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import CommitEntry, OffsetsEntry, SourceOffset
from streamctl.checkpoint.report.history import history
from streamctl.checkpoint.report.inspect import inspect
from streamctl.checkpoint.report.model import Section
from streamctl.checkpoint.tree import state
from streamctl.checkpoint.tree.keys import count_keys
from streamctl.checkpoint.tree.reader import Checkpoint
from tests import big
from tests.goldens import cases, expected, golden

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = 1_700_000_000
ALL = pytest.mark.parametrize(
    ("version", "name"), cases(), ids=["-".join(case) for case in cases()]
)
JOIN_STORES = [f"{side}-{kind}" for side in ("left", "right")
               for kind in ("keyToNumValues", "keyWithIndexToValue")]  # fmt: skip


@pytest.fixture
def first_batch(tmp_path):
    """A query that began at 10 and 20, and whose batch 0 read 2 and 3 records."""
    for folder in ("offsets", "commits", "sources/0"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "metadata").write_bytes(log.format_metadata(str(uuid.uuid4())))
    ends = (SourceOffset(source_id="0", text='{"t":{"0":12,"1":23}}'),)
    (tmp_path / "offsets/0").write_bytes(log.format_offsets(OffsetsEntry(sources=ends)))
    (tmp_path / "commits/0").write_bytes(log.format_commit(CommitEntry()))
    (tmp_path / "sources/0/0").write_bytes(log.format_kafka_initial({"t": {0: 10, 1: 20}}))
    return tmp_path


def looked_at(path, **more):
    return inspect(Checkpoint.open(str(path)), now=NOW, **more)


def counted(path, **more):
    return looked_at(path, sections=[Section.STATE], **more)


def copied(tmp_path, version, name):
    return shutil.copytree(golden(version, name), tmp_path / name)


def starts(report):
    return [part.start_offset for source in report.sources for part in source.partitions]


def parts(report):
    return [part for operator in report.operators for part in operator.partition_states]


def test_batch_0_begins_where_the_source_wrote_that_it_does(first_batch):
    report = looked_at(first_batch)
    assert (starts(report), report.sources[0].records) == ([10, 20], 5)
    (row,) = history(Checkpoint.open(str(first_batch))).batches
    assert [(a.topic, a.records, a.new_partitions) for a in row.advanced] == [("t", 5, 0)]


def test_where_batch_0_begins_is_not_known_without_the_sources_file(first_batch):
    (first_batch / "sources/0/0").unlink()
    report = looked_at(first_batch)
    assert (starts(report), report.sources[0].records) == ([None, None], None)
    (row,) = history(Checkpoint.open(str(first_batch))).batches
    assert row.advanced is None


def test_a_damaged_first_offset_is_told(first_batch):
    (first_batch / "sources/0/0").write_bytes(b"\0v1\n{")
    report = looked_at(first_batch)
    assert (starts(report), report.verdict) == ([None, None], "unknown")
    assert "sources/0/0" in report.unknown[0]


def test_history_names_a_source_that_cannot_be_read(first_batch):
    """An offset that is no JSON is not a batch without records."""
    path = first_batch / "offsets/0"
    path.write_bytes(path.read_bytes().replace(b'{"t":', b'{"t'))
    report = history(Checkpoint.open(str(first_batch)))
    assert (report.verdict, report.batches[0].advanced) == ("unknown", None)
    assert report.batches[0].problem


def test_an_unreadable_query_id_is_an_unknown(first_batch):
    (first_batch / "metadata").write_bytes(b"{")
    assert looked_at(first_batch).verdict == "unknown"
    (first_batch / "metadata").unlink()
    report = looked_at(first_batch)
    assert (report.verdict, report.query_id) == ("unknown", None)


@ALL
def test_every_file_is_counted_once(version, name):
    root = golden(version, name)
    report = looked_at(root)
    there = [path for path in root.rglob("*") if path.is_file()]
    assert sum(kind.files for kind in report.files) == len(there)
    kinds = {kind.kind for kind in report.files}
    assert "foreign" not in kinds
    leftovers = any(".tmp" in path.name for path in there)
    assert ("temporary" in kinds) == leftovers
    sums = sum(path.stat().st_size for path in there if not path.name.endswith(".crc"))
    assert sum(kind.size_bytes or 0 for kind in report.files) == sums


def test_leftovers_and_foreign_files_are_neither_state_nor_checksums(tmp_path):
    root = copied(tmp_path, "4.2.0", "hdfs-join")
    before = {kind.kind: kind.files for kind in looked_at(root).files}
    random = uuid.uuid4()
    planted = {
        "temporary": [f"offsets/.9.{random}.tmp", f"offsets/..9.{random}.tmp.crc",
                      f"state/0/0/left-keyToNumValues/.9.delta.{random}.TID7.tmp"],
        "foreign": ["note.txt", "offsets/9.bak", "sources.tar", "state/0/todo",
                    "state/0/1/note", "state/0/0/left-keyToNumValues/old.delta"],
    }  # fmt: skip
    for paths in planted.values():
        for path in paths:
            (root / path).write_text("x")
    after = {kind.kind: kind.files for kind in looked_at(root).files}
    grown = {kind: files - before.get(kind, 0) for kind, files in after.items()}
    assert {kind: more for kind, more in grown.items() if more} == {
        kind: len(paths) for kind, paths in planted.items()
    }


@ALL
def test_state_after_the_newest_commit_is_counted_in_every_store(version, name):
    """As Spark's own reader counted it."""
    said = expected(version)[name]
    report = counted(golden(version, name))
    assert (report.verdict, report.unknown) == ("ok", ())
    for operator in report.operators:
        for part in operator.partition_states:
            spark = said["rows"].get(f"{operator.operator_id}/{part.store}")
            if part.keys is not None and part.keys_at_version == said["committed"] + 1 and spark:
                assert part.keys == spark.get(str(part.partition), 0)


def test_keys_are_those_of_the_batch_that_is_asked_for():
    root = golden("4.2.0", "hdfs-aggregation")
    checkpoint = Checkpoint.open(str(root))
    (operator,) = state.scan(checkpoint.files)
    for batch in (6, 7, 8):
        report = counted(root, batch_id=batch)
        assert {part.keys_at_version for part in parts(report)} == {batch + 1}
        assert [part.keys for part in parts(report)] == [
            count_keys(checkpoint.files, store, state.chain(store, batch + 1)).keys
            for store in operator.stores
        ]


def test_keys_of_a_batch_in_flight_are_those_that_it_begins_with():
    report = counted(golden("4.2.0", "hdfs-join"))
    assert (report.batch_id, report.committed_batch_id) == (8, 7)
    assert {part.keys_at_version for part in parts(report)} == {8}


def test_a_store_that_cannot_be_made_is_shown_and_named(tmp_path):
    root = copied(tmp_path, "4.2.0", "hdfs-aggregation")
    for path in (root / "state/0/1").iterdir():
        if path.is_file():
            path.unlink()
    report = counted(root)
    assert report.verdict == "unknown"
    assert [part.partition for part in parts(report)] == list(range(len(parts(report))))
    assert [part.partition for part in parts(report) if part.keys is None] == [1]
    assert report.operators[0].keys is None
    assert [line for line in report.unknown if "state/0/1" in line] == list(report.unknown)


@pytest.fixture
def join_of_format_2(tmp_path):
    """Each store of a join has a name of its own for its state: no release of Spark made this."""
    root = copied(tmp_path, "4.2.0", "rocksdb-changelog-join")
    ids = {}
    for store in sorted(root.glob("state/0/*/*-key*")):
        of_store = ids.setdefault(store.parent.name, {})
        of_store[store.name] = str(uuid.uuid4())
        zipped = min(store.glob("*.zip")).read_bytes()
        for path in [p for p in store.iterdir() if p.is_file()]:
            path.unlink()
        (store / f"8_{of_store[store.name]}.zip").write_bytes(zipped)
    named = tuple(
        tuple(ids[str(partition)][store] for store in JOIN_STORES) for partition in range(len(ids))
    )
    entry = CommitEntry(version=2, state_unique_ids={0: named})
    (root / "commits/7").write_bytes(log.format_commit(entry))
    return root


def test_each_store_of_a_join_is_looked_for_under_its_own_id(join_of_format_2):
    report = counted(join_of_format_2)
    assert report.state_format_version == 2
    assert report.unknown == ()
    assert {part.store for part in parts(report)} == set(JOIN_STORES)
    assert {part.keys_at_version for part in parts(report)} == {8}


def test_a_commit_that_names_no_state_leaves_its_keys_unknown(join_of_format_2):
    (join_of_format_2 / "commits/7").write_bytes(log.format_commit(CommitEntry(version=2)))
    report = counted(join_of_format_2)
    assert report.verdict == "unknown"
    assert all("commits/7 does not name its files" in line for line in report.unknown)


def test_growth_of_rocksdb_is_zips_and_the_tables_new_with_them(tmp_path):
    """Those that were there before the oldest zip were written by no batch that is kept."""
    root = copied(tmp_path, "4.2.0", "rocksdb-aggregation")
    for partition in root.glob("state/0/[0-9]*"):
        for path in [p for p in partition.rglob("*") if p.is_file()]:
            path.unlink()
        for number in (5, 6, 7):
            zipped = partition / f"{number}.zip"
            zipped.write_bytes(b"z" * 100)
            os.utime(zipped, (MOMENT + number, MOMENT + number))
        for name, second, size in (("old", 4, 9000), ("new", 6, 400), ("newer", 7, 200)):
            table = partition / "SSTs" / f"{name}.sst"
            table.write_bytes(b"t" * size)
            os.utime(table, (MOMENT + second, MOMENT + second))
    stores = len(list(root.glob("state/0/[0-9]*")))
    assert looked_at(root).growth_bytes_per_batch == stores * (2 * 100 + 600) // 2


def test_growth_of_one_version_is_not_known(tmp_path):
    root = copied(tmp_path, "4.2.0", "rocksdb-aggregation")
    for partition in root.glob("state/0/[0-9]*"):
        for path in sorted(partition.glob("*.zip"))[1:]:
            path.unlink()
    assert looked_at(root).growth_bytes_per_batch is None


def test_calls_do_not_depend_on_the_versions_that_are_kept(tmp_path):
    calls = []
    for versions in (8, 40):
        big.make(tmp_path / str(versions), partitions=3, operators=2, versions=versions)
        calls.append(looked_at(tmp_path / str(versions)).filesystem_calls)
    assert calls[0] == calls[1]
