"""Rewind: what goes and what stays, with the sink, and back again."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamctl.checkpoint.change.guards import Kafka
from streamctl.checkpoint.change.plan import Guarded, require
from streamctl.checkpoint.change.rewind import (
    BatchNotFound,
    batch_at,
    batch_before,
    batch_for_offsets,
    decide,
    plan_rewind,
)
from streamctl.checkpoint.report.inspect import inspect
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.tree.state import scan
from streamctl.checkpoint.verify.verify import verify
from streamctl.errors import ExitCode
from streamctl.reports import Verdict
from tests.goldens import cases
from tests.unit.change.helpers import NOW, bare, copy_golden, digest, run, sink_of, small, undo


@pytest.mark.parametrize(("version", "name"), cases())
def test_rewind_and_undo_on_every_golden(tmp_path: Path, version: str, name: str) -> None:
    """To the oldest batch that inspect names: verified, and undone to the last byte and time."""
    path = copy_golden(version, name, tmp_path / "checkpoint")
    before = digest(path)
    checkpoint = Checkpoint.open(str(path))
    back = inspect(checkpoint, now=NOW).rewind
    if back.oldest_batch_id in {None, checkpoint.position().planned_batch_id}:
        pytest.skip("nothing to go back to")
    target = bare(path)
    plan = plan_rewind(target, back.oldest_batch_id, why="test", now=NOW)
    report = run(target.area, plan, accept=("accept-findings",) if "async" in name else ())
    checkpoint = Checkpoint.open(str(path))
    assert checkpoint.position().planned_batch_id == back.oldest_batch_id
    if "async" not in name:
        assert verify(checkpoint).verdict is Verdict.OK
    left = [f for o in scan(checkpoint.files) for store in o.stores for f in store.files]
    assert all(file.version <= back.oldest_batch_id + 1 for file in left)
    assert digest(path) != before
    undo(target.area, report.entry)
    assert digest(path) == before


def test_a_damaged_planned_batch_can_be_dropped(tmp_path: Path) -> None:
    """It cannot be read, and that is why one goes back."""
    path = small(tmp_path / "checkpoint")
    (path / "offsets/4").write_bytes(b"v1\n{")
    (path / "offsets/.4.crc").unlink()
    before = digest(path)
    target = bare(path)
    report = run(target.area, plan_rewind(target, 3, why="test", now=NOW))
    assert report.facts["dropped_batches"] == 1
    assert verify(Checkpoint.open(str(path))).verdict is Verdict.OK
    undo(target.area, report.entry)
    assert digest(path) == before


PATHS = st.lists(
    st.one_of(
        st.builds("offsets/{}".format, st.integers(0, 30)),
        st.builds("commits/.{}.crc".format, st.integers(0, 30)),
        st.builds("state/0/1/{}.delta".format, st.integers(1, 30)),
        st.builds("state/0/1/.{}.delta.crc".format, st.integers(1, 30)),
        st.builds("state/0/1/{}.zip.crc".format, st.integers(1, 30)),
        st.builds("state/0/_metadata/v2/{}".format, st.integers(0, 30)),
        st.sampled_from(["metadata", "sources/0/0", "state/0/1/SSTs/1.sst", "x", "offsets/foo"]),
    ),
    unique=True,
)


@given(paths=PATHS, batch_id=st.integers(0, 30))
def test_every_file_is_decided_once_with_a_reason(paths: list[str], batch_id: int) -> None:
    """Keep and remove together are all files."""
    decisions = decide(paths, batch_id, schemas=frozenset())
    assert [d.path for d in decisions] == paths
    assert all(d.reason for d in decisions)


@given(paths=PATHS, batch_id=st.integers(0, 29))
def test_going_back_further_removes_no_less(paths: list[str], batch_id: int) -> None:
    """What a shorter rewind removes, a longer one does too."""

    def gone(batch: int) -> set[str]:
        return {d.path for d in decide(paths, batch, schemas=frozenset()) if not d.keep}

    assert gone(batch_id + 1) <= gone(batch_id)


@pytest.mark.parametrize(
    ("path", "keep"),
    [
        ("offsets/6", True),
        ("offsets/7", False),
        ("offsets/.7.crc", False),
        ("commits/7", False),
        ("state/0/3/7.delta", True),  # version 7 is what batch 6 wrote
        ("state/0/3/8.delta", False),
        ("state/0/3/.8.delta.crc", False),
        ("state/0/3/8.zip.crc", False),
        ("state/0/3/.8.zip.crc.crc", False),
        ("state/0/3/left-keyToNumValues/8.snapshot", False),
        ("state/0/3/8_0b5c1ad6-0b6c-4f30-a6a4-4e2f6d1c7a11.changelog", False),
        ("state/0/_metadata/v2/7", False),
        ("state/0/_metadata/v2/6", True),
        ("state/0/_stateSchema/default/7_x", False),
        ("state/0/_stateSchema/default/8_used", True),
        ("sources/0/9", True),  # a file source's own count, not batch ids
        ("offsets/.7.5a.tmp", False),
    ],
)
def test_what_goes_with_batch_6(path: str, keep: bool) -> None:
    """Logs above 6, state above 7, both kinds of checksum."""
    assert decide([path], 6, schemas=frozenset({"8_used"}))[0].keep is keep


def test_the_sink_goes_back_with_the_checkpoint(tmp_path: Path) -> None:
    """Its log, a compaction of later batches, and the files of dropped batches; and all back."""
    path, sink = small(tmp_path / "checkpoint"), sink_of(tmp_path / "out")
    before = digest(path, sink)
    target = bare(path, sink=sink)
    plan = plan_rewind(target, 1, why="test", now=NOW)
    report = run(target.area, plan)
    assert sorted(p.name for p in (sink / "_spark_metadata").iterdir()) == [
        ".0.crc",
        ".1.crc",
        "0",
        "1",
    ]
    assert sorted(p.name for p in sink.glob("*.parquet")) == [
        "part-0-0.parquet",
        "part-1-0.parquet",
    ]
    assert verify(Checkpoint.open(str(path)), sink=str(sink)).verdict is Verdict.OK
    undo(target.area, report.entry)
    assert digest(path, sink) == before


def test_an_output_that_refers_to_another_is_not_moved(tmp_path: Path) -> None:
    """A restored generation's log names files of the old output; one that was moved names none."""
    path, old = small(tmp_path / "checkpoint"), sink_of(tmp_path / "out")
    (tmp_path / "new/_spark_metadata").mkdir(parents=True)
    for file in (old / "_spark_metadata").iterdir():
        shutil.copy2(file, tmp_path / "new/_spark_metadata")
    target = bare(path, sink=tmp_path / "new")
    plan = plan_rewind(target, 1, why="test", now=NOW)
    run(target.area, plan)
    assert (old / "part-3-0.parquet").exists()  # of another output: not ours to take
    shutil.move(old, tmp_path / "elsewhere")
    moved = plan_rewind(target, 0, why="test", now=NOW)
    with pytest.raises(Guarded, match="names files that are not there"):
        require(moved)


