"""Send telemetry to a topic at a rate, and keep the ledger."""

import gc
import operator
import time
import uuid
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamctl.errors import ExitCode
from streamctl.kafka.client import Broker
from streamctl.kafka.codes import REFUSED
from streamctl.produce.ledger import LedgerHeader, LedgerWriter
from streamctl.produce.mix import Mix
from streamctl.produce.telemetry import NO_TIME, Batch, Clock, Telemetry
from streamctl.reports import Event, OnEvent, Verdict, ignore

if TYPE_CHECKING:
    from confluent_kafka import Producer

RUN_HEADER, SEQUENCE_HEADER = "producer_run_id", "sequence"
_BATCH_RECORDS = 1000
_TICKS_PER_SECOND = 20
_NEVER_SENT = -1000
"""Stands for an error code in the ledger: the run ended before the record was given to Kafka."""
_DEFAULTS: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": "true",  # a record that is sent again must not lie in the topic twice
    "linger.ms": 20,
    "batch.size": 1_000_000,
    "batch.num.messages": 10_000,
    "compression.type": "lz4",
    "delivery.timeout.ms": 120_000,
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.kbytes": 262_144,
    "partitioner": "murmur2_random",  # the partition that Kafka's Java clients choose
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast and how long; the first limit that is reached ends the run.

    Attributes:
        rate: records per second; None is as fast as possible.
        count: records; None is no limit.
        duration_seconds: None is no limit.
    """

    rate: float | None = None
    count: int | None = None
    duration_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProduceReport:
    """What was sent.

    Attributes:
        verdict: problem if a record was not acknowledged.
        reasons_records: reason -> records sent with that flaw.
        valid_records: records without flaw, late ones among them.
        error: of the first record that failed; empty if none did.
        interrupted: ended by a signal before its limit.
    """

    verdict: Verdict
    run_id: str
    topic: str
    sent_records: int
    acknowledged_records: int
    failed_records: int
    valid_records: int
    late_records: int
    reasons_records: dict[str, int]
    sent_bytes: int
    elapsed_seconds: float
    records_per_second: float
    seed: int
    ledger: Path
    error: str = ""
    interrupted: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """Interrupted, found a failure, or done."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.DONE if self.verdict is Verdict.OK else ExitCode.FOUND


def wall_clock(sequence: int) -> int:
    """Give each record the time at which it is made."""
    del sequence
    return time.time_ns() // 1_000_000


def simulated_clock(start: datetime, *, records_per_second: float) -> Clock:
    """Give record n the time `start + n / records_per_second`, however fast it is really sent."""
    start_ms = int(start.timestamp() * 1000)
    return lambda sequence: start_ms + int(sequence * 1000 / records_per_second)


def produce(
    broker: Broker,
    topic: str,
    *,
    mix: Mix,
    pace: Pace,
    ledger: Path,
    clock: Clock = wall_clock,
    run_id: str | None = None,
    config: Mapping[str, Any] | None = None,
    stopping: Callable[[], bool] = lambda: False,
    on_event: OnEvent = ignore,
) -> ProduceReport:
    """Send records until a limit is reached, then wait until each has its delivery report.

    Args:
        broker: of the topic.
        topic: must exist.
        mix: what the records are.
        pace: how fast and how long.
        ledger: a new file.
        clock: CreateTime of each record; must not run backwards.
        run_id: goes into each record's header; a random one if None.
        config: of librdkafka's producer, over the defaults: `acks`, `linger.ms` and so on.
        stopping: asked often; true ends the run, with a consistent ledger.
        on_event: hears of the progress about four times a second.

    Raises:
        TopicNotFound, BrokerUnreachable: before anything was sent.
        SettingsInvalid: a mix or a producer setting that is none.
        Refused: the ledger's file exists.
    """
    broker.topic(topic)
    telemetry = Telemetry(mix, clock=clock)
    merged = {**_DEFAULTS, **(config or {})}
    if str(merged["acks"]) not in {"all", "-1"}:
        merged["enable.idempotence"] = "false"
    producer = broker.producer(merged)
    header = LedgerHeader(
        run_id=run_id or uuid.uuid4().hex[:12],
        topic=topic,
        bootstrap_servers=broker.servers,
        seed=mix.seed,
        devices=mix.devices,
        reasons=tuple(telemetry.reasons),
        started_at=datetime.now(UTC),
    )
    with LedgerWriter(ledger, header) as writer:
        run = _Run(producer, header, writer, stopping=stopping, on_event=on_event)
        with _without_cycle_collection():
            run.send(telemetry, pace)
            run.drain(float(merged["delivery.timeout.ms"]) / 1000)
        report = run.report(mix, ledger)
        writer.end({"sent_records": report.sent_records, "failed_records": report.failed_records})
    return report


