"""Rotate, clear and undo: pointers, seeds, trash."""

import shutil
from pathlib import Path

import fsspec
import pytest

from streamctl.checkpoint.change.area import Area, area_of, held, target
from streamctl.checkpoint.change.clear import plan_clear
from streamctl.checkpoint.change.guards import Kafka
from streamctl.checkpoint.change.plan import Guarded, Plan, format_plan, parse_plan, require
from streamctl.checkpoint.change.rotate import (
    NoGenerationBefore,
    open_state,
    plan_back,
    plan_rotate,
    plan_rotate_bare,
)
from streamctl.checkpoint.change.undo import EntryNotFound, plan_undo
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.location import generations, journal
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.cli.change_views import plan_view
from streamctl.cli.render import Table
from streamctl.errors import Busy, CheckpointNotFound, ExitCode, Refused, Unsupported
from streamctl.reports import iso
from tests.goldens import cases, golden
from tests.unit.change.helpers import (
    NOW,
    bare,
    copy_golden,
    digest,
    location,
    run,
    sink_of,
    small,
    undo,
)


def rotate(area: Area, **more: object) -> Plan:
    given = {
        "job": "jobs.telemetry:TelemetryJob",
        "starting": None,
        "topic_ids": {},
        "sinks": {},
        "kafka": None,
        "why": "test",
        "now": NOW,
    }
    return plan_rotate(area, **(given | more))  # type: ignore[arg-type]


def test_each_query_goes_on_at_its_own_offsets(tmp_path: Path) -> None:
    """Two queries of a generation may have committed differently; neither loses nor repeats."""
    area = location(tmp_path / "at", queries=("windows",), batches=4)
    small(tmp_path / "at/0001/dead_letters", batches=2)
    before = digest(tmp_path / "at")
    report = run(area, rotate(area))
    seeds = {
        name: log.parse_kafka_initial((tmp_path / f"at/0002/{name}/sources/0/0").read_bytes())
        for name in ("windows", "dead_letters")
    }
    assert seeds == {"windows": {"t": {0: 40, 1: 20}}, "dead_letters": {"t": {0: 20, 1: 10}}}
    current = generations.current(area.store)
    assert current is not None
    assert (current.name, current.starting_offsets) == ("0002", '{"t": {"0": 20, "1": 10}}')
    undo(area, report.entry)
    assert digest(tmp_path / "at") == before


def test_what_is_given_up_says_how_many_and_after_which_watermark(tmp_path: Path) -> None:
    area = location(tmp_path / "at", queries=("windows",), batches=0)
    shutil.rmtree(tmp_path / "at/0001/windows")
    shutil.copytree(golden("4.2.0", "hdfs-aggregation"), tmp_path / "at/0001/windows")
    (given_up,) = open_state(Checkpoint.open(str(tmp_path / "at/0001/windows")), query="windows")
    assert (given_up.keys, iso(given_up.watermark)) == (21, "2023-11-14T22:15:50.000Z")
    plan = rotate(area, starting={"t": {0: 0, 1: 0}})
    assert plan.notes[1] == (
        "windows: 21 open groups of stateStoreSave are given up; "
        "the watermark 2023-11-14T22:15:50.000Z closed the others."
    )
    shown = [block.rows for block in plan_view(plan) if isinstance(block, Table)]
    assert [("windows", "stateStoreSave", "2023-11-14T22:15:50.000Z", 21)] in shown


def test_a_watermark_beyond_the_calendar_is_no_reason_not_to_rotate(tmp_path: Path) -> None:
    path = copy_golden("4.2.0", "hdfs-aggregation", tmp_path / "checkpoint")
    newest = max((path / "offsets").glob("[0-9]*"), key=lambda file: int(file.name))
    newest.write_text(newest.read_text().replace('"batchWatermarkMs":', '"batchWatermarkMs":1000'))
    (given_up,) = open_state(Checkpoint.open(str(path)), query="windows")
    assert (given_up.keys, given_up.watermark) == (21, None)


