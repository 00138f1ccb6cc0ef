"""The next batch's offsets against what Kafka holds.

Follows `KafkaMicroBatchStream` and `KafkaOffsetReader`: a start before the first record kept, or
after the end, is data loss, which stops the query unless `failOnDataLoss` is false. The first batch
begins where `sources/<i>/0` says. A checkpoint has no topic ids: a topic that was made anew and has
grown long enough looks like the old one, and only who noted the id when the query began can tell.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Unreadable
from streamctl.checkpoint.verify.findings import Finding, finding
from streamctl.checkpoint.verify.kinds import Effect, Severity
from streamctl.checkpoint.verify.logs import Logs, listing
from streamctl.errors import BrokerUnreachable, Malformed, TopicNotFound, Unsupported

Watermarks = Callable[[str], dict[int, tuple[int, int]]]
"""A topic's log start and log end offset by partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """What a broker says of topics, and what is known of them.

    Attributes:
        watermarks: asks for log start and log end.
        topic_id: asks for the broker's id of a topic; None when it has none.
        began_with: topic -> its id when the query began; nothing where nobody noted it.
    """

    watermarks: Watermarks
    topic_id: Callable[[str], str | None]
    began_with: Mapping[str, str] = field(default_factory=dict)


def check_kafka(logs: Logs, topics: Topics) -> list[Finding]:
    """Compare where the next batch begins, and ends if it is planned, with what the broker has.

    Args:
        logs: of `verify.logs.look`.
        topics: of the broker.
    """
    path, begins = _begins(logs)
    runs_again = logs.start is not None and logs.start.runs_again
    ends = list(_kafka(logs.last)) if runs_again else []
    found: list[Finding] = []
    if begins is None:
        detail = "where the next batch begins cannot be read"
        found.append(_not_compared(path, detail, matters=True))
    elif not begins and not ends:
        found.append(_not_compared(path, "no source with an offset reads Kafka", matters=False))
    for topic in sorted({topic for position in (begins or {}, *ends) for topic in position}):
        planned = f"{layout.OFFSETS}/{logs.planned[-1]}" if ends else ""
        found += _topic(topic, topics, _Place(path=path, begins=(begins or {}).get(topic, {}),
                        planned=planned, ends=[end.get(topic, {}) for end in ends]))  # fmt: skip
    return found


def _begins(logs: Logs) -> tuple[str, KafkaOffsets | None]:
    """The file that says where the next batch begins, and what it says; None: unknown."""
    if logs.start is None or logs.start.batch_id == 0:
        return layout.SOURCES, _initial(logs)
    entry = logs.previous if logs.start.runs_again else logs.last
    path = f"{layout.OFFSETS}/{logs.start.batch_id - 1}"
    return path, None if entry is None else log.readable_kafka_ends(entry)


def _initial(logs: Logs) -> KafkaOffsets | None:
    """What `sources/<i>/0` say; None where a planned batch reads Kafka and they do not."""
    found: list[KafkaOffsets] = []
    try:
        names = listing(logs.files, layout.SOURCES)
        for name in sorted(names):
            path = f"{layout.SOURCES}/{name}/0"
            try:
                found.append(log.parse_kafka_initial(logs.files.read(path), name=path))
            except (FileNotFoundError, Malformed, Unsupported):
                continue  # of another source, or told elsewhere
    except Unreadable:
        return None
    if not found and (logs.start is not None and (logs.last is None or any(_kafka(logs.last)))):
        return None
    return log.lowest(found)


def _kafka(entry: OffsetsEntry | None) -> Iterator[KafkaOffsets]:
    for source in entry.sources if entry else ():
        try:
            position = log.source_position(source).kafka
        except Malformed:
            continue  # told elsewhere
        if position:
            yield position


def _not_compared(path: str, detail: str, *, matters: bool) -> Finding:
    return finding(
        "kafka-not-compared",
        path,
        detail,
        severity=Severity.WARNING if matters else Severity.NOTE,
        effect=Effect.UNKNOWN if matters else Effect.STARTS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Of one topic: where the next batch begins and ends, and the files that say so."""

    path: str
    begins: Mapping[int, int]
    planned: str
    ends: list[dict[int, int]]


def _topic(topic: str, topics: Topics, place: _Place) -> Iterator[Finding]:
    path = place.path
    try:
        kept = topics.watermarks(topic)
        yield from _identity(topic, topics, path)
    except TopicNotFound:
        yield finding("kafka-partition-gone", path, f'topic "{topic}" is not there')
    except BrokerUnreachable as error:
        yield finding("kafka-unreachable", path, error.message)
    else:
        yield from _beginning(path, topic, place.begins, kept)
        for ends in place.ends:
            yield from _end(place.planned, topic, ends, kept)
        known = set(place.begins).union(*place.ends)
        for partition in sorted(set(kept) - known):
            yield finding("kafka-partition-new", path, f"{topic}-{partition} is new")


def _identity(topic: str, topics: Topics, path: str) -> Iterator[Finding]:
    began_with = topics.began_with.get(topic)
    now = topics.topic_id(topic) if began_with else None
    if not began_with or not now:
        detail = f'whether topic "{topic}" was made anew: its id was not noted when the query began'
        yield _not_compared(path, detail, matters=False)
    elif now != began_with:
        detail = f'topic "{topic}" has the id {now}, and {began_with} when the query began'
        yield finding("kafka-topic-anew", path, detail)


def _beginning(
    path: str, topic: str, position: Mapping[int, int], kept: Mapping[int, tuple[int, int]]
) -> Iterator[Finding]:
    for partition, offset in sorted(position.items()):
        place = f"{topic}-{partition}"
        if partition not in kept:
            yield finding("kafka-partition-gone", path, f"{place} is not there")
            continue
        low, high = kept[partition]
        if offset < low:
            lost = f"{low - offset} records of {place} are gone: it begins at {low}"
            yield finding("kafka-lost", path, f"{lost}, the next batch at {offset}")
        elif offset > high:
            detail = f"the next batch begins at {offset} of {place}, which ends at {high}"
            yield finding("kafka-past-end", path, detail)


def _end(
    path: str, topic: str, ends: Mapping[int, int], kept: Mapping[int, tuple[int, int]]
) -> Iterator[Finding]:
    """A batch that is planned is read to where it was planned to, whatever there is now."""
    for partition, offset in sorted(ends.items()):
        high = kept.get(partition, (0, None))[1]
        if high is None:
            yield finding("kafka-partition-gone", path, f"{topic}-{partition} is not there")
        elif offset > high:
            detail = f"the planned batch ends at {offset} of {topic}-{partition}, which ends at "
            yield finding("kafka-past-end", path, f"{detail}{high}")
