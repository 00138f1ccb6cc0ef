"""Take a checkpoint back to the end of a committed batch, with its state and its sink.

Trimming the logs alone is silent corruption: the next start would load the newest state snapshot,
and that is one of the abandoned batches. So what goes is everything that a later batch wrote: log
entries above N, state above version N+1, operator metadata and state schemas above N, and both
kinds of checksum of each. Batch ids after N are then given out again with other contents.

Follows `MicroBatchExecution` (order of writes), `HDFSBackedStateStoreProvider` and `RocksDB`
(which files a load takes), `OperatorStateMetadataV2` (newest file up to the batch).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from streamctl.checkpoint.change import guards, preview
from streamctl.checkpoint.change.area import Target
from streamctl.checkpoint.change.guards import Kafka, Range
from streamctl.checkpoint.change.plan import Item, Kind, Plan, Step, make_plan
from streamctl.checkpoint.change.sink_steps import sink_steps
from streamctl.checkpoint.change.walk import sizes
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.reader import Checkpoint, LogIds
from streamctl.checkpoint.tree.state import read_operator_metadata, scan
from streamctl.errors import Malformed, NotFound

_LOG = re.compile(rf"(?P<log>{layout.OFFSETS}|{layout.COMMITS})/(?P<batch>\d{{1,18}})\Z")
_METADATA = re.compile(r"state/\d+/_metadata/v2/(?P<batch>\d{1,18})\Z")
_SCHEMA = re.compile(r"state/\d+/_stateSchema/[^/]+/(?P<batch>\d{1,18})_[^/]+\Z")


class BatchNotFound(NotFound):
    """No batch that one could go back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one file, and why."""

    path: str
    keep: bool
    reason: str


def decide(paths: Iterable[str], batch_id: int, *, schemas: frozenset[str]) -> list[Decision]:
    """Keep or remove each file of a checkpoint. Pure.

    Args:
        paths: relative to the checkpoint.
        batch_id: the last batch to keep.
        schemas: names of state schema files that kept operator metadata refers to.
    """
    return [_decide(path, batch_id, schemas) for path in paths]


def _decide(path: str, batch_id: int, schemas: frozenset[str]) -> Decision:
    folder, _, name = path.rpartition("/")
    if layout.is_temporary(name):
        return Decision(path=path, keep=False, reason="left by a writer that died")
    owner = _owner(name)
    reason = _dropped(layout.join(folder, owner), batch_id, schemas)
    if reason:
        kind = reason if owner == name else f"checksum of {owner}, which goes"
        return Decision(path=path, keep=False, reason=kind)
    return Decision(path=path, keep=True, reason="of a batch that stays, or of none")


def _owner(name: str) -> str:
    """The file that a name is, or is a checksum of, or is a checksum of a checksum of."""
    while (of := layout.sidecar_of(name)) is not None:
        name = of
    return name


def _dropped(path: str, batch_id: int, schemas: frozenset[str]) -> str:
    """Why a file goes; "" when it stays."""
    if match := _LOG.match(path):
        what = "planned" if match["log"] == layout.OFFSETS else "committed"
        return f"batch {match['batch']} {what}" if int(match["batch"]) > batch_id else ""
    if match := _METADATA.match(path):
        batch = int(match["batch"])
        return f"operator metadata of batch {batch}" if batch > batch_id else ""
    if match := _SCHEMA.match(path):
        late = int(match["batch"]) > batch_id and path.rpartition("/")[2] not in schemas
        return f"state schema of batch {match['batch']}" if late else ""
    state = layout.state_file(path.rpartition("/")[2]) if path.startswith("state/") else None
    if state is not None and state[0] > batch_id + 1:
        return f"state of batch {state[0] - 1}"
    return ""


def plan_rewind(
    target: Target,
    batch_id: int,
    *,
    why: str,
    now: datetime,
    kafka: Kafka | None = None,
    topic_ids: Mapping[str, str] | None = None,
) -> Plan:
    """Plan to drop every batch after one.

    Args:
        target: the checkpoint and its sink.
        batch_id: committed; the next start goes on after it.
        why: the operator's reason.
        now: UTC.
        kafka: asked what it still has; None leaves that unknown, and the plan says so.
        topic_ids: that the generation began with.

    Raises:
        BatchNotFound: the batch is not in both logs.
        Malformed, Unsupported: a log entry cannot be read.
        BrokerUnreachable, TopicNotFound: Kafka cannot be asked.
    """
    checkpoint = Checkpoint.open(target.path)
    ids = checkpoint.log_ids()
    if batch_id not in ids.committed or batch_id not in ids.planned:
        raise BatchNotFound(
            f"batch {batch_id} is not in both logs of {target.path}",
            hint=f"Both have {_span(sorted(set(ids.committed) & set(ids.planned)))}.",
        )
    step = _tree(target.path, checkpoint, batch_id)
    obstacles = guards.starts(preview.checkpoint(step))
    newest = _newest_readable(checkpoint, ids.planned)
    ranges, more = guards.ask(_ranges(checkpoint.offsets(batch_id), newest), kafka)
    sink = sink_steps(target.sink, batch_id)
    return make_plan(
        verb="rewind",
        area=target.area,
        subject=target.path,
        why=why,
        now=now,
        # The sink first: a sink behind its checkpoint stops the query loudly, one ahead loses
        # records in silence.
        steps=[*sink.steps, step] if step.removed else [],
        obstacles=[
            *obstacles,
            *more,
            *guards.same_topics(topic_ids or {}, kafka),
            *sink.obstacles,
            *guards.sink_known(known=target.sink_known),
            *guards.space(target.path, len(step.written) * 4096 + step.kept_files * 64),
        ],
        facts=_facts(checkpoint, batch_id, ids, newest, ranges) | {"sink": sink.facts},
        notes=(*_notes(target, kafka), *sink.notes),
    )


def _span(ids: list[int]) -> str:
    return f"batches {ids[0]} to {ids[-1]}" if ids else "none"


def _tree(path: str, checkpoint: Checkpoint, batch_id: int) -> Step:
    there = sizes(path)
    decisions = decide(there, batch_id, schemas=_schemas(checkpoint, batch_id))
    removed = tuple(
        Item(path=d.path, size_bytes=there[d.path], reason=d.reason)
        for d in decisions
        if not d.keep
    )
    freed = sum(item.size_bytes for item in removed)
    return Step(
        kind=Kind.REBUILD,
        place=path,
        reason=f"everything that batches after {batch_id} wrote",
        size_bytes=freed,
        removed=removed,
        kept_files=len(there) - len(removed),
        kept_bytes=sum(there.values()) - freed,
    )


def _schemas(checkpoint: Checkpoint, batch_id: int) -> frozenset[str]:
    """Names of the schema files that the operators' metadata refers to at a batch."""
    found: set[str] = set()
    for operator in scan(checkpoint.files, details=False):
        metadata = read_operator_metadata(checkpoint.files, operator, batch_id=batch_id)
        for store in metadata.stores if metadata else ():
            found |= {path.rpartition("/")[2] for path in store.schema_paths}
    return frozenset(found)


