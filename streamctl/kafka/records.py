"""Single records and ranges, read without a group and without committing anything."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from streamctl.errors import StreamctlError
from streamctl.kafka.codes import UNREACHABLE
from streamctl.kafka.model import Record

Place = tuple[str, int]
"""Topic and partition."""
_FIRST_ONLY = {"queued.min.messages": 1, "fetch.queue.backoff.ms": 0, "fetch.wait.max.ms": 10}
"""One record of each partition is wanted: while one partition's queue is full, librdkafka by
default waits a second before it asks for the others."""

_SURPLUS = 16
"""Records of a partition beyond its first that are read away in less time than it takes to let go
of the partition."""

_NO_GROUP = "GROUP_AUTHORIZATION_FAILED"
"""The client must be given a group and looks for its coordinator; nothing here uses the group."""


class Connection(Protocol):
    """What reading needs of a cluster; `kafka.client.Broker` has it."""

    timeout_seconds: float

    def consumer(self, config: Mapping[str, Any] | None = None) -> Any:
        """A consumer of confluent-kafka."""

    def unreachable(self, reason: str) -> StreamctlError:
        """The error that names the servers."""

    def translate(self, error: Any, topic: str) -> StreamctlError:
        """The client's error as ours."""


def read(
    broker: Connection, topic: str, partition: int, start: int, end: int, *, isolation: str = ""
) -> Iterator[Record]:
    """See `Broker.read`."""
    from confluent_kafka import TopicPartition

    consumer = broker.consumer({"isolation.level": isolation} if isolation else None)
    try:
        consumer.assign([TopicPartition(topic, partition, start)])
        position, deadline = start, time.monotonic() + broker.timeout_seconds
        while position < end:
            messages: list[Any] = consumer.consume(1000, timeout=0.2)
            for message in messages:
                if message.error() is not None:
                    position = max(position, _end_of(broker, message))
                    continue
                position = message.offset() + 1
                deadline = time.monotonic() + broker.timeout_seconds
                if position > end:
                    return
                yield _as_record(message)
            if position < end and time.monotonic() > deadline:
                raise broker.unreachable("no record arrived in time")
    finally:
        consumer.close()


def first_records(
    broker: Connection, places: Mapping[Place, int], *, seconds: float
) -> dict[Place, Record]:
    """The first record at or after an offset, for many partitions at once.

    Args:
        broker: of the partitions.
        places: partition -> offset that is in its log.
        seconds: how long to wait; partitions that have not answered by then are left out.

    Raises:
        SettingsInvalid: an option of the connection is wrong.
    """
    from confluent_kafka import TopicPartition

    found: dict[Place, Record] = {}
    wanted = set(places)
    if not wanted:
        return found
    consumer = broker.consumer(_FIRST_ONLY)
    try:
        consumer.assign([TopicPartition(t, p, offset) for (t, p), offset in places.items()])
        deadline = time.monotonic() + seconds
        done: list[TopicPartition] = []
        surplus = 0
        while wanted and time.monotonic() < deadline:
            messages: list[Any] = consumer.consume(len(wanted), timeout=0.01)
            for message in messages:
                place = (message.topic(), message.partition())
                if place not in wanted:
                    surplus += 1
                    continue
                if message.error() is None:
                    found[place] = _as_record(message)
                wanted.discard(place)
                done.append(TopicPartition(*place))
            if wanted and done and surplus > _SURPLUS * len(done):
                consumer.incremental_unassign(done)
                done, surplus = [], 0
    finally:
        consumer.close()
    return found


def _end_of(broker: Connection, message: Any) -> int:
    """The position that an end-of-partition event tells; raise what is a real error."""
    error = message.error()
    if error.name() == "_PARTITION_EOF":
        return int(message.offset())
    if error.retriable() or error.name() in UNREACHABLE | {_NO_GROUP}:
        return 0
    raise broker.translate(error, str(message.topic()))


def _as_record(message: Any) -> Record:
    return Record(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        timestamp_ms=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=tuple(message.headers() or ()),
    )
