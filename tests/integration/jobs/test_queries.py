"""Whole queries on real Spark, fed from files instead of Kafka, one file a micro-batch."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from jobs import sinks
from jobs.catch_up import CatchUp
from jobs.ending import Ending
from jobs.job import Context, Kafka
from jobs.payments import PaymentsJob
from jobs.progress import Listener, ProgressFile
from jobs.spark_query import watermark_before
from jobs.telemetry import TelemetryJob
from streamctl.rundir.records import Launch
from streamctl.settings.model import Settings

pytestmark = pytest.mark.integration
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = (
    "key BINARY, value BINARY, headers ARRAY<STRUCT<key: STRING, value: BINARY>>,"
    " topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP"
)
SETTINGS = Settings.model_validate({"stream": {"trigger": "once"}})


class Stream:
    """Batches of records as files, and a place for checkpoints and outputs."""

    def __init__(self, spark, base):
        self.spark, self.base, self.offset, self.batches = spark, base, 0, 0
        self.running = {}

    def batch(self, *values, topic="t"):
        rows = []
        for value in values:
            text = value if isinstance(value, bytes) else json.dumps(value).encode()
            rows.append((b"k", text, None, topic, 0, self.offset, NOON + timedelta(hours=9)))
            self.offset += 1
        frame = self.spark.createDataFrame(rows, RECORD).coalesce(1)
        frame.write.mode("append").parquet(str(self.base / "in" / f"{self.batches:03}"))
        self.batches += 1

    def records(self):
        options = {"maxFilesPerTrigger": 1, "latestFirst": "false"}
        source = self.spark.readStream.schema(RECORD).options(**options)
        return source.parquet(str(self.base / "in" / "*"))

    def run(self, job, names):
        """Run the queries named until all is read; the lines of their progress."""
        context = Context(
            stream=SETTINGS.stream, dead_letter_topic="d", run_id="r", options=dict(job.options)
        )
        launch = Launch(
            run_id="r", attempt=1, generation="0001", starting_offsets="",
            checkpoint_base=str(self.base / "ck"), output_base=str(self.base / "out"),
        )  # fmt: skip
        queries = [q for q in job.queries(self.records(), context) if q.name in names]
        ended = set()
        listener = Listener(
            file=ProgressFile(self.base / "progress.jsonl", max_bytes=10**8, bound={}),
            log=structlog.stdlib.get_logger(),
            lateness={q.name: q.lateness for q in queries if q.lateness},
            totals={},
            watermark_before=lambda name, batch: watermark_before(self.running[name], batch),
            on_end=ended.add,
            ending=Ending("", on_reached=lambda: None),
            catch_up=CatchUp(
                SETTINGS.catch_up,
                steady_records=1000,
                set_limit=lambda _name, _records: False,
                log=structlog.stdlib.get_logger(),
            ),
            heap=dict,
        )
        self.spark.streams.addListener(listener)
        try:
            for query in queries:
                self.running[query.name] = sinks.start(query, settings=SETTINGS, launch=launch)
            for query in self.running.values():
                assert query.awaitTermination(120)
            while ended < set(names):
                pass
        finally:
            self.spark.streams.removeListener(listener)
        lines = (self.base / "progress.jsonl").read_text().splitlines()
        return [line for line in map(json.loads, lines) if line["kind"] == "progress"]


@pytest.fixture
def stream(spark, tmp_path):
    return Stream(spark, tmp_path)


def telemetry(minute: float, device: str = "d1", **changes: object) -> dict[str, object]:
    return {
        "device_id": device,
        "event_timestamp": (NOON + timedelta(minutes=minute)).isoformat(),
        "battery_level": 50,
        "signal_strength": -70,
        "latitude": 1.5,
        "longitude": 2.5,
        "duration_seconds": 10,
    } | changes


def test_late_records_are_counted_each_and_windows_hold_the_rest(stream):
    """Several late records of one window and device are one row to Spark, but several to us."""
    stream.batch(telemetry(0.1), telemetry(0.2), telemetry(0.3, "d2"), telemetry(20))
    stream.batch(telemetry(0.5), telemetry(21))  # the watermark for late events is still 0
    stream.batch(telemetry(0.6), telemetry(0.7), telemetry(0.8), telemetry(9.5), telemetry(10.5))
    stream.batch(telemetry(60))
    stream.batch(telemetry(61))
    lines = stream.run(TelemetryJob(), {"windows"})
    late = {line["batch_id"]: line["late_rows"] for line in lines if line["input_rows"]}
    assert list(late.values()) == [0, 0, 4, 0, 0]
    assert lines[-1]["totals"]["late_rows"] == 4
    assert lines[-1]["totals"]["input_rows"] == 13
    out = stream.spark.read.parquet(str(stream.base / "out" / "windows")).collect()
    found = Counter({(r.device_id, r.window_start.astimezone(UTC).minute): r.records for r in out})
    assert found == Counter(
        {("d1", 0): 3, ("d2", 0): 1, ("d1", 10): 1, ("d1", 20): 1, ("d1", 21): 1}
    )


def test_what_a_batch_held_that_the_sink_had_already_is_not_known(stream):
    """A crash between the sink's commit and the commit log: Spark does not run the batch again."""
    no_data = "spark.sql.streaming.noDataMicroBatches.enabled"
    stream.spark.conf.set(no_data, "false")
    try:
        stream.batch(telemetry(0.1), telemetry(20))
        stream.batch(telemetry(0.2), telemetry(21))
        told = stream.run(TelemetryJob(), {"windows"})
        assert [line["input_rows"] for line in told] == [2, 2]
        for name in ("1", ".1.crc"):
            (stream.base / "ck" / "windows" / "commits" / name).unlink()
        again = stream.run(TelemetryJob(), {"windows"})[len(told) :]
    finally:
        stream.spark.conf.unset(no_data)
    assert [(line["batch_id"], line["input_rows"]) for line in again] == [(1, 0)]
    assert again[0]["late_rows"] is None
    assert again[0]["totals"]["late_rows"] is None


