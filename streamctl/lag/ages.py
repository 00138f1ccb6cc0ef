"""How old the oldest unread record of a partition is, and when it will be deleted.

The record itself is read: Kafka keeps its timestamp with it. Retention deletes whole segments,
by the newest timestamp in one, so the record lives at least until it is older than
`retention.ms`; by size, until so many bytes lie after it as `retention.bytes` allows.
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
from streamctl.lag.model import PartitionLag

_READ_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Of the oldest unread record.

    Attributes:
        seconds: its age.
        estimated: whether another partition's record stands for it.
        retention_left_seconds: until it may be deleted; None when never, or not known.
    """

    seconds: float
    at: datetime | None
    estimated: bool
    retention_left_seconds: float | None


def ages_of(
    broker: Broker, partitions: Iterable[PartitionLag], *, now: datetime
) -> dict[tuple[str, int], Ages]:
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
    limits = {topic: _retention_seconds(answer) for topic, answer in configs.items()}
    oldest = _oldest(records)
    found = {}
    for place in lagging:
        record = records.get(place)
        if record is not None:
            found[place] = _ages(record.timestamp_ms, now, limits[place[0]], estimated=False)
        elif place[0] in oldest:
            found[place] = _ages(oldest[place[0]], now, limits[place[0]], estimated=True)
    return found


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


def _retention_seconds(answer: Callable[[], dict[str, str]]) -> float | None:
    """By time; None when it is unlimited, when the topic is compacted only, or not known."""
    try:
        config = answer()
        limit = int(config.get("retention.ms", "-1"))
    except (StreamctlError, ValueError):
        return None
    deletes = "delete" in config.get("cleanup.policy", "delete")
    return limit / 1000 if deletes and limit >= 0 else None
