"""What changed between two batches, two checkpoints, or a checkpoint and its backup."""

from dataclasses import dataclass
from datetime import datetime

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry
from streamctl.checkpoint.formats.types import describe
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint, again
from streamctl.checkpoint.tree.schemas import read_rows
from streamctl.checkpoint.tree.state import Operator, read_operator_metadata, scan
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
class _Look:
    """What is compared of a side; `unknown` is what could not be read of it."""

    side: Side
    entry: OffsetsEntry
    operators: "dict[int, _Operator | None]"
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operator:
    """An operator in words, and the types of its rows by store and part."""

    told: str
    rows: dict[str, str]


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
        schemas: rows of state that differ, by operator, store and key or value.
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
    schemas: tuple[ValueChange, ...]
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
    old = again(lambda: _look(before, before_batch_id))
    new = again(lambda: _look(after, after_batch_id))
    unknown = [*old.unknown, *new.unknown]
    partitions, sources = _offsets(old.entry, new.entry, unknown)
    unread = {n for look in (old, new) for n, found in look.operators.items() if found is None}
    span = None
    if old.side.planned_at and new.side.planned_at:
        span = (new.side.planned_at - old.side.planned_at).total_seconds()
    return DiffReport(
        verdict=Verdict.UNKNOWN if unknown else Verdict.OK,
        before=old.side,
        after=new.side,
        same_query=old.side.query_id == new.side.query_id and old.side.query_id is not None,
        records=sum(
            p.after - p.before for p in partitions if p.before is not None and p.after is not None
        ),
        seconds=span,
        partitions=partitions,
        conf=_changes(dict(old.entry.conf), dict(new.entry.conf)),
        sources=sources,
        operators=_changes(_operators(old, unread), _operators(new, unread)),
        schemas=_changes(_schemas(old, unread), _schemas(new, unread)),
        unknown=tuple(dict.fromkeys(unknown)),
    )


def _look(checkpoint: Checkpoint, batch_id: int | None) -> _Look:
    side, entry = _side(checkpoint, batch_id)
    operators: dict[int, _Operator | None] = {}
    unknown: list[str] = []
    for operator in scan(checkpoint.files, details=False):
        found = None
        try:
            found = _operator(checkpoint.files, operator, side.batch_id)
        except (Malformed, Unsupported) as error:
            unknown.append(error.message)
        operators[operator.operator_id] = found
    return _Look(side=side, entry=entry, operators=operators, unknown=tuple(unknown))


def _operator(files: Files, operator: Operator, batch_id: int) -> _Operator:
    """As of a batch; without its name before Spark 4.0, which wrote none."""
    metadata = read_operator_metadata(files, operator, batch_id=batch_id)
    name = metadata.name if metadata else "operator"
    stores = ", ".join(sorted({store.name for store in operator.stores}))
    return _Operator(
        told=f"{name} in {len(operator.partitions)} partitions, stores {stores}",
        rows={
            f"{store} {part}": describe(schema)
            for store, both in read_rows(files, operator, metadata).items()
            for part, schema in zip(("key", "value"), both, strict=True)
        },
    )


def _operators(look: _Look, unread: set[int]) -> dict[str, str]:
    return {str(n): found.told for n, found in look.operators.items() if found and n not in unread}


def _schemas(look: _Look, unread: set[int]) -> dict[str, str]:
    return {
        f"{number} {part}": row
        for number, found in look.operators.items()
        if found and number not in unread
        for part, row in found.rows.items()
    }


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
    side = Side(
        location=checkpoint.location,
        query_id=query_id,
        batch_id=number,
        planned_at=entry.planned_at,
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


def _changes(old: dict[str, str], new: dict[str, str]) -> tuple[ValueChange, ...]:
    return tuple(
        ValueChange(name=name, before=old.get(name), after=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )
