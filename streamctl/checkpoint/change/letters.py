"""Copy records to the dead letter topic, each one confirmed, before they are passed over."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from streamctl.checkpoint.change.guards import Range
from streamctl.errors import StreamctlError
from streamctl.resilience.dead_letter import Origin, headers_of

_CONFIG = {"enable.idempotence": True, "acks": "all", "linger.ms": 5}


class Record(Protocol):
    """A record as `kafka.model.Record` is one."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp_ms(self) -> int:
        """Epoch milliseconds."""

    @property
    def key(self) -> bytes | None:
        """As it lies in Kafka."""

    @property
    def value(self) -> bytes | None:
        """As it lies in Kafka."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """In order."""


class Cluster(Protocol):
    """What is needed of a broker; `kafka.client.Broker` has it."""

    def read(self, topic: str, partition: int, start: int, end: int) -> Iterator[Any]:
        """The records of a range."""

    def producer(self, config: dict[str, Any]) -> Any:
        """A producer of confluent-kafka."""


class NotDelivered(StreamctlError):
    """Kafka did not confirm every copy: nothing was changed."""


def copy_out(
    cluster: Cluster,
    *,
    of: Range,
    to: str,
    why: str,
    job: str,
    run: str,
) -> int:
    """Copy a range to the dead letter topic, key, value and headers as they are.

    Args:
        cluster: of both topics.
        of: the range.
        to: the dead letter topic.
        why: the reason that the copies carry.
        job: whose records they are.
        run: what copied them: the change's name.

    Returns:
        How many were copied, all confirmed by the broker. Records that retention or compaction
        took, and transaction markers, are not among them.

    Raises:
        NotDelivered: not all were.
        BrokerUnreachable, TopicNotFound: see the broker.
    """
    failed: list[str] = []
    confirmed = 0

    def told(error: Any, message: Any) -> None:
        nonlocal confirmed
        del message
        confirmed += error is None
        if error is not None:
            failed.append(str(error))

    producer = cluster.producer(_CONFIG)
    copied = 0
    for record in cluster.read(of.topic, of.partition, of.start, of.end):
        origin = Origin(
            topic=of.topic,
            partition=of.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp_ms,
            reasons=(why or "skipped",),
            job=job,
            run=run,
        )
        headers = [*record.headers, *headers_of(origin)]
        _send(producer, to, record, headers, told)
        copied += 1
    producer.flush(60)
    if failed or confirmed != copied:
        raise NotDelivered(
            f"{copied - confirmed} of {copied} records were not confirmed in {json.dumps(to)}"
            + (f": {failed[0]}" if failed else ""),
            hint="Nothing was changed; run the command again when Kafka is well.",
        )
    return copied


def _send(producer: Any, to: str, record: Record, headers: list[Any], told: Any) -> None:
    """Hand one record over, waiting while the producer's queue is full."""
    while True:
        try:
            producer.produce(
                to, key=record.key, value=record.value, headers=headers, on_delivery=told
            )
        except BufferError:
            producer.poll(0.5)
        else:
            producer.poll(0)
            return