def test_a_query_that_has_not_begun_is_carried_too(tmp_path: Path) -> None:
    """Twice rotated without a start between, or made and never run: nothing is passed over."""
    area = location(tmp_path / "at", queries=("windows",), batches=4)
    (tmp_path / "at/0001/late").mkdir()  # it ended before its first file
    run(area, rotate(area))
    run(area, rotate(area))
    seed = (tmp_path / "at/0003/windows/sources/0/0").read_bytes()
    assert log.parse_kafka_initial(seed) == {"t": {0: 40, 1: 20}}
    assert not (tmp_path / "at/0003/late").exists()
    current = generations.current(area.store)
    assert current is not None
    assert current.starting_offsets == '{"t": {"0": 0, "1": 0}}'  # where `late` begins


def test_a_planned_batch_that_the_sink_has_is_not_read_again(tmp_path: Path) -> None:
    """The sink's log is written before the commit: its output is there."""
    area = location(tmp_path / "at", batches=4)
    sink = sink_of(tmp_path / "out", batches=5)
    plan = rotate(area, sinks={"windows": str(sink)})
    assert plan.facts["carried"] == [{"query": "windows", "batch_id": 4}]


def test_back_is_the_pointer(tmp_path: Path) -> None:
    """And forward again by undo."""
    area = location(tmp_path / "at")
    with pytest.raises(NoGenerationBefore):
        plan_back(area, why="", now=NOW)
    run(area, rotate(area))
    rotated = digest(tmp_path / "at")
    report = run(area, plan_back(area, why="", now=NOW))
    assert generations.current(area.store).name == "0001"  # type: ignore[union-attr]
    undo(area, report.entry)
    assert digest(tmp_path / "at") == rotated


def test_back_is_where_it_came_from_and_no_reprocessing(tmp_path: Path) -> None:
    """Numbers tell the order of making, not which generation the job came from."""
    area = location(tmp_path / "at")
    aside = Generation(
        name="0002", created_at=NOW, job="j", starting_offsets="{}", why="", request="{}"
    )
    generations.record(area.store, aside)
    small(tmp_path / "at/0002/windows")
    run(area, rotate(area))
    assert plan_back(area, why="", now=NOW).facts["generation"] == "0001"
    run(area, plan_back(area, why="", now=NOW))
    with pytest.raises(NoGenerationBefore):  # 0003 came after 0001, and 0002 was never the job's
        plan_back(area, why="", now=NOW)
    generations.point(area.store, "0003")
    for path in (tmp_path / "at/_streamctl/journal").iterdir():
        path.unlink()
    assert plan_back(area, why="", now=NOW).facts["generation"] == "0001"


def test_batches_after_the_plan_of_a_rotation_are_not_read_again(tmp_path: Path) -> None:
    """It was made from the logs, which it does not change."""
    area = location(tmp_path / "at", batches=2)
    plan = parse_plan(format_plan(rotate(area)), name="x")
    (tmp_path / "at/0001/windows/commits/2").write_bytes(b'v1\n{"nextBatchWatermarkMs":0}')
    with pytest.raises(Refused, match="has changed since the plan was made"):
        run(area, plan)


def test_what_a_sink_s_log_forbids_stands_in_the_way_of_clear(tmp_path: Path) -> None:
    target = bare(small(tmp_path / "cp"), sink=sink_of(tmp_path / "out"))
    (tmp_path / "out/_spark_metadata/2.compact").unlink()  # the third batch has no other entry
    plan = plan_clear(target.area, why="", now=NOW, sink=f"file://{tmp_path}/out")
    assert plan.exit_code is ExitCode.WOULD_NOT_START
    with pytest.raises(Unsupported, match="object store"):
        plan_clear(target.area, why="", now=NOW, sink="s3://bucket/out")


def test_a_new_output_may_be_given_as_a_url(tmp_path: Path) -> None:
    area = bare(small(tmp_path / "cp")).area
    sink_of(tmp_path / "out")
    plan = plan_rotate_bare(area, kafka=None, why="", now=NOW, sink=f"file://{tmp_path}/out")
    assert plan.exit_code is ExitCode.NOT_EMPTY


