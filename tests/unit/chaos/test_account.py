"""What must become of records, worked out by hand for a few."""

import json
from array import array
from datetime import UTC, datetime

import pytest

from streamctl.audit.reads import Planned
from streamctl.chaos.account import (
    Sent,
    must_be,
    sent_records,
    sink_files,
    strange_records,
)
from streamctl.errors import StreamctlError
from streamctl.kafka.model import Record
from streamctl.produce.ledger import LedgerHeader, LedgerWriter
from streamctl.produce.mix import Mix
from streamctl.produce.run import RUN_HEADER, SEQUENCE_HEADER
from streamctl.produce.telemetry import Telemetry

MINUTE = 60_000


def good(minute: float, device: str = "d") -> Sent:
    return Sent(reason=None, device=device, event_ms=int(minute * MINUTE))


BAD = Sent(reason="missing:latitude", device="d", event_ms=0)


def test_each_record_has_its_place():
    """The watermark that makes a record late is that of the batch before."""
    sent = {
        (0, 0): good(10.1), (0, 1): good(10.9), (0, 2): BAD,
        (1, 0): good(7.5),  # late for nobody yet: the first batch has no watermark
        (0, 3): good(8.5),  # its window ends at 9, and the watermark planned before is 9
        (0, 4): good(9.5),  # its window ends at 10: still open
        (1, 1): good(10.2, "e"),
    }  # fmt: skip
    batches = {
        0: Planned(ends={"t": {0: 3, 1: 1}}, watermark_ms=9 * MINUTE),
        1: Planned(ends={"t": {0: 5, 1: 1}}, watermark_ms=10 * MINUTE),
    }
    must = must_be(sent, batches, "t")
    assert must.windows == [("d", 7 * MINUTE, 1), ("d", 9 * MINUTE, 1), ("d", 10 * MINUTE, 2)]
    assert must.rejected == [(0, 2, "missing:latitude")]
    assert (must.produced, must.late, must.unread, must.gone) == (7, 1, 1, 0)


def test_records_that_kafka_deleted_count_nowhere():
    sent = {(0, n): good(1) for n in range(5)}
    batches = {0: Planned(ends={"t": {0: 5}}, watermark_ms=0)}
    must = must_be(sent, batches, "t", gone={(0, 0), (0, 1)})
    assert must.windows == [("d", MINUTE, 3)]
    assert (must.produced, must.gone, must.unread) == (5, 2, 0)


def test_a_new_partition_is_read_from_its_begin():
    sent = {(0, 0): good(1), (1, 0): good(1)}
    batches = {
        0: Planned(ends={"t": {0: 1}}, watermark_ms=0),
        1: Planned(ends={"t": {0: 1, 1: 1}}, watermark_ms=0),
    }
    assert must_be(sent, batches, "t").windows == [("d", MINUTE, 2)]


def test_without_all_of_the_offset_log_nothing_is_said():
    with pytest.raises(StreamctlError, match="missing"):
        must_be({}, {1: Planned(ends={}, watermark_ms=0)}, "t")


class Topic:
    """Two partitions whose records have the producer's headers."""

    def __init__(self, *places: tuple[int, str, int]) -> None:
        self.logs: dict[int, list[Record]] = {0: [], 1: []}
        for partition, run, sequence in places:
            headers = ((RUN_HEADER, run.encode()), (SEQUENCE_HEADER, b"%d" % sequence))
            log = self.logs[partition]
            log.append(
                Record(topic="t", partition=partition, offset=len(log), timestamp_ms=0, key=None,
                       value=b"", headers=headers)
            )  # fmt: skip

    def watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        del topic
        return {partition: (0, len(log)) for partition, log in self.logs.items()}

    def read(self, topic: str, partition: int, start: int, end: int) -> list[Record]:
        del topic
        return self.logs[partition][start:end]


def test_a_record_whose_acknowledgement_was_lost_or_that_was_sent_again_is_found(tmp_path):
    batch = Telemetry(Mix(), clock=lambda n: 1000 + n).batch(3)
    header = LedgerHeader(run_id="r", topic="t", bootstrap_servers="", seed=0, devices=100,
                          reasons=("",), started_at=datetime.now(UTC))  # fmt: skip
    with LedgerWriter(tmp_path / "l", header) as ledger:
        ledger.sending(batch)
        ledger.delivered(array("q", [0]), array("i", [0]), array("q", [0]))  # the others: silence
    topic = Topic((0, "r", 0), (0, "r", 1), (1, "r", 0), (1, "other", 2))
    sent = sent_records([tmp_path / "l"], {}, topic, "t")
    assert {place: record.event_ms for place, record in sent.items()} == {
        (0, 0): 1000, (0, 1): 1001, (1, 0): 1000,
    }  # fmt: skip


def test_the_sink_s_log_says_which_files_count(tmp_path):
    log = tmp_path / "_spark_metadata"
    assert sink_files(tmp_path) == []
    log.mkdir()
    for name, files in {"0": "a", "1.compact": "ab", "2": "c", ".3.tmp": "x", "10": "d"}.items():
        lines = ["v1", *(json.dumps({"path": f"file:///{each}"}) for each in files)]
        (log / name).write_text("\n".join(lines))
    assert sink_files(tmp_path) == ["/a", "/b", "/c", "/d"]


def test_strange_records_are_remembered_by_their_place(tmp_path):
    path = tmp_path / "strange.jsonl"
    assert strange_records(path) == {}
    line = {"partition": 1, "offset": 7, "reason": "invalid_json", "device": "s", "event_ms": 5}
    path.write_text(json.dumps(line) + "\n")
    assert strange_records(path) == {(1, 7): Sent(reason="invalid_json", device="s", event_ms=5)}
