"""What lies in Kafka is what the ledger says, record by record."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamctl.errors import BrokerUnreachable, TopicNotFound
from streamctl.kafka.client import Broker
from streamctl.kafka.model import Record
from streamctl.produce.ledger_entries import Delivery, read_ledger, summarise_ledger
from streamctl.produce.mix import Mix
from streamctl.produce.run import Pace, produce, simulated_clock
from streamctl.produce.telemetry import Telemetry
from streamctl.reports import Verdict
from streamctl.sandbox import lifecycle

pytestmark = pytest.mark.integration
MIX = Mix(flaws={"all": 0.3}, late_share=0.1, seed=42, devices=20)
CLOCK = simulated_clock(datetime.fromisoformat("2026-03-01T12:00:00Z"), records_per_second=100)
FOREVER = {"retention_ms": "-1"}


def everything(broker: Broker, topic: str) -> dict[int, Record]:
    """All records of a topic by the sequence number in their header; each occurs once."""
    found: dict[int, Record] = {}
    for partition, (low, high) in broker.watermarks(topic).items():
        for record in broker.read(topic, partition, low, high):
            headers = dict(record.headers)
            sequence = int(headers["sequence"] or b"")
            assert sequence not in found
            assert headers["producer_run_id"]
            found[sequence] = record
    return found


def test_records_of_tomorrow_are_refused_and_it_says_why(broker, new_topic, tmp_path) -> None:
    tomorrow = simulated_clock(datetime.now(UTC) + timedelta(days=1), records_per_second=100)
    report = produce(
        broker, new_topic(), mix=MIX, pace=Pace(count=10), ledger=tmp_path / "l", clock=tomorrow,
        run_id="r",
    )  # fmt: skip
    assert (report.verdict, report.acknowledged_records) == (Verdict.PROBLEM, 0)
    assert "message.timestamp.after.max.ms" in report.error


def test_the_topic_is_the_ledger(broker: Broker, new_topic: Callable[..., str], tmp_path) -> None:
    topic, ledger = new_topic(partitions=3, **FOREVER), tmp_path / "l"
    report = produce(
        broker, topic, mix=MIX, pace=Pace(count=5_500), ledger=ledger, clock=CLOCK, run_id="r7"
    )
    assert (report.verdict, report.sent_records) == (Verdict.OK, 5_500)
    assert report.acknowledged_records == 5_500
    assert not report.interrupted
    found = everything(broker, topic)
    expected = Telemetry(MIX, clock=CLOCK).batch(5_500)
    entries = list(read_ledger(ledger))
    assert [entry.sequence for entry in entries] == sorted(found) == list(range(5_500))
    for entry in entries:
        record = found[entry.sequence]
        assert entry.delivery is Delivery.ACKNOWLEDGED
        assert (entry.partition, entry.offset) == (record.partition, record.offset)
        assert record.timestamp_ms == entry.created_ms
        assert record.key == entry.device.encode()
        assert record.value == expected.values[entry.sequence]
        assert dict(record.headers)["producer_run_id"] == b"r7"
    summary = summarise_ledger(ledger)
    assert summary.complete
    assert summary.reasons_records == report.reasons_records
    assert summary.late_records == report.late_records > 0
    assert summary.valid_records == report.valid_records
    assert len({r.partition for r in found.values()}) == 3


def test_the_rate_is_kept(broker: Broker, new_topic: Callable[..., str], tmp_path: Path) -> None:
    topic = new_topic()
    pace = Pace(rate=400, duration_seconds=3)
    report = produce(broker, topic, mix=Mix(), pace=pace, ledger=tmp_path / "l")
    assert report.sent_records == pytest.approx(1_200, rel=0.1)


def test_wall_clock_records_are_of_now(
    broker: Broker, new_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic, began = new_topic(), time.time() * 1000
    produce(broker, topic, mix=Mix(), pace=Pace(count=10), ledger=tmp_path / "l")
    for entry in read_ledger(tmp_path / "l"):
        assert began - 1 <= entry.created_ms <= time.time() * 1000
        assert entry.event_ms == entry.created_ms


def test_nothing_is_sent_to_a_topic_that_is_not_there(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(TopicNotFound):
        produce(broker, "none", mix=Mix(), pace=Pace(count=1), ledger=tmp_path / "l")
    nobody = Broker("127.0.0.1:1", timeout_seconds=1)
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1 .*refused"):
        produce(nobody, "none", mix=Mix(), pace=Pace(count=1), ledger=tmp_path / "l")
    assert not (tmp_path / "l").exists()


def test_records_that_fail_are_booked_as_failed(
    kafka_directory: Path, broker: Broker, new_topic: Callable[..., str], tmp_path: Path
) -> None:
    """The broker freezes in mid-run for longer than a record may wait."""
    topic, seen = new_topic(), []

    def freeze_once() -> bool:
        if len(seen) == 20:
            lifecycle.pause(directory=kafka_directory)
        seen.append(1)
        return False

    try:
        report = produce(
            broker, topic, mix=Mix(), ledger=tmp_path / "l", stopping=freeze_once,
            pace=Pace(rate=200, count=400), config={"delivery.timeout.ms": 1500, "linger.ms": 5},
        )  # fmt: skip
    finally:
        lifecycle.resume(directory=kafka_directory)
    assert report.verdict is Verdict.PROBLEM
    assert report.failed_records > 0
    assert report.error
    assert report.acknowledged_records + report.failed_records == report.sent_records == 400
    found = everything(broker, topic)
    for entry in read_ledger(tmp_path / "l"):
        if entry.delivery is Delivery.ACKNOWLEDGED:
            assert found[entry.sequence].offset == entry.offset


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_ended_producer_leaves_a_true_ledger(
    broker: Broker, new_topic: Callable[..., str], tmp_path: Path, how: signal.Signals
) -> None:
    """After Ctrl-C everything is accounted for; after a kill, all that is in Kafka is booked."""
    topic, ledger = new_topic(partitions=2), tmp_path / "l"
    command = [sys.executable, "-m", "streamctl", "produce", "--topic", topic, "--ledger"]
    command += [str(ledger), "--bootstrap-servers", broker.servers, "--flaw", "missing=0.1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        deadline = time.monotonic() + 60
        try:
            while sum(high for _, high in broker.watermarks(topic).values()) < 3_000:
                assert time.monotonic() < deadline
            child.send_signal(how)
        except BaseException:
            child.kill()
            raise
        _, said = child.communicate(timeout=60)
    assert child.returncode == (130 if how != signal.SIGKILL else -9), said
    summary = summarise_ledger(ledger)
    assert summary.complete == (how != signal.SIGKILL)
    found = everything(broker, topic)
    booked = {entry.sequence: entry for entry in read_ledger(ledger)}
    assert set(found) <= set(booked)
    for sequence, entry in booked.items():
        if entry.delivery is Delivery.ACKNOWLEDGED:
            assert (entry.partition, entry.offset) == (
                found[sequence].partition,
                found[sequence].offset,
            )
    if how != signal.SIGKILL:
        # What waited in a full queue at the signal was never given to Kafka, and is booked so.
        assert summary.acknowledged_records + summary.failed_records == summary.sent_records
        assert summary.acknowledged_records == len(found)
