"""The next batch's offsets against what Kafka holds.

Follows `KafkaMicroBatchStream` and `KafkaOffsetReader`: a start before the first record kept, or
after the end, is data loss, which stops the query unless `failOnDataLoss` is false.
"""

from collections.abc import Callable, Iterator

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.verify.findings import Finding, finding
from streamctl.checkpoint.verify.logs import Logs
from streamctl.errors import BrokerUnreachable, TopicNotFound

Watermarks = Callable[[str], dict[int, tuple[int, int]]]
"""A topic's log start and log end offset by partition."""


def check_kafka(logs: Logs, watermarks: Watermarks) -> list[Finding]:
    """Compare where the next batch begins with what the broker has.

    Args:
        logs: of `verify.logs.look`.
        watermarks: asks the broker.
    """
    if logs.start is None:
        return []
    begins = logs.previous if logs.start.runs_again else logs.last
    path = f"{layout.OFFSETS}/{logs.start.batch_id - 1}"
    found: list[Finding] = []
    for topic, position in sorted(log.readable_kafka_ends(begins).items()):
        try:
            kept = watermarks(topic)
        except TopicNotFound:
            found.append(finding("kafka-partition-gone", path, f'topic "{topic}" is not there'))
        except BrokerUnreachable as error:
            found.append(finding("kafka-unreachable", path, error.message))
        else:
            found += _topic(path, topic, position, kept)
    return found


def _topic(
    path: str, topic: str, position: dict[int, int], kept: dict[int, tuple[int, int]]
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
    for partition in sorted(set(kept) - set(position)):
        yield finding("kafka-partition-new", path, f"{topic}-{partition} is new")
