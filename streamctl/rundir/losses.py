"""Ranges of records that were passed over unread, and how far was looked for them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class LossCause(StrEnum):
    """Why records were passed over."""

    DELETED = "deleted before they were read"
    MADE_ANEW = "the topic was made anew or truncated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A range of one partition that a batch passed over unread.

    Attributes:
        at: when it was found.
        start_offset, end_offset: the end is not included.
        records: at most; None when it cannot be known, as of a topic that is no longer there.
        exact: whether it is just so many.
        previous_batch_at, batch_at: when the batch before and this one were planned: the job
            stood at the range's start between the two.
        oldest_left_at: timestamp of the first record that was left; None when none was.
    """

    at: datetime
    generation: str
    query: str
    batch_id: int
    topic: str
    partition: int
    start_offset: int
    end_offset: int
    records: int | None
    exact: bool
    cause: LossCause
    previous_batch_at: datetime | None
    batch_at: datetime
    oldest_left_at: datetime | None

    @property
    def key(self) -> tuple[str, str, int, str, int, int]:
        """What tells it from every other one."""
        place = self.topic, self.partition, self.start_offset
        return self.generation, self.query, self.batch_id, *place

    def describe(self) -> str:
        """One line."""
        count = "an unknown number of" if self.records is None else f"{self.records:,}"
        about = "" if self.exact or self.records is None else "up to "
        where = f"{self.topic} partition {self.partition}"
        return (
            f"{about}{count} records of {where} were passed over unread, offsets "
            f"{self.start_offset} to {self.end_offset - 1}: {self.cause}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How far was looked for losses.

    Attributes:
        batches: query -> newest batch that was examined.
        planned_at: query -> when that was planned, ISO 8601: another time is another batch.
        topic_ids: query -> topic -> the broker's id of it, then.
    """

    generation: str
    batches: dict[str, int] = field(default_factory=dict)
    planned_at: dict[str, str] = field(default_factory=dict)
    topic_ids: dict[str, dict[str, str]] = field(default_factory=dict)