def test_rejects_are_counted_by_reason_with_the_first_as_sample(stream):
    stream.batch(telemetry(0), b"{", telemetry(0, latitude=91, longitude=181), telemetry(1))
    context = Context(
        stream=SETTINGS.stream,
        dead_letter_topic="d",
        run_id="r",
        options=dict(TelemetryJob.options),
    )
    letters = TelemetryJob().queries(stream.records(), context)[1]
    assert letters.sink == Kafka(topic="d")
    rows = []
    query = (
        letters.frame.writeStream.foreachBatch(lambda frame, _: rows.extend(frame.collect()))
        .option("checkpointLocation", str(stream.base / "letters"))
        .trigger(availableNow=True)
        .start()
    )
    assert query.awaitTermination(120)
    headers = [{h.key: bytes(h.value).decode() for h in row.headers} for row in rows]
    assert [h["streamctl.dlq.reasons"] for h in headers] == [
        '["invalid_json"]',
        '["out_of_range:latitude","out_of_range:longitude"]',
    ]
    assert [h["streamctl.dlq.offset"] for h in headers] == ["1", "2"]
    assert bytes(rows[0].value) == b"{"
    seen = json.loads(query.recentProgress[0].json)["observedMetrics"]["quality"]
    assert seen["rejected"] == 2
    assert seen["count:out_of_range:latitude"] == 1
    assert seen["sample:invalid_json"]["offset"] == 1


def test_payments_join_once_and_tell_the_unpaid(stream):
    """The interface carries a job of quite another kind."""

    def order(number, minute, amount=10.0):
        at = (NOON + timedelta(minutes=minute)).isoformat()
        return {"order_id": number, "ordered_at": at, "amount": amount}

    def payment(number, order_id, minute):
        at = (NOON + timedelta(minutes=minute)).isoformat()
        return {"payment_id": number, "order_id": order_id, "paid_at": at, "paid": 10.0}

    stream.batch(order("a", 0), order("b", 1), order("c", 2), topic="orders")
    stream.batch(
        payment("p", "a", 5), payment("p", "a", 5), payment("q", "c", 50), topic="payments"
    )
    stream.batch(order("z", 200), topic="orders")
    stream.batch(payment("y", "z", 201), topic="payments")
    stream.batch(order("zz", 201), topic="orders")
    stream.batch(payment("yy", "zz", 202), topic="payments")
    stream.run(PaymentsJob(), {"settled"})
    rows = stream.spark.read.parquet(str(stream.base / "out" / "settled")).collect()
    found = sorted((row.order_id, row.payment_id or "") for row in rows)
    assert found == [("a", "p"), ("b", ""), ("c", ""), ("z", "y"), ("zz", "yy")]
