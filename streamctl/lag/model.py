"""What is known of the lag of a query. None means not known, never zero."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from streamctl.reports import Verdict


class State(StrEnum):
    """What the history of batches tells, see `rules`."""

    OK = "ok"
    LAGGING = "lagging"
    STALLED = "stalled"
    STOPPED = "stopped"
    REWOUND = "rewound"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class LagFinding:
    """Something that makes a number meaningless, or loses data.

    Attributes:
        code: as `streamctl explain` knows it.
    """

    code: str
    topic: str
    partition: int | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """One partition.

    Attributes:
        committed: next offset to read after the last committed batch; None when the partition is
            new to the query.
        planned: the same after the batch in flight; equal to `committed` when there is none.
        log_start: first offset that Kafka keeps; None when the partition is gone or not known.
        log_end: offset that the next record will get.
        lag_records: from `committed` to the end, at most (offsets of transaction markers and
            compacted records count); None when it cannot be told.
        time_lag_seconds: age of the oldest unread record; 0 without lag, None when not known.
        time_lag_estimated: whether it was taken from neighbours instead of the record itself.
        oldest_unread_at: the record's Kafka timestamp.
        retention_left_seconds: until the oldest unread record is older than `retention.ms`; None
            when nothing is unread, retention is unlimited, or it is not known. With
            `retention.bytes` set it may be deleted sooner: then there is a finding that says so.
    """

    topic: str
    partition: int
    committed: int | None
    planned: int | None
    log_start: int | None
    log_end: int | None
    lag_records: int | None
    time_lag_seconds: float | None = None
    time_lag_estimated: bool = False
    oldest_unread_at: datetime | None = None
    retention_left_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Records a second, and what follows from them.

    Attributes:
        arriving: over the last minute, by Kafka's timestamps.
        processing: over the batches since the last outage; 0 while stopped or stalled.
        eta_seconds: until the lag is gone at these rates; None when it is not shrinking, or when
            a rate is not known.
        eta_low_seconds, eta_high_seconds: with the faster and the slower quarter of the batches.
    """

    arriving: float | None = None
    processing: float | None = None
    eta_seconds: float | None = None
    eta_low_seconds: float | None = None
    eta_high_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLag:
    """One query.

    Attributes:
        lag_records: over all partitions; None when one of them is not known.
        known_lag_records: over those that are known; None when none is.
        time_lag_seconds: of the partition that is furthest behind; None when one is not known.
        retention_left_seconds: of the partition that loses records first.
        skew: largest lag of a partition over the mean of all; None without lag.
        state: by the rule with this number.
        rule: number of the rule in `rules`; 0 for unknown.
        reason: of the state, one line.
        completeness: share of the wanted history that there is since the last outage, 0 to 1.
        committed_at: when the last batch was committed; None when not known.
        unidentified_topics: whose id when the query began is not known: if they were made anew
            since, nobody would notice.
    """

    query: str
    location: str
    verdict: Verdict
    state: State
    rule: int
    reason: str
    completeness: float
    lag_records: int | None
    time_lag_seconds: float | None
    retention_left_seconds: float | None
    skew: float | None
    committed_batch_id: int | None
    planned_batch_id: int | None
    committed_at: datetime | None
    rates: Rates
    partitions: list[PartitionLag]
    known_lag_records: int | None = None
    unidentified_topics: list[str] = field(default_factory=list)
    findings: list[LagFinding] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LagReport:
    """All queries of a checkpoint location, or the one of a checkpoint.

    Attributes:
        lag_records: of the query that is furthest behind; None when one is not known.
        time_lag_seconds: likewise.
    """

    verdict: Verdict
    at: datetime
    location: str
    bootstrap_servers: str
    lag_records: int | None
    time_lag_seconds: float | None
    queries: list[QueryLag]


def total(values: Iterable[int | None]) -> int | None:
    """The sum; not known when one is not."""
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if len(known) == len(found) else None


def known_total(values: Iterable[int | None]) -> int | None:
    """The sum of what is known; not known when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def largest(values: Iterable[float | None]) -> float | None:
    """The largest; not known when one is not, or when there is none."""
    found = list(values)
    known = [value for value in found if value is not None]
    return max(known, default=None) if len(known) == len(found) else None
