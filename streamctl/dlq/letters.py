"""Dead letters, read back: the record as it came, where from, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from streamctl.kafka.client import Broker
from streamctl.kafka.model import Record
from streamctl.resilience.dead_letter import Origin, read_origin
from streamctl.resilience.replayed import Identity, identity_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter.

    Attributes:
        record: as it lies in the dead letter topic.
        origin: where it came from and why; None when it has not our headers.
    """

    record: Record
    origin: Origin | None

    @property
    def identity(self) -> Identity | None:
        """Which record it was; None when that cannot be told."""
        return identity_of(self.origin) if self.origin else None

    @property
    def at(self) -> datetime:
        """When it was written."""
        return datetime.fromtimestamp(self.record.timestamp_ms / 1000, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters; what is left empty takes all.

    Attributes:
        reason: one of the letter's reasons, or what stands before its colon.
        start, end: when the letter was written; the end is not included.
        partition, offset: of the original.
    """

    reason: str = ""
    start: datetime | None = None
    end: datetime | None = None
    partition: int | None = None
    offset: int | None = None

    def fits(self, letter: Letter) -> bool:
        """Whether a letter is wanted; times aside, by which `read_letters` chooses the range."""
        origin = letter.origin
        if origin is None:
            return not self.reason and self.partition is None and self.offset is None
        return (
            (not self.reason or any(_is_kind(told, self.reason) for told in origin.reasons))
            and self.partition in {None, origin.partition}
            and self.offset in {None, origin.offset}
        )


def _is_kind(told: str, reason: str) -> bool:
    return told == reason or told.startswith(f"{reason}:")


def read_letters(broker: Broker, topic: str, wanted: Wanted) -> Iterator[Letter]:
    """Read what is in the topic now, partition by partition, each in order.

    Raises:
        TopicNotFound, BrokerUnreachable: of Kafka.
        StreamctlError: records were deleted while they were read.
    """
    for partition, (start, end) in ranges(broker, topic, wanted).items():
        if start >= end:
            continue
        for record in broker.read(topic, partition, start, end):
            letter = Letter(record=record, origin=read_origin(record.headers))
            if wanted.fits(letter):
                yield letter


def ranges(broker: Broker, topic: str, wanted: Wanted) -> dict[int, tuple[int, int]]:
    """Partition -> first offset and the one after the last, by the times that are wanted.

    Raises:
        TopicNotFound, BrokerUnreachable: of Kafka.
    """
    marks = broker.watermarks(topic)
    starts = {partition: low for partition, (low, _) in marks.items()}
    ends = {partition: high for partition, (_, high) in marks.items()}
    for moment, places in ((wanted.start, starts), (wanted.end, ends)):
        found = broker.offsets_for_time(topic, moment) if moment else {}
        for partition, offset in found.items():
            places[partition] = marks[partition][1] if offset is None else offset
    return {partition: (starts[partition], ends[partition]) for partition in sorted(marks)}
