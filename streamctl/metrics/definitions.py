"""Every metric: its name, type, unit, help, labels, and how it is read from a sample.

Names follow Prometheus' rules: base units, the unit in the name, `_total` for counters. What
is not known has no series: an absent value is never shown as zero. Labels are of low cardinality;
those of each topic partition are opt-in.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from streamctl.observe.model import QuerySample, Sample
from streamctl.reports import Verdict
from streamctl.resilience.breaker import Circuit
from streamctl.rundir.records import Observed

JOB_LABEL = "job_name"
"""On every series: the job's entry, in Flink's word for it. `job` is Prometheus' own label for what
it scrapes, which would take the place of ours."""
Series = Iterable[tuple[tuple[str, ...], float | None]]


class Kind(StrEnum):
    """Prometheus' types, as far as they are used here."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: without `_total`.
        unit: Prometheus' base unit, with which the name ends; empty for a plain number.
        labels: names, in the order of the values that `read` gives; `JOB_LABEL` is added to all.
        panel: heading under which a dashboard shows it; empty for not at all.
        partitions: whether it has a series for each topic partition.
    """

    name: str
    kind: Kind
    help: str
    unit: str
    labels: tuple[str, ...]
    read: Callable[[Sample], Series]
    panel: str = ""
    partitions: bool = False

    @property
    def series_name(self) -> str:
        """As it stands in the exposition and in queries."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


def each_query(value: Callable[[QuerySample], float | None]) -> Callable[[Sample], Series]:
    """A series for each query."""
    return lambda sample: [((query.name,), value(query)) for query in sample.queries]


def _query_gauge(
    name: str, unit: str, text: str, panel: str, value: Callable[[QuerySample], float | None]
) -> Metric:
    return Metric(
        name=name, kind=Kind.GAUGE, help=text, unit=unit, labels=("query",),
        read=each_query(value), panel=panel,
    )  # fmt: skip


def _job_gauge(
    name: str, unit: str, text: str, panel: str, value: Callable[[Sample], float | None]
) -> Metric:
    return Metric(
        name=name, kind=Kind.GAUGE, help=text, unit=unit, labels=(),
        read=lambda sample: [((), value(sample))], panel=panel,
    )  # fmt: skip


def _phases(sample: Sample) -> Iterator[tuple[tuple[str, ...], float]]:
    for query in sample.queries:
        for phase, seconds in query.last.phases_seconds.items() if query.last else ():
            yield (query.name, phase), seconds


def _totals(field: str) -> Callable[[Sample], Series]:
    return each_query(lambda query: query.last.totals.get(field) if query.last else None)


def _rejected_total(sample: Sample) -> Iterator[tuple[tuple[str, ...], float]]:
    for query in sample.queries:
        for reason, count in query.status.rejected_rows.items():
            yield (query.name, reason), count


def _rejected_rate(sample: Sample) -> Iterator[tuple[tuple[str, ...], float]]:
    for query in sample.queries:
        seen = query.status.rejected_rows.keys() | query.rejected_per_minute.keys()
        for reason in sorted(seen):
            yield (query.name, reason), query.rejected_per_minute.get(reason, 0)


def _sizes(size: bool) -> Callable[[Sample], Series]:
    def read(sample: Sample) -> Iterator[tuple[tuple[str, ...], float]]:
        for query in sample.queries:
            for usage in query.sizes:
                yield (query.name, usage.kind), usage.size_bytes if size else usage.files

    return read


def _state(field: str) -> Callable[[Sample], Series]:
    def read(sample: Sample) -> Iterator[tuple[tuple[str, ...], float]]:
        for query in sample.queries:
            found: dict[str, int] = getattr(query.last, field) if query.last else {}
            for operator, value in found.items():
                yield (query.name, operator), value

    return read


def _partition_lag(sample: Sample) -> Iterator[tuple[tuple[str, ...], float | None]]:
    for query in sample.queries:
        for part in query.lag.partitions if query.lag else ():
            yield (query.name, part.topic, str(part.partition)), part.lag_records


def _disks(sample: Sample) -> Iterator[tuple[tuple[str, ...], float]]:
    for disk in sample.disks:
        yield (disk.place,), disk.free_bytes


def _restarts(sample: Sample) -> Series:
    return [((), sample.status.restarts)]


def _heap(query: QuerySample) -> int | None:
    return query.last.heap_bytes if query.last else None


def _breaker(sample: Sample) -> float | None:
    return _CIRCUITS[sample.status.breaker.circuit] if sample.status.breaker else None


def _losses(sample: Sample) -> Iterator[tuple[tuple[str, ...], float]]:
    for query in sample.queries:
        yield (query.name,), sum(loss.query == query.name for loss in sample.status.losses)


def _findings(query: QuerySample) -> int | None:
    return None if query.findings is None else len(query.findings)


def _backup_failed(sample: Sample) -> float | None:
    backup = sample.status.backup
    return None if backup is None else float(backup.verdict is not Verdict.OK)


def _backup_age(sample: Sample) -> float | None:
    backup = sample.status.backup
    return (sample.at - backup.good_at).total_seconds() if backup and backup.good_at else None


def _retention(query: QuerySample) -> float | None:
    if query.lag and query.lag.lag_records == 0:
        return math.inf
    return query.lag.retention_left_seconds if query.lag else None


def _watermark_delay(query: QuerySample) -> float | None:
    return query.watermark_delay_seconds


_CIRCUITS = {Circuit.CLOSED: 0, Circuit.HALF_OPEN: 1, Circuit.OPEN: 2}
_QUERY, _LAG, _ERRORS = "Batches", "Lag", "Errors"
_STATE, _MACHINE, _JOB = "Checkpoint and state", "Machine", "Job"

METRICS: tuple[Metric, ...] = (
    _job_gauge(
        "streamctl_up", "", "1 while the job runs as it was asked to, 0 otherwise.", _JOB,
        lambda sample: float(sample.status.verdict is Verdict.OK),
    ),
    _job_gauge(
        "streamctl_failed", "", "1 when the job has failed and is not started again.", "",
        lambda sample: float(sample.status.observed is Observed.FAILED),
    ),
    _job_gauge(
        "streamctl_uptime_seconds", "seconds", "Since the start, over restarts.", "",
        lambda sample: sample.status.uptime_seconds,
    ),
    Metric(
        name="streamctl_restarts", kind=Kind.COUNTER, unit="", labels=(), read=_restarts,
        help="Restarts of the driver since the start.", panel=_JOB,
    ),
    _job_gauge(
        "streamctl_attempts_left", "", "Restarts left before the job is given up.", "",
        lambda sample: sample.status.attempts_left,
    ),
    _job_gauge(
        "streamctl_backup_failed", "", "1 when the last scheduled backup failed, else 0.", "",
        _backup_failed,
    ),
    _job_gauge(
        "streamctl_backup_age_seconds", "seconds", "Since the last good scheduled backup.", _JOB,
        _backup_age,
    ),
    _job_gauge(
        "streamctl_breaker_state", "", "Circuit breaker: 0 closed, 1 half-open, 2 open.", _JOB,
        _breaker,
    ),
    _query_gauge(
        "streamctl_consumer_lag_records", "records", "Records not yet in a committed batch.",
        _LAG, lambda query: query.lag.lag_records if query.lag else None,
    ),
    _query_gauge(
        "streamctl_time_lag_seconds", "seconds", "Age of the oldest unread record.",
        _LAG, lambda query: query.lag.time_lag_seconds if query.lag else None,
    ),
    _query_gauge(
        "streamctl_retention_left_seconds", "seconds",
        "Until Kafka may delete the oldest unread record; +Inf when nothing is unread.",
        _LAG, _retention,
    ),
    _query_gauge(
        "streamctl_kafka_findings", "",
        "Places where Kafka does not go with the checkpoint: topic made anew, partition gone, "
        "position past the end, records deleted unread.",
        _ERRORS, _findings,
    ),
    Metric(
        name="streamctl_partition_lag_records", kind=Kind.GAUGE, unit="records",
        labels=("query", "topic", "partition"), read=_partition_lag, partitions=True,
        help="Records of one topic partition not yet in a committed batch.",
    ),
    _query_gauge(
        "streamctl_arriving_records_per_second", "", "Records that reach Kafka.",
        _QUERY, lambda query: query.lag.rates.arriving if query.lag else None,
    ),
    _query_gauge(
        "streamctl_input_records_per_second", "", "Records read, over the last minute.",
        _QUERY, lambda query: query.input_per_second,
    ),
    _query_gauge(
        "streamctl_output_rows_per_second", "", "Rows written, over the last minute.",
        _QUERY, lambda query: query.output_per_second,
    ),
    Metric(
        name="streamctl_input_records", kind=Kind.COUNTER, unit="records", labels=("query",),
        read=_totals("input_rows"), help="Records read in this generation.",
    ),
    Metric(
        name="streamctl_batch_phase_seconds", kind=Kind.GAUGE, unit="seconds",
        labels=("query", "phase"), read=_phases, panel=_QUERY,
        help="Duration of the last batch by Spark's phases; triggerExecution is the whole.",
    ),
    _query_gauge(
        "streamctl_last_commit_age_seconds", "seconds", "Since the last committed batch.",
        _QUERY, lambda query: query.commit_age_seconds,
    ),
    _query_gauge(
        "streamctl_not_processing_seconds", "seconds",
        "Without a batch although there is something to read.",
        "", lambda query: query.not_processing_seconds,
    ),
    _query_gauge(
        "streamctl_stall_window_seconds", "seconds",
        "Without a batch for longer, a query is taken to be stalled.",
        "", lambda query: query.stall_window_seconds,
    ),
    _query_gauge(
        "streamctl_committed_batch", "", "Batch id of the last committed batch.",
        "", lambda query: query.status.committed_batch_id,
    ),
    _query_gauge(
        "streamctl_watermark_delay_seconds", "seconds", "Watermark behind the clock.",
        _QUERY, _watermark_delay,
    ),
    Metric(
        name="streamctl_rejected_records", kind=Kind.COUNTER, unit="records",
        labels=("query", "reason"), read=_rejected_total,
        help="Records rejected in this generation, by reason.",
    ),
    Metric(
        name="streamctl_rejected_records_per_minute", kind=Kind.GAUGE, unit="",
        labels=("query", "reason"), read=_rejected_rate, panel=_ERRORS,
        help="Records rejected in the last minute, by reason.",
    ),
    _query_gauge(
        "streamctl_rejected_ratio", "ratio", "Share of the last minute's records rejected.",
        _ERRORS, lambda query: query.rejected_share,
    ),
    Metric(
        name="streamctl_dead_letters", kind=Kind.COUNTER, unit="", labels=("query",),
        read=_totals("dead_letters"), help="Records rejected in this generation, each once.",
    ),
    Metric(
        name="streamctl_late_records", kind=Kind.COUNTER, unit="records", labels=("query",),
        read=_totals("late_rows"), help="Records that came after their window was closed.",
    ),
    Metric(
        name="streamctl_loss_ranges", kind=Kind.COUNTER, unit="", labels=("query",),
        read=_losses, panel=_ERRORS,
        help="Ranges of offsets that this generation passed over unread.",
    ),
    _query_gauge(
        "streamctl_loss_ranges_last_hour", "", "Such ranges found in the last hour.", "",
        lambda query: query.losses_last_hour,
    ),
    Metric(
        name="streamctl_repaired_snapshots", kind=Kind.COUNTER, unit="", labels=("query",),
        read=_totals("repaired_snapshots"), panel=_ERRORS,
        help="Damaged state snapshots that Spark went around by itself.",
    ),
    _query_gauge(
        "streamctl_repaired_snapshots_last_hour", "", "Such snapshots in the last hour.", "",
        lambda query: query.repaired_last_hour,
    ),
    Metric(
        name="streamctl_checkpoint_bytes", kind=Kind.GAUGE, unit="bytes",
        labels=("query", "kind"), read=_sizes(size=True), panel=_STATE,
        help="Size of the checkpoint by what its files are for.",
    ),
    Metric(
        name="streamctl_checkpoint_files", kind=Kind.GAUGE, unit="files",
        labels=("query", "kind"), read=_sizes(size=False), panel=_STATE,
        help="Files of the checkpoint by what they are for.",
    ),
    Metric(
        name="streamctl_state_rows", kind=Kind.GAUGE, unit="rows",
        labels=("query", "operator"), read=_state("state_rows"), panel=_STATE,
        help="Rows in the state stores.",
    ),
    Metric(
        name="streamctl_state_memory_bytes", kind=Kind.GAUGE, unit="bytes",
        labels=("query", "operator"), read=_state("state_bytes"), panel=_STATE,
        help="Memory of the state stores.",
    ),
    Metric(
        name="streamctl_disk_free_bytes", kind=Kind.GAUGE, unit="bytes", labels=("place",),
        read=_disks, panel=_MACHINE, help="Free space where the job writes.",
    ),
    _job_gauge(
        "streamctl_driver_resident_memory_bytes", "bytes",
        "Memory of the driver's processes: Python, JVM, workers.", _MACHINE,
        lambda sample: sample.processes.resident_bytes if sample.processes else None,
    ),
    _query_gauge(
        "streamctl_jvm_heap_bytes", "bytes", "Heap in use in the driver's JVM.", _MACHINE, _heap
    ),
)  # fmt: skip
