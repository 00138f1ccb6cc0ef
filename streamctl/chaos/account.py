"""What must have become of every record, worked out without Spark, and what did become of it.

The ledgers say what was sent and where it lies in Kafka; the offset log says which batch read it
and with which watermark. From these follows, record by record, what each window must count, what
is late, and what is a dead letter. It needs every entry of the offset log: the job runs with
`spark.sql.streaming.minBatchesToRetain` above the number of its batches.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streamctl.audit.reads import Planned, Reads, in_order
from streamctl.chaos.evidence import Counted, Must, Rejected
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import StreamctlError, TopicNotFound, Unsupported
from streamctl.kafka.client import Broker
from streamctl.lifecycle.state_rows import read_state_rows
from streamctl.produce.ledger import read_header
from streamctl.produce.ledger_entries import read_ledger
from streamctl.produce.run import RUN_HEADER, SEQUENCE_HEADER
from streamctl.resilience.dead_letter import read_origin

Place = tuple[int, int]
"""Partition and offset."""
_READ_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a record is: why it must be rejected, or the device and time that it counts for."""

    reason: str | None
    device: str
    event_ms: int | None


def sent_records(
    ledgers: Iterable[Path], strange: Mapping[Place, Sent], broker: Broker, topic: str
) -> dict[Place, Sent]:
    """Every record that lies in the topic, or did, by its place.

    What lies in Kafka at a place that no acknowledgement names was acknowledged to nobody, or was
    sent again by the client when the broker was killed; it is told by the run and sequence number
    in its headers.

    Args:
        ledgers: of all producers.
        strange: records that no ledger has.
        broker: of the topic.
        topic: where they were sent.

    Raises:
        BrokerUnreachable, NotFound, Malformed: as reading ledgers and topics does.
    """
    sent = dict(strange)
    by_number: dict[tuple[str, int], Sent] = {}
    for ledger in ledgers:
        run = read_header(ledger).run_id
        for entry in read_ledger(ledger):
            record = Sent(reason=entry.reason, device=entry.device, event_ms=entry.event_ms)
            by_number[run, entry.sequence] = record
            if entry.partition is not None and entry.offset is not None:
                sent[entry.partition, entry.offset] = record
    for partition, (low, high) in broker.watermarks(topic).items():
        strays = [offset for offset in range(low, high) if (partition, offset) not in sent]
        if not strays:
            continue
        for found in broker.read(topic, partition, strays[0], strays[-1] + 1):
            headers = {name: (value or b"").decode() for name, value in found.headers}
            key = (headers.get(RUN_HEADER, ""), int(headers.get(SEQUENCE_HEADER, -1)))
            if key in by_number:
                sent.setdefault((partition, found.offset), by_number[key])
    return sent


def strange_records(path: Path) -> dict[Place, Sent]:
    """The records that `Feed.strange` sent; none without its file."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {
        (line["partition"], line["offset"]): Sent(
            reason=line["reason"], device=line["device"], event_ms=line["event_ms"]
        )
        for line in lines
    }


def planned_batches(checkpoint: Checkpoint, *, after: int) -> dict[int, Planned]:
    """The committed batches of a query with a greater id than `after`."""
    batches = {}
    for batch_id in checkpoint.log_ids().committed:
        if batch_id > after:
            entry = checkpoint.offsets(batch_id)
            batches[batch_id] = Planned(ends=log.kafka_ends(entry), watermark_ms=entry.watermark_ms)
    return batches


def must_be(
    sent: Mapping[Place, Sent],
    batches: Mapping[int, Planned],
    topic: str,
    *,
    gone: AbstractSet[Place] = frozenset(),
    gone_letters: AbstractSet[Place] = frozenset(),
    window_ms: int = 60_000,
) -> Must:
    """Work out what must be.

    Args:
        sent: every record.
        batches: every batch that was committed.
        topic: where they were sent.
        gone: records that Kafka deleted before the query that counts had read them.
        gone_letters: the same for the query that writes dead letters.
        window_ms: length of a window.

    Raises:
        StreamctlError: entries of the offset log are missing.
    """
    if sorted(batches) != list(range(len(batches))):
        raise StreamctlError("entries of the offset log are missing")
    windows: Counter[tuple[str, int]] = Counter()
    rejected: Rejected = []
    late = unread = missed = 0
    reads = Reads(in_order(batches, starts={}))
    for place, record in sent.items():
        batch = reads.of((topic, *place))
        if batch is None:
            unread += 1
        elif place in (gone if record.reason is None else gone_letters):
            missed += 1
        elif record.reason is not None or record.event_ms is None:
            rejected.append((*place, record.reason or ""))
        else:
            start = record.event_ms - record.event_ms % window_ms
            if batch.has_closed(start, window_ms=window_ms):
                late += 1
            else:
                windows[record.device, start] += 1
    return Must(
        produced=len(sent),
        windows=[(device, start, count) for (device, start), count in sorted(windows.items())],
        rejected=sorted(rejected),
        late=late,
        gone=missed,
        unread=unread,
    )


def output_rows(output: Path) -> Counted:
    """Rows of the files that the file sink's own log holds; others are of failed tasks.

    Raises:
        Unsupported: pyarrow is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise Unsupported(
            "reading the job's output needs the package pyarrow",
            hint="Run `pip install 'streamctl[chaos]'`.",
        ) from None
    rows: Counted = []
    for name in sink_files(output):
        table = parquet.read_table(name, columns=["device_id", "window_start", "records"])
        rows += [
            (row["device_id"], _ms(row["window_start"]), row["records"])
            for row in table.to_pylist()
        ]
    return rows


def sink_files(output: Path) -> list[str]:
    """Files by Spark's `FileStreamSinkLog`: the last compact entry and all after it."""
    log = output / "_spark_metadata"
    entries = {
        int(path.name.removesuffix(".compact")): path
        for path in (log.iterdir() if log.exists() else ())
        if path.name.removesuffix(".compact").isdigit()
    }
    compacts = [number for number, path in entries.items() if path.suffix == ".compact"]
    first = max(compacts, default=0)
    return [
        json.loads(line)["path"].removeprefix("file://")
        for number in sorted(entries)
        if number >= first
        for line in entries[number].read_text("utf-8").splitlines()[1:]
    ]


def state_rows(checkpoint: str) -> Counted:
    """Open windows, read by Spark.

    Raises:
        StreamctlError: as `read_state_rows`.
    """
    found = read_state_rows(Checkpoint.open(checkpoint), limit=None, timeout_seconds=_READ_SECONDS)
    return [
        (
            row.key["device_id"],
            _ms(datetime.fromisoformat(row.key["window"]["start"])),
            row.value["count"],
        )
        for row in found.rows
    ]


def dead_letters(broker: Broker, topic: str, after: Mapping[int, int]) -> Rejected:
    """Every letter from an offset of each partition on, copies too: origin and reasons.

    Raises:
        BrokerUnreachable: no answer.
    """
    letters: Rejected = []
    try:
        marks = broker.watermarks(topic)
    except TopicNotFound:
        return letters
    for partition, (low, high) in marks.items():
        for record in broker.read(topic, partition, max(low, after.get(partition, 0)), high):
            if (origin := read_origin(record.headers)) is not None:
                letters.append((origin.partition, origin.offset, ",".join(origin.reasons)))
    return letters


def _ms(moment: datetime) -> int:
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(known.timestamp() * 1000)
