"""Single dead letters, for a person to read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from streamctl.dlq.letters import Letter
from streamctl.kafka.model import readable
from streamctl.reports import Verdict
from streamctl.resilience.dead_letter import without_origin
from streamctl.resilience.replayed import attempt_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PeekedLetter:
    """One letter; key, value and headers as text, or as `0x...` where they are no UTF-8.

    Attributes:
        partition, offset: in the dead letter topic.
        reasons: all that is wrong; empty for a letter without our headers.
        origin: `topic:partition:offset`; empty likewise.
        origin_at: timestamp of the original.
        attempts: how often it was replayed.
        value_bytes: length of the whole value; None for a tombstone.
        cut: whether the value is shown in part.
        headers: of the original.
    """

    partition: int
    offset: int
    at: datetime
    reasons: tuple[str, ...]
    origin: str
    origin_at: datetime | None
    job: str
    run: str
    attempts: int
    key: str | None
    value: str | None
    value_bytes: int | None
    cut: bool
    headers: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeekedLetters:
    """Some letters, oldest of each partition first."""

    verdict: Verdict
    topic: str
    letters: list[PeekedLetter]


def peek_letters(
    letters: Iterable[Letter], *, topic: str, limit: int, limit_bytes: int
) -> PeekedLetters:
    """Show the first ones.

    Args:
        letters: that are wanted; no more of them are read than are shown.
        topic: for the report.
        limit: how many.
        limit_bytes: of each value.
    """
    shown = [_shown(letter, limit_bytes) for letter in islice(letters, limit)]
    return PeekedLetters(verdict=Verdict.OK, topic=topic, letters=shown)


def _shown(letter: Letter, limit_bytes: int) -> PeekedLetter:
    record, origin = letter.record, letter.origin
    value = record.value
    place = f"{origin.topic}:{origin.partition}:{origin.offset}" if origin else ""
    return PeekedLetter(
        partition=record.partition,
        offset=record.offset,
        at=letter.at,
        reasons=origin.reasons if origin else (),
        origin=place,
        origin_at=datetime.fromtimestamp(origin.timestamp_ms / 1000, UTC) if origin else None,
        job=origin.job if origin else "",
        run=origin.run if origin else "",
        attempts=attempt_of(record.headers),
        key=readable(record.key),
        value=readable(value if value is None else value[:limit_bytes]),
        value_bytes=None if value is None else len(value),
        cut=len(value or b"") > limit_bytes,
        headers={name: readable(held) for name, held in without_origin(record.headers)},
    )
