"""How old the oldest unread record of a partition is, and when it will be deleted.

The record itself is read: Kafka keeps its timestamp with it. Retention by time deletes whole
segments, by the newest timestamp in one, so the record lives at least until it is older than
`retention.ms`. Retention by size deletes it when `retention.bytes` lie after it in the log, as it
is stored. How large that is only DescribeLogDirs tells, which the client library does not speak;
what records measure when they are read is another number, by the factor of their compression. So
the time that is told is that of `retention.ms`, and a topic that is bound by size has a finding.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from streamctl.errors import StreamctlError
from streamctl.kafka.admin import ask_config
from streamctl.kafka.client import Broker
from streamctl.kafka.model import Record
from streamctl.kafka.records import first_records
from streamctl.lag.model import LagFinding, PartitionLag

_READ_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Of the oldest unread record.

    Attributes:
        seconds: its age.
        estimated: whether another partition's record stands for it.
        retention_left_seconds: until it is older than `retention.ms`; None when there is no such
            limit, or it is not known.
    """

    seconds: float
    at: datetime | None
    estimated: bool
    retention_left_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgesFound:
    """Ages by topic and partition, and what they do not tell."""

    ages: dict[tuple[str, int], Ages]
    findings: list[LagFinding]


def ages_of(broker: Broker, partitions: Iterable[PartitionLag], *, now: datetime) -> AgesFound:
    """Read the oldest unread record of every partition that has one.

    Raises:
        SettingsInvalid: an option of the connection is wrong.
    """
    lagging = {
        (part.topic, part.partition): max(part.committed or 0, part.log_start or 0)
        for part in partitions
        if part.lag_records
    }
    configs = {topic: ask_config(broker, topic) for topic in {t for t, _ in lagging}}
    records = first_records(broker, lagging, seconds=min(_READ_SECONDS, broker.timeout_seconds))
    limits = {topic: _limits(answer) for topic, answer in configs.items()}
    oldest = _oldest(records)
    found = {}
    for place in lagging:
        record = records.get(place)
        limit = limits[place[0]].seconds
        if record is not None:
            found[place] = _ages(record.timestamp_ms, now, limit, estimated=False)
        elif place[0] in oldest:
            found[place] = _ages(oldest[place[0]], now, limit, estimated=True)
    return AgesFound(ages=found, findings=_bound_by_size(limits))


def _oldest(records: Mapping[tuple[str, int], Record]) -> dict[str, int]:
    times: defaultdict[str, list[int]] = defaultdict(list)
    for (topic, _), record in records.items():
        times[topic].append(record.timestamp_ms)
    return {topic: min(found) for topic, found in times.items()}


def _ages(timestamp_ms: int, now: datetime, limit: float | None, *, estimated: bool) -> Ages:
    at = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    seconds = max(0.0, round((now - at).total_seconds(), 3))
    return Ages(
        seconds=seconds,
        at=None if estimated else at,
        estimated=estimated,
        retention_left_seconds=None if limit is None else round(max(0.0, limit - seconds), 3),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """Of a partition of a topic; None when there is none, or it is not known."""

    seconds: float | None = None
    size_bytes: int | None = None


def _limits(answer: Callable[[], dict[str, str]]) -> _Limits:
    """A topic that is compacted only deletes nothing by age or size."""
    try:
        config = answer()
    except StreamctlError:
        return _Limits()
    if "delete" not in config.get("cleanup.policy", "delete"):
        return _Limits()
    age_ms, size = (_limit(config, name) for name in ("retention.ms", "retention.bytes"))
    return _Limits(seconds=None if age_ms is None else age_ms / 1000, size_bytes=size)


def _limit(config: Mapping[str, str], name: str) -> int | None:
    """A negative one is none."""
    try:
        found = int(config.get(name, "-1"))
    except ValueError:
        return None
    return found if found >= 0 else None


def _bound_by_size(limits: Mapping[str, _Limits]) -> list[LagFinding]:
    return [
        LagFinding(
            code="kafka-size-bound",
            topic=topic,
            partition=None,
            detail=f"{topic} keeps {found.size_bytes:,} bytes a partition (`retention.bytes`):"
            " unread records may be deleted sooner than by their age",
        )
        for topic, found in sorted(limits.items())
        if found.size_bytes is not None
    ]
