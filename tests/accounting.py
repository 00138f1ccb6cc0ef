"""What must have become of every record, worked out without Spark, and what did become of it.

The ledger says what was sent and where it lies in Kafka; the offset log says which batch read it
and with which watermark. From these follows, record by record, what each window must count, what
is late, and what is a dead letter. It needs every entry of the offset log: run the job with
`spark.sql.streaming.minBatchesToRetain` above the number of its batches.
"""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.kafka.client import Broker
from streamctl.produce.ledger_entries import LedgerEntry, read_ledger
from streamctl.resilience.dead_letter import read_origin
from tests.harness import Project

Window = tuple[str, int]
"""Device, and start of the window in ms since 1970."""
Place = tuple[int, int]
"""Partition and offset."""
RETAIN_ALL = "spark.options.spark.sql.streaming.minBatchesToRetain=1000000"


@dataclass
class Account:
    """Every record of a run, by what became of it.

    Attributes:
        windows: records counted, by window.
        repeated_letters: dead letters that were written more than once.
        late: valid records whose window was closed when they came.
        rejected: place -> reason.
        unread: records that no committed batch has read.
    """

    windows: Counter[Window] = field(default_factory=Counter)
    repeated_letters: int = 0
    late: int = 0
    rejected: dict[Place, str] = field(default_factory=dict)
    unread: int = 0

    @property
    def records(self) -> int:
        """All of them."""
        return sum(self.windows.values()) + self.late + len(self.rejected) + self.unread


def expected(
    ledger: Path, *, windows_checkpoint: str, topic: str, window_ms: int = 60_000
) -> Account:
    """Work out what must be, from the ledger and the offset log of the `windows` query.

    A record is late when its window's end is not after the watermark for late events, which is
    the one planned for the batch before (Spark `IncrementalExecution`).
    """
    sent = {
        (entry.partition, entry.offset): entry
        for entry in read_ledger(ledger)
        if entry.partition is not None
    }
    account = Account()
    read: set[Place] = set()
    for places, watermark_ms in _batches(Checkpoint.open(windows_checkpoint), topic):
        for place in places:
            read.add(place)
            _put(account, place, sent[place], watermark_ms=watermark_ms, window_ms=window_ms)
    account.unread = len(sent.keys() - read)
    return account


def _put(
    account: Account, place: Place, entry: LedgerEntry, *, watermark_ms: int, window_ms: int
) -> None:
    if entry.reason is not None:
        account.rejected[place] = entry.reason
        return
    assert entry.event_ms is not None
    start = entry.event_ms - entry.event_ms % window_ms
    if start + window_ms <= watermark_ms:
        account.late += 1
    else:
        account.windows[entry.device, start] += 1


def _batches(checkpoint: Checkpoint, topic: str):
    """Places that each committed batch read, and its watermark for late events."""
    ids = checkpoint.log_ids()
    assert ids.committed == tuple(range(len(ids.committed))), "entries of the log are missing"
    before: dict[str, int] = {}
    watermark_ms = 0
    for batch_id in ids.committed:
        entry = checkpoint.offsets(batch_id)
        ends = json.loads(entry.sources[0].text or "{}")[topic]
        yield (
            [
                (int(partition), offset)
                for partition, end in ends.items()
                for offset in range(before.get(partition, 0), end)
            ],
            watermark_ms,
        )
        before, watermark_ms = ends, entry.watermark_ms


def actual(
    *,
    output: Path,
    windows_checkpoint: str,
    broker: Broker,
    dead_letter_topic: str,
) -> tuple[Account, list[str]]:
    """Read what became of the records, and what should never be: windows twice, letters twice.

    A window is twice when two rows of the output have it, or one row and the state.
    Dead letters written again after a crash are told apart by their origin and counted once.
    """
    account = Account()
    wrong = []
    for window, count in [*committed_rows(output), *state_rows(windows_checkpoint)]:
        if window in account.windows:
            wrong.append(f"window {window} is there twice")
        account.windows[window] += count
    for partition, (low, high) in broker.watermarks(dead_letter_topic).items():
        for record in broker.read(dead_letter_topic, partition, low, high):
            origin = read_origin(record.headers)
            assert origin is not None
            place = (origin.partition, origin.offset)
            account.repeated_letters += place in account.rejected
            account.rejected[place] = ",".join(origin.reasons)
    return account, wrong


def committed_rows(output: Path) -> list[tuple[Window, int]]:
    """Rows of the files that the file sink's own log holds; others are of failed tasks."""
    rows = []
    for name in sink_files(output):
        for row in pq.read_table(name).to_pylist():
            start = row["window_start"].replace(tzinfo=row["window_start"].tzinfo or UTC)
            rows.append(((row["device_id"], _ms(start)), row["records"]))
    return rows


def sink_files(output: Path) -> list[str]:
    """Files by Spark's `FileStreamSinkLog`: the last compact entry and all after it."""
    entries = {
        int(path.name.removesuffix(".compact")): path
        for path in (output / "_spark_metadata").iterdir()
        if not path.name.startswith(".") and not path.name.endswith(".tmp")
    }
    compacts = [number for number, path in entries.items() if path.suffix == ".compact"]
    first = max(compacts, default=0)
    return [
        json.loads(line)["path"].removeprefix("file://")
        for number in sorted(entries)
        if number >= first
        for line in entries[number].read_text().splitlines()[1:]
    ]


def state_rows(checkpoint: str) -> list[tuple[Window, int]]:
    """Open windows, read by Spark."""
    version = Checkpoint.open(checkpoint).state_format_version() or 1
    child = subprocess.run(
        [sys.executable, "-m", "jobs.read_state", checkpoint, "--format-version", str(version)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = []
    for line in child.stdout.splitlines():
        row = json.loads(line)
        start = datetime.fromisoformat(row["key"]["window"]["start"])
        rows.append(((row["key"]["device_id"], _ms(start)), row["value"]["count"]))
    return rows


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def differences(must: Account, found: Account) -> list[str]:
    """Every way in which they differ, one line each; empty when all is accounted for."""
    lines = []
    for window in sorted(must.windows.keys() | found.windows.keys()):
        wanted, got = must.windows[window], found.windows[window]
        if wanted != got:
            word = "lost from" if got < wanted else "too many in"
            lines.append(f"{abs(wanted - got)} {word} window {window}: {got} instead of {wanted}")
    for place in sorted(must.rejected.keys() | found.rejected.keys()):
        wanted_reason, got_reason = must.rejected.get(place), found.rejected.get(place)
        if wanted_reason != got_reason:
            lines.append(f"record {place}: {got_reason} instead of {wanted_reason}")
    return lines


def is_drained(project: Project, broker: Broker, topic: str) -> bool:
    """Whether every query has committed what the topic holds."""
    ends = {partition: high for partition, (_, high) in broker.watermarks(topic).items()}
    return all(
        checkpoint.position().committed[0].kafka == {topic: ends}
        for checkpoint in project.checkpoints().values()
    )


@dataclass(frozen=True)
class Audit:
    """What must be, what is, and every difference."""

    must: Account
    found: Account
    wrong: list[str]


def check(project: Project, broker: Broker, topic: str, ledger: Path) -> Audit:
    """Produced = in windows + still in state + dead letters + late, each by name."""
    windows = project.checkpoints()["windows"].location
    must = expected(ledger, windows_checkpoint=windows, topic=topic)
    found, wrong = actual(
        output=project.directory / "data" / "output" / "0001" / "windows",
        windows_checkpoint=windows,
        broker=broker,
        dead_letter_topic=f"{topic}.dlq",
    )
    return Audit(must=must, found=found, wrong=wrong + differences(must, found))
