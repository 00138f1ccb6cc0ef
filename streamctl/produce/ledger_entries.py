"""Read a ledger record by record, or as a whole in figures."""

import json
from array import array
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from streamctl.errors import Malformed
from streamctl.produce.ledger import LedgerHeader, read_frames, read_header, unpack
from streamctl.produce.mix import device_name
from streamctl.produce.telemetry import NO_TIME

_NO_REPORT = -2
_FAILED = -1


class Delivery(StrEnum):
    """What is known of a record's way into Kafka."""

    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    """Not acknowledged. It may be in Kafka all the same when the broker's answer was lost."""
    UNKNOWN = "unknown"
    """The producer ended before it heard of it."""


class LedgerEntry(NamedTuple):
    """One record.

    Attributes:
        sequence: number in the run, from 0; also in the record's header.
        reason: what the job must say of it; None for a valid one.
        device: its key.
        event_ms: event time, ms since 1970; None where the record tells none that can be read.
        created_ms: its CreateTime.
        partition: None unless acknowledged. (So is `offset`.)
    """

    sequence: int
    reason: str | None
    device: str
    event_ms: int | None
    created_ms: int
    delivery: Delivery
    partition: int | None
    offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSummary:
    """A whole ledger in figures.

    Attributes:
        complete: the run ended in an orderly way; without it the last records may be unknown.
        valid_records: without flaw, late ones among them.
        late_records: valid, with an event time before the CreateTime.
        reasons_records: reason -> records.
        first_event_ms, last_event_ms: of valid records; None if there are none.
        partitions: partition -> acknowledged records.
    """

    header: LedgerHeader
    complete: bool
    sent_records: int
    acknowledged_records: int
    failed_records: int
    unknown_records: int
    valid_records: int
    late_records: int
    reasons_records: dict[str, int]
    partitions: dict[int, int]
    first_event_ms: int | None
    last_event_ms: int | None


class _Sent:
    """Records of one `S` frame, and what is known of their delivery so far."""

    __slots__ = ("columns", "first", "offsets", "open", "partitions")

    def __init__(self, content: bytes) -> None:
        self.first, self.columns = unpack(content, "BIqq")
        self.open = len(self.columns[0])
        self.partitions = array("i", [_NO_REPORT]) * self.open
        self.offsets = array("q", [0]) * self.open


def read_ledger(path: Path) -> Iterator[LedgerEntry]:
    """Yield all records in the order of their sequence numbers.

    Memory stays bounded by the records in flight, not by the length of the run. A ledger that is
    being written reads up to its last whole frame.

    Raises:
        NotFound: no such file.
        Malformed: it is no ledger, or damaged.
    """
    header = read_header(path)
    reasons = [reason or None for reason in header.reasons]
    devices = [device_name(number) for number in range(header.devices)]
    for sent in _batches(path):
        kinds, keys, events, created = sent.columns
        for index, kind in enumerate(kinds):
            partition, event_ms = sent.partitions[index], events[index]
            acknowledged = partition >= 0
            yield LedgerEntry(
                sent.first + index,
                reasons[kind],
                devices[keys[index]],
                None if event_ms == NO_TIME else event_ms,
                created[index],
                _DELIVERY.get(partition, Delivery.ACKNOWLEDGED),
                partition if acknowledged else None,
                sent.offsets[index] if acknowledged else None,
            )


def summarise_ledger(path: Path) -> LedgerSummary:
    """Count a ledger.

    Raises:
        NotFound, Malformed: as `read_ledger`.
    """
    header = read_header(path)
    kinds: Counter[int] = Counter()
    partitions: Counter[int] = Counter()
    late, first, last = 0, None, None
    for sent in _batches(path):
        kinds.update(sent.columns[0])
        partitions.update(sent.partitions)
        for kind, event_ms, created_ms in zip(sent.columns[0], *sent.columns[2:], strict=True):
            if kind == 0:
                late += event_ms < created_ms
                first = event_ms if first is None else min(first, event_ms)
                last = event_ms if last is None else max(last, event_ms)
    failed, unknown = partitions.pop(_FAILED, 0), partitions.pop(_NO_REPORT, 0)
    return LedgerSummary(
        header=header,
        complete=any(kind == b"E" for kind, _ in read_frames(path)),
        sent_records=kinds.total(),
        acknowledged_records=partitions.total(),
        failed_records=failed,
        unknown_records=unknown,
        valid_records=kinds[0],
        late_records=late,
        reasons_records={header.reasons[n]: count for n, count in sorted(kinds.items()) if n},
        partitions=dict(sorted(partitions.items())),
        first_event_ms=first,
        last_event_ms=last,
    )


def read_end(path: Path) -> dict[str, object] | None:
    """Return what the run said at its orderly end; None if it was killed or still runs."""
    for kind, content in read_frames(path):
        if kind == b"E":
            facts: dict[str, object] = json.loads(content)
            return facts
    return None


_DELIVERY = {_FAILED: Delivery.FAILED, _NO_REPORT: Delivery.UNKNOWN}


def _batches(path: Path) -> Iterator[_Sent]:
    """Yield sent batches in order, each as soon as all before it are fully reported."""
    waiting: deque[_Sent] = deque()
    for kind, content in read_frames(path):
        if kind == b"S":
            waiting.append(_Sent(content))
        elif kind == b"D":
            _apply(waiting, content)
            while waiting and not waiting[0].open:
                yield waiting.popleft()
    yield from waiting


def _apply(waiting: deque[_Sent], content: bytes) -> None:
    """Write delivery reports to their batches; neighbours in the frame mostly share a batch."""
    _, (sequences, partitions, offsets) = unpack(content, "qiq")
    sent: _Sent | None = None
    for sequence, partition, offset in zip(sequences, partitions, offsets, strict=True):
        if sent is None or not 0 <= sequence - sent.first < len(sent.partitions):
            sent = _holder(waiting, sequence)
        index = sequence - sent.first
        sent.open -= sent.partitions[index] == _NO_REPORT
        sent.partitions[index], sent.offsets[index] = partition, offset


def _holder(waiting: deque[_Sent], sequence: int) -> _Sent:
    for sent in waiting:
        if 0 <= sequence - sent.first < len(sent.partitions):
            return sent
    raise Malformed(f"the ledger tells twice, or of nothing, how record {sequence} was delivered")
