"""A producer's ledgers against what the job made, record by record.

The ledger says of each record what must become of it. Which window a valid one belongs to follows
from its event time; whether it was too late for it, from the watermark of the batch that read it
(`reads`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from streamctl.audit.cut import Cut
from streamctl.audit.figures import Place
from streamctl.audit.model import LedgerAudit
from streamctl.audit.reads import Planned, Read, Reads, in_order
from streamctl.checkpoint.formats import log
from streamctl.produce.ledger_entries import LedgerEntry
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory

Window = tuple[int, str]
"""Start in ms since 1970, and device."""
_SAMPLES = 8


def read_batches(cut: Cut, run: RunDirectory, generation: str) -> list[Read]:
    """All batches up to the cut, from the offset log, and before that from what the driver told.

    Raises:
        Malformed, Unsupported: an entry of the log cannot be read.
    """
    if cut.batch_id is None:
        return []
    planned = _told(cut, run, generation)
    for batch_id in cut.checkpoint.log_ids().planned:
        if batch_id <= cut.batch_id:
            entry = cut.checkpoint.offsets(batch_id)
            planned[batch_id] = Planned(ends=log.kafka_ends(entry), watermark_ms=entry.watermark_ms)
    return in_order(planned, starts=cut.starts)


def _told(cut: Cut, run: RunDirectory, generation: str) -> dict[int, Planned]:
    """Batches by the progress file."""
    planned: dict[int, Planned] = {}
    for line in run.progress():
        mine = line["kind"] == "progress" and line["query"] == cut.query
        if (
            not mine
            or line.get("generation") != generation
            or line["batch_id"] > (cut.batch_id or 0)
        ):
            continue
        found = [s["end_offset"] for s in line["sources"] if isinstance(s["end_offset"], Mapping)]
        ends = {
            topic: {int(partition): offset for partition, offset in partitions.items()}
            for one in found
            for topic, partitions in one.items()
        }
        at = line["watermark"]
        planned[line["batch_id"]] = Planned(
            ends=ends,
            watermark_ms=round(datetime.fromisoformat(at).timestamp() * 1000) if at else 0,
        )
    return planned


@dataclass(slots=True)
class Expected:
    """What must be.

    Args:
        reads: finds the batch that has read a record.
        window_ms: length of a window.
        hidden: records that the job was not shown: they are dead letters, whatever they hold.
    """

    reads: Reads
    window_ms: int
    hidden: AbstractSet[Place] = frozenset()
    windows: Counter[Window] = field(default_factory=Counter)
    unjudged: Counter[Window] = field(default_factory=Counter)
    rejected: dict[Place, str] = field(default_factory=dict)
    known: dict[str, dict[int, set[int]]] = field(default_factory=dict)
    records: int = 0
    unacknowledged: int = 0
    unread: int = 0
    late: int = 0
    set_aside: int = 0

    def add(self, topic: str, entry: LedgerEntry) -> None:
        """Put one record where it belongs."""
        self.records += 1
        if entry.partition is None or entry.offset is None:
            self.unacknowledged += 1
            return
        place = (topic, entry.partition, entry.offset)
        self.known.setdefault(topic, {}).setdefault(entry.partition, set()).add(entry.offset)
        batch = self.reads.of(place)
        if batch is None:
            self.unread += 1
        elif place in self.hidden:
            self.set_aside += 1
        elif entry.reason is not None or entry.event_ms is None:
            self.rejected[place] = entry.reason or ""
        else:
            start = entry.event_ms - entry.event_ms % self.window_ms
            closed = batch.has_closed(start, window_ms=self.window_ms)
            if closed is None:
                self.unjudged[start, entry.device] += 1
            elif closed:
                self.late += 1
            else:
                self.windows[start, entry.device] += 1


def compare(
    must: Expected,
    *,
    read: int,
    rows: Iterable[Mapping[str, Any]],
    rejected: Mapping[Place, str] | None,
) -> LedgerAudit:
    """Hold what is against what must be.

    Args:
        must: from the ledgers.
        read: offsets that were read.
        rows: of output and state: `key` (start of the window in ms, device) and `records`.
        rejected: origins of dead letters with their reasons; None when some may be gone.
    """
    found: Counter[Window] = Counter()
    for row in rows:
        start, device = row["key"]
        found[start, device] += row["records"]
    samples: list[str] = []
    lost = doubled = 0
    for window in sorted(must.windows.keys() | must.unjudged.keys() | found.keys()):
        least = must.windows[window]
        most, got = least + must.unjudged[window], found[window]
        lost += max(0, least - got)
        doubled += max(0, got - most)
        if not least <= got <= most and len(samples) < _SAMPLES:
            samples.append(f"{window[1]} at {window[0]}: {got} records instead of {least}")
    wrong = _wrong(must, rejected or {}) if rejected is not None else []
    samples += [text for _, text in wrong[:_SAMPLES]]
    counted = must.windows.total() + must.unjudged.total()
    foreign = read - (counted + must.late + len(must.rejected) + must.set_aside)
    in_doubt = rejected is None or must.unjudged or foreign or must.unacknowledged
    is_wrong = lost or wrong or (doubled and not foreign)
    return LedgerAudit(
        verdict=Verdict.PROBLEM if is_wrong else Verdict.UNKNOWN if in_doubt else Verdict.OK,
        records=must.records,
        unacknowledged=must.unacknowledged,
        unread=must.unread,
        counted=must.windows.total(),
        late=must.late,
        rejected=len(must.rejected),
        set_aside=must.set_aside,
        unjudged=must.unjudged.total(),
        foreign=foreign,
        lost=lost,
        doubled=doubled,
        wrongly_judged=len(wrong),
        samples=samples,
    )


def _wrong(must: Expected, rejected: Mapping[Place, str]) -> list[tuple[Place, str]]:
    """Records of the ledgers that were not judged as they must be."""
    found = []
    for place in sorted(must.rejected.keys() | rejected.keys()):
        topic, partition, offset = place
        if offset not in must.known.get(topic, {}).get(partition, ()):
            continue  # another producer's
        wanted, got = must.rejected.get(place), rejected.get(place)
        if wanted != got:
            told = f"{got or 'no dead letter'} instead of {wanted or 'none'}"
            found.append((place, f"{topic} partition {partition} offset {offset}: {told}"))
    return found
