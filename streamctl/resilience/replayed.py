"""The headers of a replayed record: how often it came back, and which dead letter it was.

They are appended to the record's own headers, as those of a dead letter are, and stay when the
record is rejected once more: so the next replay knows how many there were. An earlier replay's
are replaced. All values are UTF-8 text.
"""

from collections.abc import Iterable
from typing import NamedTuple

from streamctl.resilience.dead_letter import Origin, without_origin

PREFIX = "streamctl.replay."
ATTEMPT = PREFIX + "attempt"
TOPIC = PREFIX + "topic"
PARTITION = PREFIX + "partition"
OFFSET = PREFIX + "offset"
TIMESTAMP = PREFIX + "timestamp-ms"

Header = tuple[str, bytes | None]


class Identity(NamedTuple):
    """Which record a dead letter was.

    Its timestamp is a part of it: a topic that was made anew has another record at the place.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


def identity_of(origin: Origin) -> Identity:
    """The record that a dead letter was."""
    return Identity(origin.topic, origin.partition, origin.offset, origin.timestamp_ms)


def attempt_of(headers: Iterable[Header]) -> int:
    """How often the record was replayed already; 0 when no header tells."""
    told = _ours(headers).get(ATTEMPT, b"")
    return int(told) if told and told.isdigit() else 0


def read_identity(headers: Iterable[Header]) -> Identity | None:
    """Which dead letter a replayed record was; None when it is no replayed one."""
    found = _ours(headers)
    try:
        text = {name: (value or b"").decode() for name, value in found.items()}
        numbers = (int(text[name]) for name in (PARTITION, OFFSET, TIMESTAMP))
        return Identity(text[TOPIC], *numbers)
    except (KeyError, ValueError):
        return None


def replay_headers(headers: Iterable[Header], origin: Origin) -> list[Header]:
    """The headers with which a dead letter goes back: the record's own, then ours.

    Args:
        headers: of the dead letter.
        origin: as its headers tell.
    """
    letter = list(headers)
    ours = {
        ATTEMPT: str(attempt_of(letter) + 1),
        TOPIC: origin.topic,
        PARTITION: str(origin.partition),
        OFFSET: str(origin.offset),
        TIMESTAMP: str(origin.timestamp_ms),
    }
    own = [header for header in without_origin(letter) if not header[0].startswith(PREFIX)]
    return [*own, *((name, value.encode()) for name, value in ours.items())]


def _ours(headers: Iterable[Header]) -> dict[str, bytes | None]:
    return {name: value for name, value in headers if name.startswith(PREFIX)}
