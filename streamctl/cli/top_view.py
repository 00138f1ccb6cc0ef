"""What `streamctl top` tells, in cells: the same for the live screen and for `--once`."""

from typing import TYPE_CHECKING

from streamctl.cli.lag_views import count, span
from streamctl.cli.render import Facts, Table, View
from streamctl.cli.sparkline import sparkline

if TYPE_CHECKING:
    from streamctl.health.top import TopReport
    from streamctl.observe.model import QuerySample, Sample

_MOST_REASONS = 3
_MOST_FINDINGS = 3
_MOST_SIZES = 30
QUERY_COLUMNS = ("query", "batch", "rec/s", "took", "lag", "behind", "watermark", "rejected/min")
COURSE_COLUMNS = ("query", "last batches", "from the oldest to the newest", "most")
PARTITION_COLUMNS = ("query", "topic", "p", "committed", "end", "lag", "behind")


def top_view(report: "TopReport | None") -> View:
    """Everything once; nothing after the live screen."""
    if report is None:
        return []
    queries = Table(
        columns=QUERY_COLUMNS,
        rows=[query_row(query) for query in report.queries],
        right=frozenset(range(1, len(QUERY_COLUMNS))),
    )
    courses = Table(columns=COURSE_COLUMNS, rows=course_rows(report), right=frozenset({3}))
    partitions = Table(
        columns=PARTITION_COLUMNS,
        rows=partition_rows(report),
        right=frozenset(range(2, len(PARTITION_COLUMNS))),
    )
    return [Facts(rows=facts(report)), queries, courses, partitions]


def facts(sample: "TopReport") -> list[tuple[str, object]]:
    """The job in a few lines."""
    status = sample.status
    rows: list[tuple[str, object]] = [
        ("job", f"{status.job}, generation {status.generation}"),
        ("verdict", status.verdict),
        ("state", f"{status.observed}, {status.restarts} restarts{_uptime(sample)}"),
        *(("reason", reason) for reason in status.reasons),
        ("alerts", _alerts(sample)),
        *(("kafka", finding.detail) for finding in sample.findings[:_MOST_FINDINGS]),
        ("rejected", _rejected(sample)),
        ("checkpoint", size(sample.checkpoint_bytes) + _growth(sample)),
        ("disk free", ", ".join(f"{d.place} {size(d.free_bytes)}" for d in sample.disks)),
    ]
    if sample.processes:
        memory = size(sample.processes.resident_bytes)
        rows.append(("driver", f"{memory} in {sample.processes.count} processes"))
    if sample.lag_problem:
        rows.append(("lag", f"not known: {sample.lag_problem}"))
    if status.url:
        rows.append(("page", status.url))
    return rows


def _alerts(sample: "TopReport") -> str:
    told = ", ".join(f"{state.title} ({state.name})" for state in sample.alerts) or "none open"
    return told if sample.status.supervisor_pid else f"{told}; the job is down: nobody looks"


def _growth(sample: "TopReport") -> str:
    grown = sample.growth
    if grown is None:
        return ""
    verb = "shrank" if grown.grown_bytes < 0 else "grew"
    moved = f"{verb} {size(abs(grown.grown_bytes))} in {span(grown.seconds)}"
    last = grown.sizes_bytes[-_MOST_SIZES:]
    return f", {moved} {sparkline([known - min(last) for known in last])}"


def _uptime(sample: "Sample") -> str:
    up = sample.status.uptime_seconds
    return f", up {span(up)}" if up is not None else ""


def _rejected(sample: "Sample") -> str:
    totals: dict[str, int] = {}
    for query in sample.queries:
        for reason, number in query.rejected_per_minute.items():
            totals[reason] = totals.get(reason, 0) + number
    worst = sorted(totals.items(), key=lambda item: -item[1])
    told = ", ".join(f"{reason} {number:,}" for reason, number in worst[:_MOST_REASONS])
    more = f" and {len(worst) - _MOST_REASONS} reasons more" if worst[_MOST_REASONS:] else ""
    return f"{told}{more} in the last minute" if told else "none in the last minute"


def query_row(query: "QuerySample") -> tuple[object, ...]:
    """One query; columns as `QUERY_COLUMNS`."""
    last, lag = query.last, query.lag
    return (
        query.name,
        query.status.committed_batch_id,
        "" if query.input_per_second is None else f"{query.input_per_second:,.0f}",
        "" if last is None else f"{last.seconds:.1f} s",
        count(lag.lag_records if lag else None),
        span(lag.time_lag_seconds if lag else None),
        "" if query.watermark_delay_seconds is None else span(query.watermark_delay_seconds),
        sum(query.rejected_per_minute.values()),
    )


def course_rows(sample: "TopReport") -> list[tuple[object, ...]]:
    """The last batches of each query; columns as `COURSE_COLUMNS`."""
    rows: list[tuple[object, ...]] = []
    for name, course in sample.courses.items():
        longest = f"{max(course.seconds, default=0):.1f} s"
        rows += [
            (name, "records", sparkline(course.input_rows), max(course.input_rows, default=0)),
            (name, "took", sparkline(course.seconds), longest),
        ]
    return rows


def partition_rows(sample: "Sample") -> list[tuple[object, ...]]:
    """All partitions of all queries; columns as `PARTITION_COLUMNS`."""
    return [
        (
            query.name,
            part.topic,
            part.partition,
            part.committed,
            part.log_end,
            part.lag_records,
            span(part.time_lag_seconds),
        )
        for query in sample.queries
        if query.lag
        for part in query.lag.partitions
    ]


def size(number: int | None) -> str:
    """Bytes in the unit that suits."""
    if number is None:
        return "not known"
    amount = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:  # noqa: PLR2004
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} TiB"
