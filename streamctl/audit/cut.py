"""At which batch each query is looked at, and which offsets it had read by then.

A job that runs is a moving target, and its queries are not equally far. A record that one query
has read is in its windows or in the other one's dead letters only once that has read it too. So
each query is looked at as of its newest committed batch that all other queries have reached.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from streamctl.checkpoint.formats import filelog, log
from streamctl.checkpoint.formats.model import KafkaOffsets, SourcePosition
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One query, as of a batch.

    Attributes:
        batch_id: None when no committed batch could be compared.
        starts: where the generation began.
        ends: what was read by then: next offsets.
        committed, planned: next offsets after the newest committed and the newest planned batch.
        files: URIs of the output's files by then; None when there is no file sink.
        is_whole: whether all of `files` could be named.
    """

    query: str
    checkpoint: Checkpoint
    batch_id: int | None
    starts: KafkaOffsets
    ends: KafkaOffsets
    committed: KafkaOffsets
    planned: KafkaOffsets
    files: tuple[str, ...] | None
    is_whole: bool
    output: str


def cuts(store: Store, generation: Generation, *, output_location: str) -> list[Cut]:
    """Cut all queries of a generation that have begun.

    Args:
        store: the checkpoint location.
        generation: of it.
        output_location: where its output lies.

    Raises:
        CheckpointNotFound: none has begun.
        Malformed, Unsupported, StreamctlError: a checkpoint cannot be read.
    """
    found: dict[str, Checkpoint] = {}
    for name in generations.queries(store, generation.name):
        path = f"{store.url.rstrip('/')}/{generation.name}/{name}"
        try:
            found[name] = Checkpoint.open(path)
        except CheckpointNotFound:
            continue  # made, and ended before its first file
    if not found:
        raise CheckpointNotFound(
            f'no query has begun in generation {generation.name} of "{store.url}"',
            hint="Start the job with `streamctl start`.",
        )
    positions = {name: _positions(checkpoint) for name, checkpoint in found.items()}
    starts = log.parse_kafka_offsets(generation.starting_offsets) or {}
    made = []
    for name, checkpoint in found.items():
        others = [at or starts for other, (at, _) in positions.items() if other != name]
        batch_id, ends = newest_within(checkpoint, others)
        output = str(PurePosixPath(generations.base(output_location, generation.name)) / name)
        files, is_whole = _files(output, batch_id)
        made.append(
            Cut(
                query=name,
                checkpoint=checkpoint,
                batch_id=batch_id,
                starts=starts,
                ends=ends,
                committed=positions[name][0],
                planned=positions[name][1],
                files=files,
                is_whole=is_whole,
                output=output,
            )
        )
    return made


def _positions(checkpoint: Checkpoint) -> tuple[KafkaOffsets, KafkaOffsets]:
    position = checkpoint.position()
    return _kafka(position.committed), _kafka(position.planned)


def _kafka(sources: Iterable[SourcePosition]) -> KafkaOffsets:
    return log.lowest(source.kafka for source in sources)


def newest_within(
    checkpoint: Checkpoint, bounds: list[KafkaOffsets]
) -> tuple[int | None, KafkaOffsets]:
    """The newest committed batch that ends at or before every bound, and its end."""
    ids = checkpoint.log_ids()
    for batch_id in sorted(set(ids.committed) & set(ids.planned), reverse=True):
        ends = log.kafka_ends(checkpoint.offsets(batch_id))
        if all(_is_within(ends, bound) for bound in bounds):
            return batch_id, ends
    return None, {}


def _is_within(ends: KafkaOffsets, bound: Mapping[str, Mapping[int, int]]) -> bool:
    """In the partitions that both read."""
    return all(
        end <= bound[topic].get(partition, 0)
        for topic, partitions in ends.items()
        if topic in bound
        for partition, end in partitions.items()
    )


def _files(output: str, batch_id: int | None) -> tuple[tuple[str, ...] | None, bool]:
    """The file sink's files up to a batch, by its own log; others are of failed tasks.

    Each batch has its entry, also one without files. A compaction repeats all before it without
    telling the batches apart, so that one after the batch is of no use.
    """
    files = Files(f"{output}/{layout.SINK_LOG}")
    try:
        names = {entry.name for entry in files.entries(details=False)}
    except (FileNotFoundError, Malformed):
        return None, True
    if batch_id is None:
        return (), True
    batches = {name: filelog.log_batch(name) for name in names}
    until = [name for name, found in batches.items() if found and found[0] <= batch_id]
    chain = filelog.chain(until)
    found = [
        entry.path
        for name in chain.needed
        for entry in filelog.parse_file_log(files.read(name), name=name)
    ]
    return tuple(found), chain.latest == batch_id and not chain.missing
