"""Drain: the closing batch is planned, and a rotation carries on from it."""

from pathlib import Path

import pytest

from streamctl.checkpoint.change.area import Area, area_of
from streamctl.checkpoint.change.carry import carried
from streamctl.checkpoint.change.drain import END_OF_TIME_MS, closing_batch, plan_drain
from streamctl.checkpoint.change.plan import Guarded, Plan, require
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.verify import verify
from streamctl.reports import Verdict
from tests.unit.change.helpers import NOW, copy_golden, digest, location, run, sink_of, undo

GOLDENS = ["hdfs-kafka-aggregation", "rocksdb-kafka-changelog", "rocksdb2-kafka-changelog"]


def ground(tmp_path: Path, name: str) -> tuple[Area, Path]:
    """A location with a stateful query, committed to the end, and one without state."""
    area = location(tmp_path / "at", queries=("dead_letters",))
    path = copy_golden("4.2.0-kafka", name, tmp_path / "at/0001/windows")
    ids = Checkpoint.open(str(path)).log_ids()
    for batch_id in ids.planned:
        if batch_id > ids.committed[-1]:
            (path / f"offsets/{batch_id}").unlink()
            (path / f"offsets/.{batch_id}.crc").unlink(missing_ok=True)
    return area, path


def drain(area: Area, **sinks: str) -> Plan:
    return plan_drain(area, sinks=sinks, why="test", now=NOW)


@pytest.mark.parametrize("name", GOLDENS)
def test_the_closing_batch_is_planned_and_carried(tmp_path: Path, name: str) -> None:
    """No records, no state lost before it, and the rotation begins where it began."""
    area, path = ground(tmp_path, name)
    before = digest(tmp_path / "at")
    last = Checkpoint.open(str(path)).log_ids().committed[-1]
    report = run(area, drain(area))
    assert report.facts == {"closing_batches": {"windows": last + 1}}
    checkpoint = Checkpoint.open(str(path))
    old, new = checkpoint.offsets(last), checkpoint.offsets(last + 1)
    assert (new.sources, new.watermark_ms) == (old.sources, END_OF_TIME_MS)
    assert verify(checkpoint).verdict is Verdict.OK
    assert closing_batch(checkpoint, checkpoint.log_ids()) is None  # planned, not run yet
    # The closing batch runs, and one after it that nobody asked for.
    end = log.source_position(new.sources[0]).kafka
    assert end is not None
    for batch_id in (last + 1, last + 2):
        (path / f"commits/{batch_id}").write_bytes((path / f"commits/{last}").read_bytes())
    text = (path / f"offsets/{last + 1}").read_text().replace(":40", ":99")
    (path / f"offsets/{last + 2}").write_text(text)
    assert carried(Checkpoint.open(str(path)), query="windows").positions == end
    for made in (f"commits/{last + 1}", f"commits/{last + 2}", f"offsets/{last + 2}"):
        (path / made).unlink()
    undo(area, report.entry)
    assert digest(tmp_path / "at") == before


def test_nothing_is_open(tmp_path: Path) -> None:
    """Queries without state need no closing, and a drained one no second."""
    assert drain(location(tmp_path / "stateless")).steps == ()
    area, _ = ground(tmp_path, GOLDENS[0])
    run(area, drain(area))
    path = tmp_path / "at/0001/windows"
    last = Checkpoint.open(str(path)).log_ids().planned[-1]
    (path / f"commits/{last}").write_bytes((path / f"commits/{last - 1}").read_bytes())
    assert drain(area_of(str(tmp_path / "at"))).steps == ()


def test_a_planned_batch_gives_way_unless_the_sink_has_it(tmp_path: Path) -> None:
    """With its output in the sink's log, the closing batch of the same id would be skipped."""
    area, path = ground(tmp_path, GOLDENS[0])
    last = Checkpoint.open(str(path)).log_ids().committed[-1]
    planned = (path / f"offsets/{last}").read_text().replace(":40", ":99")
    (path / f"offsets/{last + 1}").write_text(planned)
    require(drain(area, windows=str(sink_of(tmp_path / "out", batches=last + 1))))
    with pytest.raises(Guarded, match="not committed it"):
        require(drain(area, windows=str(sink_of(tmp_path / "more", batches=last + 2))))
    run(area, drain(area))
    checkpoint = Checkpoint.open(str(path))
    assert checkpoint.offsets(last + 1).sources == checkpoint.offsets(last).sources
