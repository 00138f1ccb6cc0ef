"""How many dead letters there are, by reason, by time, by device."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from streamctl.dlq.letters import Letter
from streamctl.kafka.model import readable
from streamctl.reports import Verdict
from streamctl.resilience.replayed import Identity

_STEPS_MINUTES = (1, 5, 15, 60, 6 * 60, 24 * 60)
_MOST_STEPS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Letters of one kind.

    Attributes:
        letters: in the topic.
        records: that they were, each counted once: Kafka sinks are at least once, so that one
            record may have several letters.
    """

    name: str
    letters: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeCount:
    """Letters that were written from a moment on, up to the next one."""

    start: datetime
    letters: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsReport:
    """A dead letter topic in figures.

    Attributes:
        verdict: unknown when there are letters without our headers.
        letters, records: see `Count`.
        foreign_letters: without our headers: whose they are cannot be told.
        by_reason: a letter with several reasons counts under each; most first.
        by_device: by the record's key, most first, no more than were asked for.
        devices: different keys in all.
        step_minutes: length of each entry of `by_time`.
    """

    verdict: Verdict
    topic: str
    letters: int
    records: int
    foreign_letters: int
    first_at: datetime | None
    last_at: datetime | None
    by_reason: list[Count]
    by_time: list[TimeCount]
    step_minutes: int
    by_device: list[Count]
    devices: int


@dataclass(slots=True)
class _Tally:
    """Letters and records, by name."""

    letters: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, *, is_new: bool) -> None:
        self.letters[name] += 1
        self.records[name] += is_new

    def most(self, limit: int | None = None) -> list[Count]:
        return [
            Count(name=name, letters=letters, records=self.records[name])
            for name, letters in self.letters.most_common(limit)
        ]


def count_letters(letters: Iterable[Letter], *, topic: str, devices: int) -> StatsReport:
    """Count letters. Memory grows with the number of different records.

    Args:
        letters: in any order.
        topic: for the report.
        devices: how many of them the report names.
    """
    seen: set[Identity] = set()
    by_reason, by_device = _Tally(), _Tally()
    minutes: dict[int, list[int]] = {}
    times: list[datetime] = []
    foreign = total = 0
    for letter in letters:
        total += 1
        times = [min(*times, letter.at), max(*times, letter.at)] if times else [letter.at] * 2
        identity = letter.identity
        is_new = identity is not None and identity not in seen
        if identity is not None:
            seen.add(identity)
        foreign += identity is None
        minute = minutes.setdefault(letter.record.timestamp_ms // 60_000, [0, 0])
        minute[0], minute[1] = minute[0] + 1, minute[1] + is_new
        by_device.add(readable(letter.record.key) or "", is_new=is_new)
        for reason in letter.origin.reasons if letter.origin else ():
            by_reason.add(reason, is_new=is_new)
    step = _step(minutes)
    return StatsReport(
        verdict=Verdict.UNKNOWN if foreign else Verdict.OK,
        topic=topic,
        letters=total,
        records=len(seen),
        foreign_letters=foreign,
        first_at=times[0] if times else None,
        last_at=times[1] if times else None,
        by_reason=by_reason.most(),
        by_time=_by_time(minutes, step),
        step_minutes=step,
        by_device=by_device.most(devices),
        devices=len(by_device.letters),
    )


def _step(minutes: dict[int, list[int]]) -> int:
    """The shortest step that makes no more rows than a screen has; days when none does."""
    span = max(minutes) - min(minutes) + 1 if minutes else 0
    fitting = (step for step in _STEPS_MINUTES if span / step <= _MOST_STEPS)
    return next(fitting, _STEPS_MINUTES[-1])


def _by_time(minutes: dict[int, list[int]], step: int) -> list[TimeCount]:
    steps: dict[int, list[int]] = {}
    for minute, (letters, records) in minutes.items():
        held = steps.setdefault(minute // step * step, [0, 0])
        held[0], held[1] = held[0] + letters, held[1] + records
    return [
        TimeCount(start=datetime.fromtimestamp(start * 60, UTC), letters=letters, records=records)
        for start, (letters, records) in sorted(steps.items())
    ]
