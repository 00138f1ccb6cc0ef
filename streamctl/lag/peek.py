"""One record, as it lies in Kafka."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from streamctl.errors import NotFound
from streamctl.kafka.client import Broker
from streamctl.kafka.model import readable
from streamctl.kafka.records import first_records


@dataclass(frozen=True, slots=True, kw_only=True)
class PeekReport:
    """A record; `key`, `value` and headers as text, or as `0x...` where they are no UTF-8.

    Attributes:
        value_bytes: length of the whole value.
        cut: whether the value is shown in part.
    """

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: str | None
    value: str | None
    value_bytes: int
    cut: bool
    headers: Mapping[str, str | None]


def peek(
    broker: Broker, topic: str, partition: int, *, at: int | datetime | None, limit_bytes: int
) -> PeekReport:
    """Read the record at an offset or time, or the first one that Kafka keeps.

    Raises:
        NotFound: no record there.
        TopicNotFound, BrokerUnreachable: of Kafka.
    """
    marks = broker.watermarks(topic)
    if partition not in marks:
        raise NotFound(f'topic "{topic}" has no partition {partition}')
    low, high = marks[partition]
    offset = _offset(broker, topic, partition, at, low)
    place = (topic, partition)
    found = {}
    if offset is not None and low <= offset < high:
        found = first_records(broker, {place: offset}, seconds=broker.timeout_seconds)
    if place not in found:
        raise NotFound(
            f"no record at {at} of {topic} partition {partition}",
            hint=f"It holds offsets {low} to {high - 1}." if high > low else "It is empty.",
        )
    record = found[place]
    value = record.value
    return PeekReport(
        topic=topic,
        partition=partition,
        offset=record.offset,
        timestamp=datetime.fromtimestamp(record.timestamp_ms / 1000, UTC),
        key=readable(record.key),
        value=readable(value if value is None else value[:limit_bytes]),
        value_bytes=len(value or b""),
        cut=len(value or b"") > limit_bytes,
        headers={name: readable(held) for name, held in record.headers},
    )


def _offset(
    broker: Broker, topic: str, partition: int, at: int | datetime | None, low: int
) -> int | None:
    if isinstance(at, datetime):
        return broker.offsets_for_time(topic, at).get(partition)
    return low if at is None else at