def test_an_output_on_an_object_store_is_not_known(tmp_path: Path) -> None:
    location(tmp_path / "at")
    found = target(str(tmp_path / "at"), output="s3://bucket/out")
    assert not found.sink_known


def test_offsets_outside_retention_are_refused(tmp_path: Path) -> None:
    """Carried offsets that Kafka no longer has would be a silent loss."""
    area = location(tmp_path / "at")
    kafka = Kafka(watermarks=lambda _: {0: (41, 100), 1: (0, 100)}, topic_id=lambda _: "x")
    with pytest.raises(Guarded) as refusal:
        require(rotate(area, kafka=kafka))
    assert refusal.value.exit_code is ExitCode.OUTSIDE_RETENTION


def test_on_an_object_store_the_pointer_moves() -> None:
    """No rename is needed; and undo brings the pointer back."""
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe_file("/at/x", b"")
    area = location_in_memory()
    report = run(area, rotate(area, starting={"t": {0: 7}}))
    assert generations.current(area.store).name == "0002"  # type: ignore[union-attr]
    undo(area, report.entry)
    assert generations.current(area.store).name == "0001"  # type: ignore[union-attr]
    filesystem.rm("/at", recursive=True)


def location_in_memory() -> Area:
    from streamctl.checkpoint.location.generations import Generation
    from streamctl.checkpoint.location.store import Store

    store = Store.open("memory://at")
    generation = Generation(
        name="0001", created_at=NOW, job="j:J", starting_offsets="{}", why="first start"
    )
    generations.add(store, generation)
    return area_of("memory://at")


def test_what_needs_a_rename_is_refused_on_an_object_store() -> None:
    """Clearly, and with the way out."""
    fsspec.filesystem("memory").pipe_file("/ck/offsets/0", b"v1\n{}\n{}")
    area = area_of("memory://ck")
    with pytest.raises(Unsupported, match="no rename"):
        plan_clear(area, why="", now=NOW)


@pytest.mark.parametrize(("version", "name"), cases())
def test_clear_and_undo_on_every_golden(tmp_path: Path, version: str, name: str) -> None:
    """To the trash and back, to the last byte and time."""
    path = copy_golden(version, name, tmp_path / "checkpoint")
    before = digest(tmp_path)
    area = bare(path).area
    report = run(area, plan_clear(area, why="test", now=NOW))
    assert not path.exists()
    undo(area, report.entry)
    assert digest(tmp_path) == before


@pytest.mark.parametrize(("version", "name"), [c for c in cases() if "kafka" in c[0]])
def test_rotate_and_undo_on_every_kafka_golden(tmp_path: Path, version: str, name: str) -> None:
    """A bare checkpoint keeps nothing but the offsets where it goes on."""
    path = copy_golden(version, name, tmp_path / "checkpoint")
    before = digest(path)
    area = bare(path).area
    committed = Checkpoint.open(str(path)).position().committed
    if any(source.kafka is None for source in committed):
        with pytest.raises(Unsupported, match="not Kafka"):
            plan_rotate_bare(area, kafka=None, why="test", now=NOW)
        return
    report = run(area, plan_rotate_bare(area, kafka=None, why="test", now=NOW))
    files = [p for p in path.rglob("*") if p.is_file()]
    assert [log.parse_kafka_initial(f.read_bytes()) for f in files] == [s.kafka for s in committed]
    undo(area, report.entry)
    assert digest(path) == before


def test_clear_takes_the_sink_with_it(tmp_path: Path) -> None:
    """A log that stays would make the next run's batches vanish."""
    path, sink = small(tmp_path / "checkpoint"), sink_of(tmp_path / "out")
    before = digest(path, sink)
    area = bare(path).area
    report = run(area, plan_clear(area, why="", now=NOW, sink=str(sink)))
    assert [p for p in sink.rglob("*") if p.is_file()] == []
    undo(area, report.entry)
    assert digest(path, sink) == before