def test_the_plan_says_what_kafka_has(tmp_path: Path) -> None:
    """Records by partition; what retention has taken is refused with its own code."""
    target = bare(small(tmp_path / "checkpoint"))
    kafka = Kafka(watermarks=lambda _: {0: (25, 100), 1: (0, 100)}, topic_id=lambda _: "id")
    plan = plan_rewind(target, 1, why="test", now=NOW, kafka=kafka)
    assert plan.facts["records"] == 45  # batches 2, 3 and the planned 4
    assert [(r.start, r.end, r.available_records) for r in plan.facts["ranges"]] == [
        (20, 50, 25),
        (10, 25, 15),
    ]
    with pytest.raises(Guarded) as refusal:
        require(plan)
    assert refusal.value.exit_code is ExitCode.OUTSIDE_RETENTION
    require(plan, accept=["accept-loss", "no-file-sink"])


def test_a_topic_made_anew_is_refused(tmp_path: Path) -> None:
    """Its end is before the checkpoint's offsets, or its id is another."""
    target = bare(small(tmp_path / "checkpoint"))
    kafka = Kafka(watermarks=lambda _: {0: (0, 3), 1: (0, 100)}, topic_id=lambda _: "new")
    plan = plan_rewind(target, 1, why="test", now=NOW, kafka=kafka, topic_ids={"t": "old"})
    codes = [o.exit_code for o in plan.obstacles]
    assert codes == [ExitCode.TOPIC_MADE_ANEW] * 2 + [ExitCode.WOULD_NOT_START]


def test_a_batch_that_is_not_there(tmp_path: Path) -> None:
    """The planned one is not committed, so one cannot go back to it."""
    target = bare(small(tmp_path / "checkpoint"))
    with pytest.raises(BatchNotFound):
        plan_rewind(target, 4, why="test", now=NOW)


def test_the_state_must_be_there(tmp_path: Path) -> None:
    """A missing state file is found before anything is touched."""
    path = copy_golden("4.2.0", "hdfs-aggregation", tmp_path / "checkpoint")
    committed = Checkpoint.open(str(path)).log_ids().committed
    for file in path.glob("state/0/0/*.*"):
        file.unlink()
    before = digest(path)
    plan = plan_rewind(bare(path), committed[-2], why="test", now=NOW)
    with pytest.raises(Guarded) as refusal:
        require(plan)
    assert refusal.value.exit_code is ExitCode.WOULD_NOT_START
    assert digest(path) == before


def test_ways_to_name_a_batch(tmp_path: Path) -> None:
    """By time, by span, by offsets: always so that nothing asked for is left out."""
    from datetime import UTC, datetime, timedelta

    checkpoint = Checkpoint.open(str(small(tmp_path / "checkpoint")))
    at = datetime.fromtimestamp(1_700_000_000 + 61, tz=UTC)
    assert batch_at(checkpoint, at) == 1
    assert batch_before(checkpoint, timedelta(minutes=2)) == 1
    assert batch_for_offsets(checkpoint, {"t": {0: 25}}) == 1
    assert batch_for_offsets(checkpoint, {"t": {0: 30, 1: 9}}) == 0
    with pytest.raises(BatchNotFound):
        batch_for_offsets(checkpoint, {"t": {0: 9}})
