"""The headers of a dead letter: where a record came from and why it could not count.

Key, value and headers of the original stay byte for byte; these are appended after them,
as Kafka Connect does with its `__connect.errors.*`. All values are UTF-8 text.
A record that is replayed and fails again carries them twice: the last one of a name is true.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

PREFIX = "streamctl.dlq."
TOPIC = PREFIX + "topic"
PARTITION = PREFIX + "partition"
OFFSET = PREFIX + "offset"
TIMESTAMP = PREFIX + "timestamp-ms"
REASONS = PREFIX + "reasons"
JOB = PREFIX + "job"
RUN = PREFIX + "run"
SKIP, QUARANTINE = "skip", "quarantine"
"""Instead of a run, where no rule rejected it: it was passed over, or hidden from the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a dead letter came from, and why it is one.

    Attributes:
        timestamp_ms: of the original record, epoch milliseconds.
        reasons: all that is wrong, such as `missing:device_id`; at least one.
        run: the run that rejected it.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    reasons: tuple[str, ...]
    job: str
    run: str


def read_origin(headers: Iterable[tuple[str, bytes | None]]) -> Origin | None:
    """Read our headers; None when they are not all there or not readable."""
    last = {name: value for name, value in headers if name.startswith(PREFIX)}
    try:
        text = {name: (value or b"").decode() for name, value in last.items()}
        return Origin(
            topic=text[TOPIC],
            partition=int(text[PARTITION]),
            offset=int(text[OFFSET]),
            timestamp_ms=int(text[TIMESTAMP]),
            reasons=tuple(json.loads(text[REASONS])),
            job=text[JOB],
            run=text[RUN],
        )
    except (KeyError, ValueError, TypeError):
        return None


def headers_of(origin: Origin) -> list[tuple[str, bytes]]:
    """The headers that `read_origin` reads."""
    text = {
        TOPIC: origin.topic,
        PARTITION: str(origin.partition),
        OFFSET: str(origin.offset),
        TIMESTAMP: str(origin.timestamp_ms),
        REASONS: json.dumps(list(origin.reasons)),
        JOB: origin.job,
        RUN: origin.run,
    }
    return [(name, value.encode()) for name, value in text.items()]


def without_origin(headers: Iterable[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    """The headers that the record had before it became a dead letter."""
    return [(name, value) for name, value in headers if not name.startswith(PREFIX)]
