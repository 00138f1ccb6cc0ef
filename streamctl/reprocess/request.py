"""What is asked of a reprocessing: from where, to where. Words become offsets here."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

from streamctl.errors import Refused, SettingsInvalid, TopicNotFound
from streamctl.reports import iso

Offsets = dict[str, dict[int, int]]
"""Topic -> partition -> offset."""


class Log(Protocol):
    """What is asked of Kafka; `kafka.client.Broker` answers it."""

    def watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        """Partition -> log start and log end."""

    def offsets_for_time(self, topic: str, moment: datetime) -> dict[int, int | None]:
        """Partition -> the first record at or after, None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place in the topics. Exactly one of these is set.

    Attributes:
        word: `earliest` or `now`.
        moment: records from this time on, by their Kafka timestamps.
        offsets: given; partitions that are not named are taken from their ends.
    """

    word: str = ""
    moment: datetime | None = None
    offsets: Mapping[str, Mapping[int, int]] | None = None

    def __str__(self) -> str:
        """For a person, and to compare requests."""
        if self.moment:
            return iso(self.moment)
        if self.offsets is not None:
            return json.dumps(self.offsets, sort_keys=True)
        return self.word


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked. Two equal ones are one piece of work, which is resumed.

    Attributes:
        job: its entry.
        start, end: as `Point` writes them, except that a relative time stays as it was typed.
        send: whether queries that write to topics do so.
    """

    job: str
    topics: str
    start: str
    end: str
    output_location: str = ""
    send: bool = False

    def as_text(self) -> str:
        """One line of JSON; equal for equal requests."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def parse(cls, text: str) -> "Request":
        """The inverse of `as_text`."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What will be read of one partition: `[start, end)`.

    Attributes:
        gone: records that were asked for and are no longer in Kafka; None when they cannot be
            counted: the log begins after the time that was asked for.
    """

    topic: str
    partition: int
    start: int
    end: int
    gone: int | None = 0

    @property
    def records(self) -> int:
        """At most: offsets of transaction markers and compacted records count as well."""
        return self.end - self.start


def resolve(log: Log, topics: list[str], *, start: Point, end: Point) -> list[Range]:
    """Turn two points into ranges, partition by partition.

    Raises:
        SettingsInvalid: offsets name a partition that is not there, or lie past the end.
        Refused: there is nothing between the two.
        TopicNotFound, BrokerUnreachable: of Kafka.
    """
    ranges: list[Range] = []
    for topic in topics:
        marks = log.watermarks(topic)
        first = _starts(log, topic, start, marks)
        last = _ends(log, topic, end, marks)
        for partition, (low, _) in sorted(marks.items()):
            asked, gone = first[partition]
            begin = max(asked, low)
            ranges.append(
                Range(
                    topic=topic,
                    partition=partition,
                    start=begin,
                    end=max(begin, last[partition]),
                    gone=gone,
                )
            )
    if not any(found.records for found in ranges):
        raise Refused(
            f"there is no record from {start} to {end} in {', '.join(topics)}",
            hint="Look at the topic with `streamctl lag`, or give another range.",
        )
    return ranges


def _starts(
    log: Log, topic: str, point: Point, marks: Mapping[int, tuple[int, int]]
) -> dict[int, tuple[int, int | None]]:
    """Partition -> offset asked for, and how many records from there on are gone."""
    if point.offsets is not None:
        given = _known(point.offsets, topic, marks)
        return {
            p: (asked := given.get(p, low), max(0, low - asked)) for p, (low, _) in marks.items()
        }
    if point.moment is None:
        return {
            p: (low if point.word == "earliest" else high, 0) for p, (low, high) in marks.items()
        }
    found = log.offsets_for_time(topic, point.moment)
    return {p: _at_time(found.get(p), low, high) for p, (low, high) in marks.items()}


def _at_time(found: int | None, low: int, high: int) -> tuple[int, int | None]:
    """A log that begins at the record found has lost those before; some may have been asked for."""
    if found is None:
        return high, 0
    return found, None if found == low > 0 else 0


def _ends(
    log: Log, topic: str, point: Point, marks: Mapping[int, tuple[int, int]]
) -> dict[int, int]:
    if point.offsets is not None:
        given = _known(point.offsets, topic, marks)
        for partition, end in given.items():
            if end > marks[partition][1]:
                raise SettingsInvalid(
                    f"--to {end} is past the end of {topic} partition {partition}, "
                    f"which is {marks[partition][1]}",
                    hint="Give an offset that Kafka has, or `now`.",
                )
        return {p: given.get(p, high) for p, (_, high) in marks.items()}
    if point.moment is None:
        return {p: high for p, (_, high) in marks.items()}
    found = log.offsets_for_time(topic, point.moment)
    return {p: high if (at := found.get(p)) is None else at for p, (_, high) in marks.items()}


def _known(
    offsets: Mapping[str, Mapping[int, int]], topic: str, marks: Mapping[int, tuple[int, int]]
) -> Mapping[int, int]:
    given = offsets.get(topic, {})
    unknown = sorted(set(given) - set(marks))
    if unknown:
        raise TopicNotFound(
            f'topic "{topic}" has no partition {unknown[0]}',
            hint=f"It has {len(marks)} partitions.",
        )
    return given


def parse_offsets(text: str) -> Offsets:
    """Offsets as Spark's Kafka source writes them: `{"topic": {"0": 12}}`.

    Raises:
        SettingsInvalid: not such JSON.
    """
    try:
        return {
            str(topic): {int(p): int(at) for p, at in partitions.items()}
            for topic, partitions in json.loads(text).items()
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise SettingsInvalid(
            f'"{text[:60]}" are no offsets', hint='Give JSON such as {"topic": {"0": 123}}.'
        ) from error