@contextmanager
def _without_cycle_collection() -> Iterator[None]:
    """Spare the collector, which would look at every record in flight; sending makes no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(slots=True)
class _Reports:
    """Delivery reports that are not in the ledger yet: three columns."""

    sequences: "array[int]" = field(default_factory=lambda: array("q"))
    partitions: "array[int]" = field(default_factory=lambda: array("i"))
    offsets: "array[int]" = field(default_factory=lambda: array("q"))

    def fail(self, sequence: int, code: int) -> None:
        self.sequences.append(sequence)
        self.partitions.append(-1)
        self.offsets.append(code)


class _Run:
    """One run: the sending loop, and the counts."""

    def __init__(
        self,
        producer: "Producer",
        header: LedgerHeader,
        writer: LedgerWriter,
        *,
        stopping: Callable[[], bool],
        on_event: OnEvent,
    ) -> None:
        self._producer, self._header, self._writer = producer, header, writer
        self._stopping, self._on_event = stopping, on_event
        self._run_header = (RUN_HEADER, header.run_id.encode())
        self._reports = _Reports()
        self._kinds: Counter[int] = Counter()
        self._sent = self._acknowledged = self._failed = self._late = self._bytes = 0
        self._error, self._interrupted = "", False
        self._began, self._told = time.monotonic(), 0.0

    def send(self, telemetry: Telemetry, pace: Pace) -> None:
        size = _BATCH_RECORDS
        if pace.rate is not None:
            size = max(1, min(size, int(pace.rate / _TICKS_PER_SECOND)))
        while not self._interrupted and (allowed := self._allowed(pace, size)):
            if self._sent and pace.rate is not None and not self._wait_for_turn(pace.rate):
                break
            batch = telemetry.batch(allowed)
            self._writer.sending(batch)
            self._count(batch)
            self._give(batch)
            self._producer.poll(0)
            self._note_reports()
            self._tell(pace)

    def drain(self, seconds: float) -> None:
        """Wait for the reports of all that is in flight; give up what gets none in time."""
        deadline = time.monotonic() + seconds
        patience = 0.0
        while len(self._producer) and time.monotonic() < deadline:
            self._interrupted = self._interrupted or self._stopping()
            if self._interrupted and not patience:
                patience = _DRAIN_SECONDS_WHEN_STOPPED
                deadline = min(deadline, time.monotonic() + patience)
            self._producer.poll(0.1)
            self._note_reports()
        self._producer.purge()
        self._producer.flush(5)
        self._note_reports()

    def report(self, mix: Mix, ledger: Path) -> ProduceReport:
        elapsed = time.monotonic() - self._began
        names = self._header.reasons
        return ProduceReport(
            verdict=Verdict.OK if self._acknowledged == self._sent else Verdict.PROBLEM,
            run_id=self._header.run_id,
            topic=self._header.topic,
            sent_records=self._sent,
            acknowledged_records=self._acknowledged,
            failed_records=self._failed,
            valid_records=self._kinds[0],
            late_records=self._late,
            reasons_records={names[n]: c for n, c in sorted(self._kinds.items()) if n},
            sent_bytes=self._bytes,
            elapsed_seconds=round(elapsed, 3),
            records_per_second=round(self._sent / elapsed, 1) if elapsed else 0.0,
            seed=mix.seed,
            ledger=ledger,
            error=self._error,
            interrupted=self._interrupted,
        )

    def _allowed(self, pace: Pace, size: int) -> int:
        """Return how many records may be sent now; 0 at the end."""
        if self._stopping():
            self._interrupted = True
            return 0
        elapsed = time.monotonic() - self._began
        if pace.duration_seconds is not None and elapsed >= pace.duration_seconds:
            return 0
        return size if pace.count is None else min(size, pace.count - self._sent)

    def _wait_for_turn(self, rate: float) -> bool:
        """Serve reports until the next batch is due; false if the run must end meanwhile."""
        due = self._began + self._sent / rate
        while (wait := due - time.monotonic()) > 0:
            self._producer.poll(min(wait, 0.1))
            self._note_reports()
            if self._stopping():
                self._interrupted = True
                return False
        return True

    def _give(self, batch: Batch) -> None:
        """Give records to the client library; when its queue is full, wait for it to drain."""
        give, topic, run = self._producer.produce, self._header.topic, self._run_header
        delivered = self._delivered
        sequence = batch.first
        for key, value, created_ms in zip(batch.keys, batch.values, batch.created_ms, strict=True):
            headers: Any = [run, (SEQUENCE_HEADER, b"%d" % sequence)]
            report = partial(delivered, sequence)
            while True:
                try:
                    give(
                        topic, value, key, timestamp=created_ms, headers=headers, on_delivery=report
                    )
                    break
                except BufferError:
                    if not self._wait_for_room():
                        self._never_sent(range(sequence, batch.first + len(batch.values)))
                        return
            sequence += 1

    def _wait_for_room(self) -> bool:
        self._producer.poll(0.05)
        self._note_reports()
        self._interrupted = self._interrupted or self._stopping()
        return not self._interrupted

    def _never_sent(self, sequences: range) -> None:
        for sequence in sequences:
            self._reports.fail(sequence, _NEVER_SENT)
        self._failed += len(sequences)

    def _delivered(self, sequence: int, error: Any, message: Any) -> None:
        if error is None:
            reports = self._reports
            reports.sequences.append(sequence)
            reports.partitions.append(message.partition())
            reports.offsets.append(message.offset())
            return
        self._failed += 1
        self._error = self._error or _told(error)
        self._reports.fail(sequence, error.code())

    def _note_reports(self) -> None:
        reports, self._reports = self._reports, _Reports()
        self._acknowledged += len(reports.sequences) - reports.partitions.count(-1)
        self._writer.delivered(reports.sequences, reports.partitions, reports.offsets)

    def _count(self, batch: Batch) -> None:
        self._sent += len(batch.values)
        self._bytes += sum(map(len, batch.values))
        self._kinds.update(batch.reasons)
        earlier = sum(map(operator.lt, batch.event_ms, batch.created_ms))
        self._late += earlier - batch.event_ms.count(NO_TIME)

    def _tell(self, pace: Pace) -> None:
        elapsed = time.monotonic() - self._began
        if elapsed - self._told < _TELL_SECONDS:
            return
        self._told = elapsed
        if pace.count is not None:
            message = f"producing, {self._sent / elapsed:,.0f} records/s"
            self._on_event(Event(message=message, done=self._sent, total=pace.count))
        elif pace.duration_seconds is not None:
            message = f"producing, {self._sent:,} records, seconds"
            total = int(pace.duration_seconds)
            self._on_event(Event(message=message, done=min(int(elapsed), total), total=total))
        else:
            message = f"producing, {self._sent / elapsed:,.0f} records/s"
            self._on_event(Event(message=message, done=self._sent))


_TELL_SECONDS = 0.25
_DRAIN_SECONDS_WHEN_STOPPED = 10.0


def _told(error: Any) -> str:
    if error.name() not in REFUSED:
        return str(error.str())
    return (
        f"{error.str()}: a record may be an hour ahead of the broker's clock, or as the topic's "
        "message.timestamp.after.max.ms says"
    )
