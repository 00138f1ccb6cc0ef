"""What a broker tells: topics and records."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicReport:
    """One topic as the cluster tells it.

    Attributes:
        name: of the topic.
        topic_id: Kafka's own id: another one under the same name is another topic. None where
            the broker tells none (before Kafka 2.8).
        partitions: how many.
        leaderless: partitions that nobody leads at the moment, which cannot be read.
    """

    name: str
    topic_id: str | None
    partitions: int
    leaderless: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record as it lies in Kafka.

    Attributes:
        timestamp_ms: CreateTime or LogAppendTime, as the topic is configured; -1 if none.
        headers: in order; a value may be None.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def readable(data: bytes | None) -> str | None:
    """Text where it is text, else its bytes in hex."""
    if data is None:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"0x{data.hex()}"
    return text if text.isprintable() or text.strip().isprintable() else repr(text)[1:-1]
