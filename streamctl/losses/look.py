"""Looks at batches that were committed since the last look, and writes down what they skipped."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry
from streamctl.checkpoint.location import generations, journal
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.reader import Checkpoint, again
from streamctl.errors import CheckpointNotFound, TopicNotFound
from streamctl.kafka.client import Broker
from streamctl.kafka.records import first_records
from streamctl.losses.find import Batch, Skipped, skipped_by
from streamctl.reports import as_json, iso
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.losses import Loss, LossCause, Seen
from streamctl.rundir.records import Launch

_FIRST_RECORD_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Topics:
    """What the broker says now.

    Attributes:
        log_starts, log_ends: topic -> partition -> first offset, and the one after the last.
        ids: topic -> its id, where the broker tells one.
    """

    log_starts: KafkaOffsets
    log_ends: KafkaOffsets
    ids: dict[str, str]


def look(
    run: RunDirectory, store: Store, broker: Broker, *, more_comes: bool = False
) -> list[Loss]:
    """Examine the batches since the last look.

    The receipts are written before the mark how far was looked: a kill between makes the next
    look find them again, and it knows them.

    Args:
        run: whose driver commits, and where receipts are kept.
        store: the checkpoint location, for its journal.
        broker: of its topics.
        more_comes: whether a driver may still tell how many records its newest batch has read.

    Returns:
        What is new.

    Raises:
        StreamctlError: of the checkpoint, the store or Kafka; the next look makes up for it.
    """
    launch = run.read(Launch)
    if launch is None or launch.generation not in generations.recorded(store):
        return []
    generation = generations.read(store, launch.generation)
    seen = run.read(Seen)
    if seen is None or seen.generation != generation.name:
        seen = Seen(generation=generation.name)
    histories = [
        again(partial(_history, store, generation, query, seen))
        for query in generations.queries(store, generation.name)
    ]
    read = {topic for held in histories for batch in held.batches for topic in batch.ends}
    topics = _ask(broker, read)
    if more_comes:
        histories = [_as_far_as_told(held, topics, run) for held in histories]
    ids_before = {h.query: seen.topic_ids.get(h.query, generation.topic_ids) for h in histories}
    began = {h.query: _began_with_new(h, topics, ids_before[h.query]) for h in histories}
    found = [
        _loss(broker, held.query, batch, skipped, generation=generation.name)
        for held in histories
        for batch, skipped in _skipped(held, topics, began[held.query], run)
    ]
    new = [loss for loss in found if loss.key not in {known.key for known in run.losses()}]
    if new:
        run.add_losses(new)
        _into_journal(store, new)
    newest = {held.query: held.batches[-1] for held in histories if held.batches}
    run.write(
        replace(
            seen,
            batches=seen.batches | {query: one.batch_id for query, one in newest.items()},
            planned_at=seen.planned_at | {query: iso(x.planned_at) for query, x in newest.items()},
            topic_ids=seen.topic_ids
            | {query: _known(ids_before[query], topics.ids, began[query]) for query in newest},
        )
    )
    return new


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """What a query has committed since the last look.

    Attributes:
        is_continued: whether it goes on from there; else this is the first look, or the query was
            taken back, or nobody has looked for long.
    """

    generation: str
    query: str
    batches: list[Batch]
    is_continued: bool


def _history(store: Store, generation: Generation, query: str, seen: Seen) -> _History:
    """Batches since the last look, as far as the log still tells where they began.

    Raises:
        FileNotFoundError: Spark purges meanwhile.
    """
    try:
        checkpoint = Checkpoint.open(f"{store.url.rstrip('/')}/{generation.name}/{query}")
    except CheckpointNotFound:
        return _History(generation=generation.name, query=query, batches=[], is_continued=True)
    ids = checkpoint.log_ids()
    done = sorted(set(ids.committed) & set(ids.planned))
    last = seen.batches.get(query, -1)
    before = checkpoint.offsets(last) if last in done else None
    is_continued = before is not None and iso(_moment(before)) == seen.planned_at.get(query)
    if not is_continued:
        last, before = -1, None
    batches = []
    for batch_id in (one for one in done if one > last):
        entry = checkpoint.offsets(batch_id)
        if before or batch_id == 0:
            starts = log.kafka_ends(before) if before else _initial(checkpoint, generation)
            batches.append(_batch(batch_id, before, entry, starts))
        before = entry
    return _History(
        generation=generation.name, query=query, batches=batches, is_continued=is_continued
    )


def _batch(
    batch_id: int, before: OffsetsEntry | None, entry: OffsetsEntry, starts: KafkaOffsets
) -> Batch:
    return Batch(
        batch_id=batch_id,
        starts=starts,
        ends=log.kafka_ends(entry),
        rows=None,
        planned_at=_moment(entry),
        previous_at=_moment(before) if before else None,
    )


def _as_far_as_told(history: _History, topics: _Topics, run: RunDirectory) -> _History:
    """Leave the newest batch to the next look where its rows decide: Spark tells them last."""
    for newest in history.batches[-1:]:
        causes = {skipped.cause for skipped in skipped_by(newest, topics.log_starts)}
        if LossCause.DELETED in causes and newest.batch_id not in _rows(run, history):
            return replace(history, batches=history.batches[:-1])
    return history


def _skipped(
    history: _History, topics: _Topics, began: Mapping[str, int], run: RunDirectory
) -> Iterator[tuple[Batch, Skipped]]:
    """What the batches passed over; of a topic made anew, the batch that began with the new one.

    A history that is not continued may be old, and much was deleted since its batches had read:
    they are judged only where their rows are known.
    """
    rows: dict[int, int] | None = None
    for batch in history.batches:
        anew = {topic for topic, batch_id in began.items() if batch_id == batch.batch_id}
        if skipped_by(batch, topics.log_starts, anew=anew):
            rows = _rows(run, history) if rows is None else rows
            counted = replace(batch, rows=rows.get(batch.batch_id))
            if history.is_continued or counted.rows is not None:
                for skipped in skipped_by(counted, topics.log_starts, anew=anew):
                    yield batch, skipped


def _began_with_new(
    history: _History, topics: _Topics, ids_before: Mapping[str, str]
) -> dict[str, int]:
    """Topic that was made anew -> the batch that began with the new one, as far as it is there yet.

    Where the position went back, it is that batch. Else it is the newest that ends within the new
    topic, for one that ends after it has read the old one. A batch without records at the topic's
    end comes after the one that has read up to there. Where several began with it since the last
    look, the receipt claims too much rather than too little.
    """
    found = {}
    for topic, id_ in topics.ids.items():
        if ids_before.get(topic, id_) == id_:
            continue
        log_ends = topics.log_ends.get(topic, {})
        within = [b for b in history.batches if _is_within(b.ends.get(topic, {}), log_ends)]
        back = [b for b in history.batches if _went_back(b, topic)]
        if back or within:
            read = [b for b in within if not _waits_at(b, topic, log_ends)]
            found[topic] = (back or [(read or within)[-1]])[0].batch_id
    return found


def _known(
    before: Mapping[str, str], now: Mapping[str, str], began: Mapping[str, int]
) -> dict[str, str]:
    """The ids that a query has read by: a new one only once a batch began with it."""
    return {topic: id_ if topic in began else before.get(topic, id_) for topic, id_ in now.items()}


def _is_within(ends: Mapping[int, int], log_ends: Mapping[int, int]) -> bool:
    return bool(ends) and all(end <= log_ends.get(p, 0) for p, end in ends.items())


def _waits_at(batch: Batch, topic: str, log_ends: Mapping[int, int]) -> bool:
    """Whether a batch has no record of a topic because it stands at its end."""
    ends = batch.ends.get(topic, {})
    return batch.starts.get(topic) == ends and all(log_ends.get(p) == e for p, e in ends.items())


def _went_back(batch: Batch, topic: str) -> bool:
    starts = batch.starts.get(topic, {})
    return any(end < starts.get(p, 0) for p, end in batch.ends.get(topic, {}).items())


def _initial(checkpoint: Checkpoint, generation: Generation) -> KafkaOffsets:
    """Where the first batch began: as the source wrote it, else as the generation was made."""
    try:
        name = f"{layout.SOURCES}/0/0"
        return log.parse_kafka_initial(checkpoint.files.read(name), name=name)
    except FileNotFoundError:
        return log.parse_kafka_offsets(generation.starting_offsets) or {}


def _moment(entry: OffsetsEntry) -> datetime:
    return datetime.fromtimestamp(entry.timestamp_ms / 1000, UTC)


def _ask(broker: Broker, names: set[str]) -> _Topics:
    log_starts: KafkaOffsets = {}
    log_ends: KafkaOffsets = {}
    ids: dict[str, str] = {}
    for name in sorted(names):
        try:
            ids[name] = broker.topic(name).topic_id or ""
            marks = broker.watermarks(name)
            log_starts[name] = {partition: low for partition, (low, _) in marks.items()}
            log_ends[name] = {partition: high for partition, (_, high) in marks.items()}
        except TopicNotFound:
            continue  # Spark will say so; while it is away nothing is read
    known = {name: id_ for name, id_ in ids.items() if id_}
    return _Topics(log_starts=log_starts, log_ends=log_ends, ids=known)


def _rows(run: RunDirectory, history: _History) -> dict[int, int]:
    """Batch -> records that it read, as far as the driver has told.

    What was told before a batch was planned is of another that had its number: of a history that
    was taken back, or of another checkpoint.
    """
    planned_at = {batch.batch_id: batch.planned_at for batch in history.batches}
    return {
        line["batch_id"]: line["input_rows"]
        for line in run.progress()
        if line["kind"] == "progress"
        and line["query"] == history.query
        and line.get("generation") == history.generation
        and line["batch_id"] in planned_at
        and datetime.fromisoformat(line["at"]) >= planned_at[line["batch_id"]]
    }


def _loss(broker: Broker, query: str, batch: Batch, skipped: Skipped, *, generation: str) -> Loss:
    return Loss(
        at=datetime.now(UTC),
        generation=generation,
        query=query,
        batch_id=batch.batch_id,
        topic=skipped.topic,
        partition=skipped.partition,
        start_offset=skipped.start,
        end_offset=skipped.end,
        records=skipped.records,
        exact=skipped.exact,
        cause=skipped.cause,
        previous_batch_at=batch.previous_at,
        batch_at=batch.planned_at,
        oldest_left_at=_oldest_left(broker, skipped),
    )


def _oldest_left(broker: Broker, skipped: Skipped) -> datetime | None:
    """Time of the first record that is still there: what was deleted is older."""
    place = (skipped.topic, skipped.partition)
    low, high = broker.watermarks(skipped.topic).get(skipped.partition, (0, 0))
    if low >= high:
        return None
    found = first_records(broker, {place: low}, seconds=_FIRST_RECORD_SECONDS)
    record = found.get(place)
    return datetime.fromtimestamp(record.timestamp_ms / 1000, UTC) if record else None


def _into_journal(store: Store, losses: list[Loss]) -> None:
    ranges: list[Any] = as_json(losses)
    entry = journal.Entry(
        at=datetime.now(UTC),
        who=journal.whoami(),
        verb="loss",
        why="records were passed over unread",
        after={"losses": ranges},
    )
    journal.record(store, entry)
