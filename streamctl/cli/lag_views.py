"""How lag is shown to a person."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from streamctl.cli.render import Facts, Line, Table, View
from streamctl.reports import iso

if TYPE_CHECKING:
    from streamctl.lag.model import LagReport, PartitionLag, QueryLag, Rates
    from streamctl.lag.peek import PeekReport
    from streamctl.lag.publish import Published


def arranged(report: "LagReport", *, by_topic: bool, only_lagging: bool) -> "LagReport":
    """The same report with fewer rows; totals and verdicts stay those of all."""

    def rows(query: "QueryLag") -> "list[PartitionLag]":
        parts = list(_by_topic(query.partitions)) if by_topic else query.partitions
        return [part for part in parts if part.lag_records != 0] if only_lagging else parts

    queries = [replace(query, partitions=rows(query)) for query in report.queries]
    return replace(report, queries=queries)


def _by_topic(parts: "list[PartitionLag]") -> "Iterable[PartitionLag]":
    """One row a topic; `partition` is the number of partitions, offsets are sums."""
    from streamctl.lag.model import PartitionLag, largest, total

    for topic in dict.fromkeys(part.topic for part in parts):
        some = [part for part in parts if part.topic == topic]
        left = [x.retention_left_seconds for x in some if x.retention_left_seconds is not None]
        oldest = [part.oldest_unread_at for part in some if part.oldest_unread_at]
        yield PartitionLag(
            topic=topic,
            partition=len(some),
            committed=total(part.committed for part in some),
            planned=total(part.planned for part in some),
            log_start=total(part.log_start for part in some),
            log_end=total(part.log_end for part in some),
            lag_records=total(part.lag_records for part in some),
            time_lag_seconds=largest(part.time_lag_seconds for part in some),
            time_lag_estimated=any(part.time_lag_estimated for part in some),
            oldest_unread_at=min(oldest, default=None),
            retention_left_seconds=min(left, default=None),
        )


def lag(report: "LagReport") -> View:
    """Each query: facts, a table of partitions, findings."""
    return [part for query in report.queries for part in _query(query)]


def _query(query: "QueryLag") -> View:
    facts: list[tuple[str, object]] = [
        ("query", query.query),
        ("state", f"{query.state}: {query.reason} ({_grounds(query)})"),
        ("lag", f"{count(query.lag_records)} records, {span(query.time_lag_seconds)}"),
        ("rates", _rates(query.rates)),
    ]
    if query.lag_records is None and query.known_lag_records is not None:
        facts.append(("of it known", _known(query)))
    if query.lag_records and query.rates.processing:
        facts.append(("gone in", _eta(query.rates)))
    if query.retention_left_seconds is not None:
        left = span(query.retention_left_seconds)
        facts.append(("retention", f"the oldest unread record may be deleted in {left}"))
    if query.skew is not None:
        facts.append(("skew", f"{query.skew:g} x the mean in the largest partition"))
    if query.unidentified_topics:
        named = _one_of(query.unidentified_topics)
        facts.append(("not known", f"whether {named} was made anew: no record of its id"))
    facts += [("finding", f"{found.code}: {found.detail}") for found in query.findings]
    table = Table(
        columns=("topic", "p", "committed", "planned", "start", "end", "lag", "behind"),
        rows=[
            (
                part.topic,
                part.partition,
                part.committed,
                part.planned,
                part.log_start,
                part.log_end,
                part.lag_records,
                span(part.time_lag_seconds) + ("~" if part.time_lag_estimated else ""),
            )
            for part in query.partitions
        ],
        right=frozenset(range(1, 8)),
    )
    return [Facts(rows=facts), table]


def _known(query: "QueryLag") -> str:
    rows = query.partitions
    known = sum(part.lag_records is not None for part in rows)
    ages = [part.time_lag_seconds for part in rows if part.time_lag_seconds is not None]
    behind = span(max(ages, default=None))
    return f"{count(query.known_lag_records)} records, {behind}, in {known} of {len(rows)} rows"


def _grounds(query: "QueryLag") -> str:
    return f"rule {query.rule}, by {query.completeness:.0%} of the history that is wanted"


def _one_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"one of {len(names)} topics"


def _rates(rates: "Rates") -> str:
    def pace(value: float | None) -> str:
        return "not known" if value is None else f"{value:,.0f}/s"

    return f"{pace(rates.arriving)} arriving, {pace(rates.processing)} processed"


def _eta(rates: "Rates") -> str:
    if rates.eta_seconds is None:
        return "not at these rates"
    told = span(rates.eta_seconds)
    low, high = rates.eta_low_seconds, rates.eta_high_seconds
    if low is not None and high is not None and low != high:
        return f"{told} ({span(low)} to {span(high)})"
    return told if high is not None else f"{told}, or never with the slower batches"


def count(value: int | None) -> str:
    """A number of records for a person."""
    return "not known" if value is None else f"{value:,}"


def span(seconds: float | None) -> str:
    """A length of time for a person, in the unit that suits."""
    if seconds is None:
        return "not known"
    if seconds < 120:  # noqa: PLR2004
        return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    minutes = seconds / 60
    if minutes < 120:  # noqa: PLR2004
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} d"


def lag_line(report: "LagReport") -> View:
    """One line, for a gate."""
    told = f"{count(report.lag_records)} records"
    if report.time_lag_seconds is not None:
        told += f", {span(report.time_lag_seconds)}"
    return [Line(text=f"lag: {told}")]


def peek(report: "PeekReport") -> View:
    """The record, its headers, its value."""
    facts: list[tuple[str, object]] = [
        ("place", f"{report.topic} partition {report.partition} offset {report.offset}"),
        ("timestamp", iso(report.timestamp)),
        ("key", report.key),
        *((f"header {name}", value) for name, value in report.headers.items()),
        ("value", f"{report.value_bytes:,} bytes{', cut' if report.cut else ''}"),
    ]
    return [Facts(rows=facts), Line(text=report.value or "")]


def publish(report: "Published") -> View:
    """What other tools see now."""
    text = f"{report.partitions} partitions committed to group {report.group}, derived"
    return [Line(text=text)]