def _ranges(kept: OffsetsEntry, newest: OffsetsEntry) -> list[Range]:
    """What is read again: from the end of the kept batch to the end of the newest planned."""
    start, end = log.kafka_ends(kept), log.kafka_ends(newest)
    return [
        Range(
            topic=topic,
            partition=partition,
            start=(begin := start.get(topic, {}).get(partition, 0)),
            end=last,
            records=last - begin,
            available_records=None,
        )
        for topic, partitions in sorted(end.items())
        for partition, last in sorted(partitions.items())
    ]


def _newest_readable(checkpoint: Checkpoint, planned: Iterable[int]) -> OffsetsEntry:
    """The newest entry of the offset log, passing over damaged ones: they may be why one goes back.

    Raises:
        Malformed: none can be read.
    """
    for batch_id in sorted(planned, reverse=True):
        try:
            return checkpoint.offsets(batch_id)
        except Malformed:
            continue
    raise Malformed(f'no entry of the offset log of "{checkpoint.location}" can be read')


def _facts(
    checkpoint: Checkpoint, batch_id: int, ids: LogIds, newest: OffsetsEntry, ranges: list[Range]
) -> dict[str, Any]:
    kept = checkpoint.offsets(batch_id)
    return {
        "to_batch_id": batch_id,
        "committed_batch_id": ids.committed[-1],
        "planned_batch_id": ids.planned[-1],
        "dropped_batches": ids.planned[-1] - batch_id,
        "records": sum(item.records for item in ranges),
        "ranges": ranges,
        "kept_until": _moment(kept.timestamp_ms),
        "dropped_until": _moment(newest.timestamp_ms),
        "dropped_seconds": (newest.timestamp_ms - kept.timestamp_ms) / 1000,
        "watermark": _moment(kept.watermark_ms),
        "state_version": batch_id + 1 if checkpoint.has_state() else None,
    }


