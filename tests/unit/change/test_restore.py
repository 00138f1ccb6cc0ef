"""A backup becomes a generation: what stands in its way, what it leaves, and the way back."""

import shutil
from pathlib import Path

import pytest

from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.sources import find_sources
from streamctl.checkpoint.backup.take import About, take
from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change.area import area_of, held
from streamctl.checkpoint.change.clear import plan_clear
from streamctl.checkpoint.change.guards import Kafka
from streamctl.checkpoint.change.plan import Plan, require
from streamctl.checkpoint.change.restore import (
    Wanted,
    location_area,
    plan_restore,
    restore_generation,
)
from streamctl.checkpoint.change.rotate import plan_back
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import ExitCode, NotFound, Refused
from streamctl.reports import ignore
from tests.unit.change.helpers import NOW, digest, location, sink_of, small, undo

JOB = "jobs.telemetry:TelemetryJob"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two batches and their output, and a backup of the first."""
    location(tmp_path / "checkpoint", batches=2)
    sink_of(tmp_path / "out/0001/windows", batches=2)
    where = str(tmp_path / "checkpoint")
    sources, record = find_sources(where, query="", output=str(tmp_path / "out"), sink="")
    about = About(location=where, generation=record)
    repository = Repository.open(str(tmp_path / "backups"), create=True)
    take(sources, repository, about, now=NOW, batch_id=0, on_event=ignore)
    return tmp_path


def wanted(root: Path) -> Wanted:
    repository = Repository.open(str(root / "backups"))
    return Wanted(
        repository=repository, manifest=repository.manifest("latest"),
        output=str(root / "out"), job=JOB,
    )  # fmt: skip


def planned(root: Path, kafka: Kafka | None = None) -> Plan:
    area = location_area(str(root / "checkpoint"))
    return plan_restore(area, wanted(root), kafka=kafka, now=NOW)


def restored(root: Path) -> str:
    area = location_area(str(root / "checkpoint"))
    return str(restore_generation(area, wanted(root), on_event=ignore).facts["generation"])


def kafka(low: int, high: int, topic_id: str = "") -> Kafka:
    return Kafka(
        watermarks=lambda _: {0: (low, high), 1: (low, high)}, topic_id=lambda _: topic_id or None
    )


def test_it_goes_on_after_the_batch_and_readers_have_what_they_had(root):
    assert restored(root) == "0002"
    current = generations.current(area_of(str(root / "checkpoint")).store)
    assert current.name == "0002"
    ids = Checkpoint.open(str(root / "checkpoint/0002/windows")).log_ids()
    assert (ids.planned[-1], ids.committed[-1]) == (0, 0)
    log = (root / "out/0002/windows/_spark_metadata/0.compact").read_text()
    assert f"file://{root}/out/0002/windows/part-0-0.parquet" in log
    assert (root / "out/0002/windows/part-0-0.parquet").read_text() == "data of 0"
    assert not (root / "out/0002/windows/part-1-0.parquet").exists()


def test_undo_gives_the_tree_of_before(root):
    before = digest(root / "checkpoint", root / "out")
    restored(root)
    assert digest(root / "checkpoint", root / "out") != before
    undo(area_of(str(root / "checkpoint")))
    assert digest(root / "checkpoint", root / "out") == before


def test_once_batches_ran_the_way_back_is_the_pointer(root):
    restored(root)
    (root / "checkpoint/0002/windows/commits/1").write_bytes(b'v1\n{"nextBatchWatermarkMs":0}')
    area = area_of(str(root / "checkpoint"))
    with pytest.raises(Refused) as refusal:
        undo(area)
    assert "rotate --back" in refusal.value.hint
    assert plan_back(area, why="", now=NOW).facts["generation"] == "0001"


def test_a_clear_that_died_is_finished_first_and_takes_nothing_back(root, monkeypatch):
    """Left pending, it would have removed the pointer to what was restored at the next start."""
    area = area_of(str(root / "checkpoint"))
    monkeypatch.setattr(changes, "_conclude", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt), held(area, "clear") as holding:
        changes.apply(area, plan_clear(area, why="", now=NOW), holding)
    monkeypatch.undo()
    assert restored(root) == "0002"
    assert changes.recover(area) is None
    assert generations.current(area.store).name == "0002"


def test_where_the_checkpoint_is_lost_its_output_stays_beside_the_restored(root):
    shutil.rmtree(root / "checkpoint")
    assert restored(root) == "0002"
    assert generations.current(area_of(str(root / "checkpoint")).store).name == "0002"
    assert (root / "out/0001/windows/part-1-0.parquet").exists()


@pytest.mark.parametrize(
    ("broker", "code"),
    [
        (kafka(low=11, high=100), ExitCode.OUTSIDE_RETENTION),
        (kafka(low=0, high=3), ExitCode.TOPIC_MADE_ANEW),
        (kafka(low=0, high=100), ExitCode.DONE),
    ],
)
def test_kafka_is_asked_for_what_would_be_read(root, broker, code):
    assert planned(root, broker).exit_code == code


def test_a_backup_of_one_query_is_no_backup_of_the_job(root):
    small(root / "checkpoint/0001/dead_letters")
    with pytest.raises(Refused, match="does not hold dead_letters"):
        require(planned(root))


def test_too_little_space_is_told_before_anything_is_written(root, monkeypatch):
    usage = shutil.disk_usage(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    before = digest(root)
    with pytest.raises(Refused) as refusal:
        restored(root)
    assert refusal.value.exit_code == ExitCode.NO_SPACE
    assert digest(root) == before


def test_output_files_that_are_gone_leave_everything_as_it_was(root):
    (root / "out/0001/windows/part-0-0.parquet").unlink()
    before = digest(root)
    with pytest.raises(Refused, match="is gone"):
        restored(root)
    assert digest(root) == before
    assert not list(root.glob("**/trash/*"))


def test_latest_is_of_the_location(root):
    """Several jobs may share a repository."""
    repository = Repository.open(str(root / "backups"))
    own = repository.manifest("latest", location=str(root / "checkpoint"))
    assert own.location == str(root / "checkpoint")
    with pytest.raises(NotFound, match="no backup of"):
        repository.manifest("latest", location=str(root / "another"))
