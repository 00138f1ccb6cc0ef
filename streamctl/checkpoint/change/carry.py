"""Where each query of a generation goes on in the next one.

Each query begins exactly after its own last committed batch, with empty state. A
query's own position cannot be told by an option of the job, which has one for all its queries. So
it is written where Spark keeps the offsets that a source began with, `sources/<i>/0`: where there
is no offset log they win over `startingOffsets`. The format is Spark's
(`KafkaSourceInitialOffsetWriter`, `KafkaMicroBatchStream.getOrCreateInitialPartitionOffsets`).

A planned batch that was not committed is read again, unless the file sink's log has it already:
then its output is there, and the new generation begins after it. After a drain (`drain.py`) it is
the closing batch that counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streamctl.checkpoint.change.area import Area
from streamctl.checkpoint.change.drain import closing_batch
from streamctl.checkpoint.change.sink_steps import newest_logged
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Where one query goes on.

    Attributes:
        batch_id: the last batch that counts; None when it has committed nothing.
        seeds: `sources/<i>/0` and its text, relative to the checkpoint.
        positions: the same as offsets.
    """

    query: str
    batch_id: int | None
    seeds: Mapping[str, str]
    positions: KafkaOffsets


def carried(checkpoint: Checkpoint, *, query: str, sink: str = "") -> Carried:
    """Where the next generation of a query goes on.

    Args:
        checkpoint: the old one, at rest.
        query: its name.
        sink: output of its file sink; "" for none.

    Raises:
        CheckpointNotFound: nothing is committed.
        Unsupported: a source is not Kafka.
    """
    ids = checkpoint.log_ids()
    batch = ids.committed[-1] if ids.committed else None
    if ids.planned and ids.planned[-1] == newest_logged(sink):
        batch = ids.planned[-1]
    closed = closing_batch(checkpoint, ids)
    if closed is not None and closed in ids.committed:
        batch = closed
    if batch is None or batch not in ids.planned:
        return not_begun(checkpoint.files, query=query)
    return _carried(query, batch, dict(_kafka(checkpoint.offsets(batch), query)))


def not_begun(files: Files, *, query: str) -> Carried:
    """A query that has committed nothing goes on where it would have begun.

    Raises:
        CheckpointNotFound: it does not say where.
        Malformed: what says so is damaged.
    """
    found = {}
    for source in files.entries(layout.SOURCES) if files.exists(layout.SOURCES) else []:
        name = f"{layout.SOURCES}/{source.name}/0"
        if files.exists(name):
            found[source.name] = log.parse_kafka_initial(files.read(name), name=name)
    if not found:
        raise CheckpointNotFound(
            f'query "{query}" has committed nothing',
            hint="There is no position to carry; `--from` says where to begin.",
        )
    return _carried(query, None, found)


def _carried(query: str, batch_id: int | None, sources: Mapping[str, KafkaOffsets]) -> Carried:
    positions = log.lowest(sources.values())
    seeds = {
        f"{layout.SOURCES}/{source_id}/0": log.format_kafka_initial(offsets).decode()
        for source_id, offsets in sources.items()
    }
    return Carried(query=query, batch_id=batch_id, seeds=seeds, positions=positions)


def carry(area: Area, old: Generation, sinks: Mapping[str, str]) -> list[Carried]:
    """Every query of a generation; one that has no position begins where the generation began."""
    began = log.parse_kafka_offsets(old.starting_offsets, name=old.name) or {}
    found = []
    for query in generations.queries(area.store, old.name):
        place = f"{area.location.rstrip('/')}/{old.name}/{query}"
        try:
            found.append(carried(Checkpoint.open(place), query=query, sink=sinks.get(query, "")))
        except CheckpointNotFound:
            try:
                found.append(not_begun(Files(place), query=query))
            except CheckpointNotFound:
                found.append(Carried(query=query, batch_id=None, seeds={}, positions=began))
    if all(item.batch_id is None for item in found):  # never started: others may come
        found.append(Carried(query="", batch_id=None, seeds={}, positions=began))
    return found


def _kafka(entry: OffsetsEntry, query: str) -> Iterable[tuple[str, KafkaOffsets]]:
    for source in entry.sources:
        offsets = log.source_position(source).kafka
        if offsets is None:
            raise Unsupported(
                f'query "{query}" has a source that is not Kafka: its position cannot be carried',
                hint="`--from` says where to begin.",
            )
        yield source.source_id, offsets
