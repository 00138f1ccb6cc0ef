"""Skip: the next batch begins after the poison, and the records are in the dead letter topic."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from streamctl.checkpoint.change.area import Target
from streamctl.checkpoint.change.guards import Kafka, Range
from streamctl.checkpoint.change.letters import NotDelivered, copy_out
from streamctl.checkpoint.change.plan import Guarded, Plan, require
from streamctl.checkpoint.change.skip import PartitionNotFound, Skip, plan_skip
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.verify import verify
from streamctl.errors import ExitCode, SettingsInvalid
from streamctl.kafka.model import Record
from streamctl.reports import Verdict
from streamctl.resilience.dead_letter import read_origin
from tests.goldens import cases
from tests.unit.change.helpers import NOW, bare, copy_golden, digest, run, sink_of, small, undo


def skip(target: Target, end: int, *, partition: int = 0, topic: str = "", **more: Any) -> Plan:
    wanted = Skip(topic=topic, partition=partition, end=end)
    return plan_skip(target, wanted, why="poison", now=NOW, dead_letter_topic="t.dlq", **more)


def ends(path: Path, batch_id: int) -> dict[str, dict[int, int]]:
    entry = Checkpoint.open(str(path)).offsets(batch_id)
    return log.parse_kafka_offsets(entry.sources[0].text or "") or {}


@pytest.mark.parametrize(
    ("end", "planned"),
    [
        (43, 50),  # inside the planned batch: its end stays
        (60, 60),  # beyond it: the planned batch reads nothing of the partition
    ],
)
def test_the_next_batch_begins_after_the_records(tmp_path: Path, end: int, planned: int) -> None:
    """The committed end moves up; other partitions and the batch's id stay; undo brings it back."""
    path = small(tmp_path / "checkpoint")
    before = digest(path)
    target = bare(path)
    report = run(target.area, skip(target, end))
    assert ends(path, 3) == {"t": {0: end, 1: 20}}
    assert ends(path, 4) == {"t": {0: planned, 1: 25}}
    assert verify(Checkpoint.open(str(path))).verdict is Verdict.OK
    undo(target.area, report.entry)
    assert digest(path) == before


@pytest.mark.parametrize(("version", "name"), [c for c in cases() if "kafka" in c[0]])
def test_skip_and_undo_on_every_kafka_golden(tmp_path: Path, version: str, name: str) -> None:
    """It still starts, and comes back to the last byte and time."""
    path = copy_golden(version, name, tmp_path / "checkpoint")
    before = digest(path)
    target = bare(path)
    entry = Checkpoint.open(str(path)).position().committed
    read = sorted(topic for source in entry for topic in source.kafka or {})
    verdict = verify(Checkpoint.open(str(path))).verdict
    report = run(target.area, skip(target, 1000, topic=read[0]), accept=("accept-findings",))
    assert verify(Checkpoint.open(str(path))).verdict is verdict
    undo(target.area, report.entry)
    assert digest(path) == before


def test_without_a_planned_batch(tmp_path: Path) -> None:
    """Only the committed entry is rewritten."""
    path = small(tmp_path / "checkpoint", uncommitted=False)
    target = bare(path)
    run(target.area, skip(target, 41))
    assert ends(path, 3) == {"t": {0: 41, 1: 20}}


def test_before_the_first_commit(tmp_path: Path) -> None:
    """The first batch begins where the source began, so that is what moves."""
    path = small(tmp_path / "checkpoint", batches=0)
    target = bare(path)
    run(target.area, skip(target, 4))
    initial = log.parse_kafka_initial((path / "sources/0/0").read_bytes())
    assert (initial, ends(path, 0)) == ({"t": {0: 4, 1: 0}}, {"t": {0: 10, 1: 5}})


def test_what_cannot_be_skipped(tmp_path: Path) -> None:
    """What was read already, what is not read, what is not there yet."""
    target = bare(small(tmp_path / "checkpoint"))
    with pytest.raises(SettingsInvalid, match="the next record of t-0 is 40"):
        skip(target, 40)
    with pytest.raises(PartitionNotFound):
        skip(target, 50, partition=7)
    kafka = Kafka(watermarks=lambda _: {0: (0, 55), 1: (0, 55)}, topic_id=lambda _: "x")
    with pytest.raises(Guarded) as refusal:
        require(skip(target, 60, kafka=kafka))
    assert refusal.value.exit_code is ExitCode.TOPIC_MADE_ANEW


def test_a_batch_that_the_sink_has_is_not_poison(tmp_path: Path) -> None:
    """It ran through; to skip its records would drop nothing but their state."""
    target = bare(small(tmp_path / "checkpoint"), sink=sink_of(tmp_path / "out", batches=5))
    with pytest.raises(Guarded, match="already has batch 4"):
        require(skip(target, 43))


@dataclass
class FakeCluster:
    """A topic in memory, and a producer that may refuse."""

    refuse: int | None = None
    sent: list[tuple[str, Any]] = field(default_factory=list)

    def read(self, topic, partition, start, end):
        for offset in range(start, end):
            yield Record(
                topic=topic,
                partition=partition,
                offset=offset,
                timestamp_ms=offset,
                key=b"k",
                value=None if offset == start else b"v%d" % offset,
                headers=(("own", b"h"),),
            )

    def producer(self, config):
        assert config["acks"] == "all"
        return self

    def produce(self, topic, *, key, value, headers, on_delivery):
        if self.refuse == len(self.sent):
            on_delivery("broker says no", None)
        else:
            on_delivery(None, None)
        self.sent.append((topic, (key, value, headers)))

    def poll(self, _seconds):
        return 0

    def flush(self, _seconds):
        return 0


RANGE = Range(topic="t", partition=0, start=40, end=43, records=3, available_records=None)


def test_copies_keep_the_record_and_say_where_it_came_from() -> None:
    """Key, value and own headers byte for byte; the origin after them."""
    cluster = FakeCluster()
    assert copy_out(cluster, of=RANGE, to="t.dlq", why="poison", job="j", run="r") == 3
    topic, (key, value, headers) = cluster.sent[1]
    origin = read_origin(headers)
    assert (topic, key, value, headers[0]) == ("t.dlq", b"k", b"v41", ("own", b"h"))
    assert origin is not None
    assert (origin.topic, origin.partition, origin.offset) == ("t", 0, 41)
    assert (origin.reasons, origin.timestamp_ms) == (("poison",), 41)


def test_a_copy_that_is_not_confirmed_stops_the_skip() -> None:
    """Nothing may be passed over that is nowhere."""
    with pytest.raises(NotDelivered, match="1 of 3 records"):
        copy_out(FakeCluster(refuse=1), of=RANGE, to="t.dlq", why="", job="j", run="r")