def _moment(ms: int) -> datetime | None:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms) if ms else None


def _notes(target: Target, kafka: Kafka | None) -> list[str]:
    notes = []
    if kafka is None:
        notes.append("Kafka was not asked: whether it still has the records is not known.")
    if not target.sink:
        notes.append("No file sink is known. A Kafka sink or foreachBatch gets the records again.")
    notes.append(
        "Dead letters of these records are written again, with the same origin "
        "in the headers streamctl.dlq.topic, .partition and .offset."
    )
    return notes


def batch_at(checkpoint: Checkpoint, moment: datetime) -> int:
    """The last committed batch planned at or before a time.

    Raises:
        BatchNotFound: the logs begin later.
    """
    limit = moment.timestamp() * 1000
    return _last(checkpoint, lambda entry: entry.timestamp_ms <= limit, f"planned by {moment}")


def batch_before(checkpoint: Checkpoint, span: timedelta) -> int:
    """The last committed batch at least so long before the newest one.

    Raises:
        BatchNotFound: the logs do not reach so far.
    """
    ids = checkpoint.log_ids()
    both = sorted(set(ids.committed) & set(ids.planned))
    if not both:
        raise BatchNotFound(f"nothing is committed in {checkpoint.location}")
    limit = checkpoint.offsets(both[-1]).timestamp_ms - span.total_seconds() * 1000
    return _last(checkpoint, lambda entry: entry.timestamp_ms <= limit, f"{span} before the newest")


def batch_for_offsets(checkpoint: Checkpoint, wanted: KafkaOffsets) -> int:
    """The last committed batch that ends at or before given offsets, so that all after are read.

    Raises:
        BatchNotFound: every batch in the logs ends later.
        NotFound: a topic or partition that the checkpoint does not have.
    """
    newest = log.kafka_ends(_newest_readable(checkpoint, checkpoint.log_ids().planned))
    for topic, partitions in wanted.items():
        if unknown := sorted(partitions.keys() - newest.get(topic, {}).keys()):
            raise NotFound(
                f'the checkpoint has no partition {unknown[0]} of topic "{topic}"',
                hint=f"Its topics are {', '.join(sorted(newest)) or 'none'}.",
            )

    def low_enough(entry: OffsetsEntry) -> bool:
        ends = log.kafka_ends(entry)
        return all(
            ends.get(topic, {}).get(partition, 0) <= offset
            for topic, partitions in wanted.items()
            for partition, offset in partitions.items()
        )

    return _last(checkpoint, low_enough, "ending at or before these offsets")


def _last(checkpoint: Checkpoint, fits: Any, what: str) -> int:
    ids = checkpoint.log_ids()
    for batch_id in sorted(set(ids.committed) & set(ids.planned), reverse=True):
        if fits(checkpoint.offsets(batch_id)):
            return batch_id
    oldest = min(set(ids.committed) & set(ids.planned), default=None)
    raise BatchNotFound(
        f"no committed batch {what}",
        hint="Nothing is committed." if oldest is None else f"The logs begin with batch {oldest}.",
    )


def parse_offsets(text: str, *, name: str) -> KafkaOffsets:
    """The offsets of `--to-offsets FILE`, as Spark's `startingOffsets` has them.

    Raises:
        Malformed: not such JSON.
    """
    found = log.parse_kafka_offsets(text, name=name)
    if not found:
        raise Malformed(f'"{name}" holds no offsets', hint='Such as {"topic": {"0": 123}}.')
    return found