def test_permanently_leaves_nothing(tmp_path: Path) -> None:
    """Neither in the place nor in the trash."""
    path = small(tmp_path / "checkpoint")
    area = bare(path).area
    report = run(area, plan_clear(area, why="", now=NOW, permanently=True))
    assert report.undo == ""
    assert list(tmp_path.rglob("offsets")) == []
    with pytest.raises(EntryNotFound):
        plan_undo(area, report.entry, why="", now=NOW)


def test_clear_a_location_and_bring_it_back(tmp_path: Path) -> None:
    """The pointer goes, so that the next start makes a generation with a new number."""
    area = location(tmp_path / "at")
    before = digest(tmp_path / "at")
    run(area, plan_clear(area, why="", now=NOW))
    assert generations.current(area.store) is None
    assert generations.next_name(area.store) == "0002"
    with pytest.raises(CheckpointNotFound):
        plan_clear(area, why="", now=NOW)
    undo(area)
    assert digest(tmp_path / "at") == before


def test_undo_is_refused_once_batches_ran(tmp_path: Path) -> None:
    """What ran since cannot be kept apart from what was before."""
    area = location(tmp_path / "at")
    run(area, rotate(area))
    (tmp_path / "at/0002/windows/offsets").mkdir()
    (tmp_path / "at/0002/windows/offsets/0").write_text("v1")
    with pytest.raises(Refused, match="has changed since rotate"):
        undo(area)


def test_undo_takes_the_changes_back_one_by_one(tmp_path: Path) -> None:
    """An undo is not undone by the next one; named, it is."""
    area = location(tmp_path / "at")
    states = [digest(tmp_path / "at")]
    for _ in range(2):
        run(area, rotate(area, starting={"t": {0: 1}}))
        (tmp_path / f"at/{generations.current(area.store).name}/windows").mkdir(parents=True)  # type: ignore[union-attr]
        states.append(digest(tmp_path / "at"))
    first = undo(area)
    second = undo(area)
    assert generations.current(area.store).name == "0001"  # type: ignore[union-attr]
    undo(area, second.entry[-8:])  # as the journal's table shows it
    undo(area, first.entry)
    assert generations.current(area.store).name == "0003"  # type: ignore[union-attr]
    verbs = [entry.verb for entry in journal.entries(area.store)]
    assert verbs == ["rotate", "rotate", "undo", "undo", "undo", "undo"]


def test_a_promotion_is_undone_by_its_pointer(tmp_path: Path) -> None:
    """Other commands journal only which generation was current before."""
    area = location(tmp_path / "at")
    run(area, rotate(area, starting={"t": {0: 1}}))
    entry = journal.Entry(
        at=NOW.replace(year=2099),
        who="x",
        verb="promote",
        why="x",
        before={"generation": "0001"},
        after={"generation": "0002"},
        undo={"generation": "0001"},
    )
    journal.record(area.store, entry, name="20990101-promote")
    undo(area)
    assert generations.current(area.store).name == "0001"  # type: ignore[union-attr]
    with pytest.raises(Refused, match="the pointer has changed since promote"):
        undo(area, "20990101-promote")


def test_a_plan_is_the_same_after_a_file(tmp_path: Path) -> None:
    """What `apply` reads is what `--plan` wrote; and once something moved it is refused."""
    area = location(tmp_path / "at")
    plan = rotate(area)
    again = parse_plan(format_plan(plan), name="plan.json")
    assert again.steps == plan.steps
    assert again.fingerprint == plan.fingerprint
    run(area, again)
    with pytest.raises(Refused, match="has changed since the plan was made"):
        run(area, again)


def test_nothing_works_beside_another(tmp_path: Path) -> None:
    """The lease keeps a second command and a start out."""
    area = location(tmp_path / "at")
    with held(area, "rotate"), pytest.raises(Busy, match="in use by run checkpoint rotate"):
        run(area, rotate(area))
