"""What `diff` shows between two batches, two checkpoints, and a checkpoint and its backup."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from streamctl.checkpoint.backup.read import as_checkpoint
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.restore import query_of
from streamctl.checkpoint.backup.take import About, Source, take
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.report.diff import diff
from streamctl.checkpoint.report.inspect import inspect
from streamctl.checkpoint.report.model import Section
from streamctl.checkpoint.tree.files import NotAFile
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.reports import ignore
from tests.goldens import cases, golden

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CASES = [case for case in cases() if any((golden(*case) / "commits").glob("[0-9]*"))]


@pytest.fixture
def copied(tmp_path):
    def copy(version, name):
        return shutil.copytree(golden(version, name), tmp_path / version / name)

    return copy


def between(before, after, **more):
    return diff(Checkpoint.open(str(before)), Checkpoint.open(str(after)), **more)


def named(changes):
    return {change.name: (change.before, change.after) for change in changes}


def test_schemas_that_differ_are_shown_by_operator_store_and_part():
    report = between(golden("4.2.0", "hdfs-aggregation"), golden("4.2.0", "hdfs-groups"))
    found = named(report.schemas)
    assert set(found) <= {"0 default key", "0 default value"}
    was, now = found["0 default value"]
    assert "count" in was
    assert "count" not in now


def test_stores_of_a_join_are_compared_one_by_one():
    report = between(golden("4.2.0", "hdfs-aggregation"), golden("4.2.0", "hdfs-join"))
    found = named(report.schemas)
    assert found["0 default key"][1] is None
    assert found["0 left-keyToNumValues key"][0] is None


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_checkpoint_does_not_differ_from_itself(case):
    report = between(golden(*case), golden(*case))
    assert (report.verdict, report.operators, report.schemas) == ("ok", (), ())


@pytest.fixture
def changed_at_6(copied):
    """Operator metadata of version 2 has one file for each change: this one is of batch 6."""
    root = copied("4.2.0", "rocksdb-transformwithstate")
    (first,) = (p for p in (root / "state/0/_metadata/v2").iterdir() if p.name.isdigit())
    version, text = first.read_text().split("\n", 1)
    fields = json.loads(text)
    fields["operatorInfo"]["operatorName"] = "another"
    first.with_name("6").write_text(f"{version}\n{json.dumps(fields)}")
    return root


def test_operators_are_compared_within_one_checkpoint(changed_at_6):
    batches = {"before_batch_id": 5, "after_batch_id": 6}
    ((was, now),) = named(between(changed_at_6, changed_at_6, **batches).operators).values()
    assert was.startswith("transformWithState")
    assert now.startswith("another in ")
    batches = {"before_batch_id": 4, "after_batch_id": 5}
    assert between(changed_at_6, changed_at_6, **batches).operators == ()


def test_what_cannot_be_read_of_one_side_is_no_difference(copied):
    """It is not known to differ."""
    root = copied("4.2.0", "hdfs-aggregation")
    (root / "state/0/_metadata/metadata").write_text("v1\n{")
    report = between(golden("4.2.0", "hdfs-aggregation"), root)
    assert (report.verdict, report.operators, report.schemas) == ("unknown", (), ())
    assert len(report.unknown) == 1


def test_a_time_beyond_the_calendar_is_not_known(copied):
    root = copied("4.2.0", "hdfs-aggregation")
    path = root / "offsets/8"
    entry = replace(log.parse_offsets(path.read_bytes()), timestamp_ms=10**17)
    path.write_bytes(log.format_offsets(entry))
    report = between(root, root, before_batch_id=7)
    assert (report.after.planned_at, report.seconds) == (None, None)


@pytest.fixture
def backed_up(tmp_path):
    repository = Repository.open(str(tmp_path / "repository"), create=True)

    def back_up(path):
        source = Source(name="", checkpoint=Checkpoint.open(str(path)))
        take([source], repository, About(location=str(path)), now=NOW, on_event=ignore)
        manifest = repository.manifest("latest")
        return as_checkpoint(repository, manifest, query_of(manifest, ""))

    return back_up


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_backup_is_read_as_the_checkpoint_that_it_holds(case, backed_up):
    """State and all: what is counted in it is what is counted in the original."""
    held, original = backed_up(golden(*case)), Checkpoint.open(str(golden(*case)))
    batch = max(original.log_ids().committed)
    report = diff(original, held, before_batch_id=batch)
    assert (report.verdict, report.same_query, report.after.batch_id) == ("ok", True, batch)
    assert (report.partitions, report.conf, report.operators, report.schemas) == ((), (), (), ())
    looks = [
        inspect(checkpoint, batch_id=batch, sections=[Section.STATE], now=NOW)
        for checkpoint in (original, held)
    ]
    keys = [
        [(p.partition, p.store, p.keys) for o in look.operators for p in o.partition_states]
        for look in looks
    ]
    assert keys[0] == keys[1]
    assert looks[1].verdict == "ok"


def test_a_backups_files_behave_like_a_directorys(backed_up):
    files = backed_up(golden("4.2.0", "hdfs-aggregation")).files
    assert {entry.name for entry in files.entries("state/0") if entry.is_directory} >= {"0", "1"}
    assert files.exists("offsets/8")
    assert not files.exists("offsets/99")
    assert files.read_start("offsets/8", 2) == b"v1"
    with pytest.raises(FileNotFoundError):
        files.read("offsets/99")
    with pytest.raises(FileNotFoundError):
        files.entries("nowhere")
    with pytest.raises(NotAFile):
        files.read("offsets")
