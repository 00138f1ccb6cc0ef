"""What changed between two batches, two checkpoints, or a checkpoint and its backup."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry
from streamctl.checkpoint.tree.reader import Checkpoint, again
from streamctl.checkpoint.tree.state import read_operator_metadata, scan
from streamctl.errors import Malformed, NotFound, Unsupported
from streamctl.reports import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two.

    Attributes:
        batch_id: the batch that is compared: the newest planned one unless named.
        planned_at: UTC.
    """

    location: str
    query_id: str | None
    batch_id: int
    planned_at: datetime | None
    watermark_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionChange:
    """One topic partition: None where it is not there."""

    topic: str
    partition: int
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """A named value that differs: None where it is not there."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffReport:
    """From `before` to `after`.

    Attributes:
        verdict: ok, whether or not anything differs; unknown when a part cannot be read.
        same_query: both have the same query id.
        records: sum of the offsets between, over partitions in both.
        seconds: between the two plans.
        partitions: those that differ.
        conf: pinned settings that differ.
        sources: sources that are not Kafka and differ, by id.
        operators: operators that differ, by id: name, stores and partitions.
        unknown: what could not be read.
    """

    verdict: Verdict
    before: Side
    after: Side
    same_query: bool
    records: int
    seconds: float | None
    partitions: tuple[PartitionChange, ...]
    conf: tuple[ValueChange, ...]
    sources: tuple[ValueChange, ...]
    operators: tuple[ValueChange, ...]
    unknown: tuple[str, ...]


def diff(
    before: Checkpoint,
    after: Checkpoint,
    *,
    before_batch_id: int | None = None,
    after_batch_id: int | None = None,
) -> DiffReport:
    """Compare two batches, of one checkpoint or of two.

    Raises:
        NotFound: a batch is not in the offset log.
        Malformed, Unsupported: one of the two entries cannot be read.
        StreamctlError: storage fails.
    """
    old_side, old = again(lambda: _side(before, before_batch_id))
    new_side, new = again(lambda: _side(after, after_batch_id))
    unknown: list[str] = []
    partitions, sources = _offsets(old, new, unknown)
    operators: tuple[ValueChange, ...] = ()
    if before.location != after.location:
        operators = _changes(_operators(before, unknown), _operators(after, unknown))
    span = None
    if old_side.planned_at and new_side.planned_at:
        span = (new_side.planned_at - old_side.planned_at).total_seconds()
    return DiffReport(
        verdict=Verdict.UNKNOWN if unknown else Verdict.OK,
        before=old_side,
        after=new_side,
        same_query=old_side.query_id == new_side.query_id and old_side.query_id is not None,
        records=sum(
            p.after - p.before for p in partitions if p.before is not None and p.after is not None
        ),
        seconds=span,
        partitions=partitions,
        conf=_changes(dict(old.conf), dict(new.conf)),
        sources=sources,
        operators=operators,
        unknown=tuple(unknown),
    )


def _side(checkpoint: Checkpoint, batch_id: int | None) -> tuple[Side, OffsetsEntry]:
    planned = checkpoint.log_ids().planned
    if not planned or (batch_id is not None and batch_id not in planned):
        kept = f"batches {planned[0]} to {planned[-1]}" if planned else "no batch"
        raise NotFound(
            f'batch {batch_id} is not in the offset log of "{checkpoint.location}"',
            hint=f"The offset log keeps {kept}.",
        )
    number = planned[-1] if batch_id is None else batch_id
    entry = checkpoint.offsets(number)
    try:
        query_id = checkpoint.query_id()
    except Malformed:
        query_id = None
    at = None
    if entry.timestamp_ms:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=entry.timestamp_ms)
    side = Side(
        location=checkpoint.location,
        query_id=query_id,
        batch_id=number,
        planned_at=at,
        watermark_ms=entry.watermark_ms,
    )
    return side, entry


def _offsets(
    old: OffsetsEntry, new: OffsetsEntry, unknown: list[str]
) -> tuple[tuple[PartitionChange, ...], tuple[ValueChange, ...]]:
    start, start_other = _taken_apart(old, unknown)
    end, end_other = _taken_apart(new, unknown)
    changes = []
    for topic in sorted(start.keys() | end.keys()):
        was, now = start.get(topic, {}), end.get(topic, {})
        changes += [
            PartitionChange(topic=topic, partition=p, before=was.get(p), after=now.get(p))
            for p in sorted(was.keys() | now.keys())
            if was.get(p) != now.get(p)
        ]
    return tuple(changes), _changes(start_other, end_other)


def _taken_apart(entry: OffsetsEntry, unknown: list[str]) -> tuple[KafkaOffsets, dict[str, str]]:
    kafka: KafkaOffsets = {}
    other: dict[str, str] = {}
    for source in entry.sources:
        try:
            found = log.source_position(source).kafka
        except Malformed as error:
            unknown.append(error.message)
            continue
        if found is None:
            other[source.source_id] = source.text or log.NO_OFFSET
        for topic, partitions in (found or {}).items():
            kafka.setdefault(topic, {}).update(partitions)
    return kafka, other


def _operators(checkpoint: Checkpoint, unknown: list[str]) -> dict[str, str]:
    found = {}
    for operator in again(lambda: scan(checkpoint.files, details=False)):
        name = None
        try:
            metadata = read_operator_metadata(checkpoint.files, operator)
            name = metadata.name if metadata else None
        except (Malformed, Unsupported) as error:
            unknown.append(error.message)
        stores = sorted({store.name for store in operator.stores})
        what = f"{name or 'operator'} in {len(operator.partitions)} partitions"
        found[str(operator.operator_id)] = f"{what}, stores {', '.join(stores)}"
    return found


def _changes(old: dict[str, str], new: dict[str, str]) -> tuple[ValueChange, ...]:
    return tuple(
        ValueChange(name=name, before=old.get(name), after=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )
