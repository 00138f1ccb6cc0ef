"""How reports on checkpoints are drawn. JSON is derived from the dataclasses, not from here."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streamctl.cli.render import Facts, Line, Table, View
from streamctl.cli.sparkline import sparkline
from streamctl.reports import iso

if TYPE_CHECKING:
    from streamctl.checkpoint.report.diff import DiffReport
    from streamctl.checkpoint.report.history import BatchRow, HistoryReport
    from streamctl.checkpoint.report.model import (
        InspectReport,
        OperatorReport,
        PartitionState,
        StateRows,
    )
    from streamctl.checkpoint.verify.seal import SealReport
    from streamctl.checkpoint.verify.verify import QueriesReport, VerifyReport

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def inspect_view(report: "InspectReport") -> View:
    """Facts, then sources, operators, files."""
    rows: list[tuple[str, object]] = [
        ("verdict", report.verdict),
        ("checkpoint", report.location),
        ("query id", report.query_id or "unknown"),
        ("run id", report.run_id or "not known: this project's job did not tell of it"),
        ("planned batch", _or(report.planned_batch_id, "none yet")),
        ("committed batch", _or(report.committed_batch_id, "none yet")),
        ("in flight", "yes" if report.batch_in_flight else "no"),
        ("committed", _ago(report.committed_age_seconds)),
        ("watermark", _watermark(report)),
        (
            "log versions",
            f"offsets {report.offset_log_version}, commits {report.commit_log_version}",
        ),
        ("state format", _or(report.state_format_version, "no state")),
        ("growth per batch", _growth(report)),
        ("rewind", _rewind(report)),
        ("calls", report.filesystem_calls),
        *(("unknown", line) for line in report.unknown),
    ]
    view: View = [Facts(rows=rows)]
    for section, tables in (
        ("offsets", _offsets_tables),
        ("state", _state_tables),
        ("files", _files_tables),
    ):
        if section in report.sections or not report.sections:
            view = [*view, *tables(report)]
    if report.state_rows is not None:
        view = [*view, _state_rows_table(report.state_rows)]
    if report.sections:
        return view
    return [*view, Table(columns=("pinned setting", "value"), rows=sorted(report.conf.items()))]


def _offsets_tables(report: "InspectReport") -> list[Table]:
    offsets = [
        (
            source.source_id,
            part.topic,
            part.partition,
            _or(part.start_offset, "not known"),
            part.end_offset,
        )
        for source in report.sources
        for part in source.partitions
    ]
    others = [
        (source.source_id, source.kind, json.dumps(source.offset))
        for source in report.sources
        if source.kind != "kafka"
    ]
    return [
        Table(
            columns=("source", "topic", "partition", "from", "up to"),
            rows=offsets,
            right=frozenset({2, 3, 4}),
            title=f"Offsets of batch {report.batch_id}",
        ),
        Table(columns=("source", "kind", "offset"), rows=others),
    ]


_OPERATOR = ("operator", "name", "provider", "stores", "partitions", "size", "skew", "keys")
_PARTITION = ("operator", "partition", "store", "versions", "size", "keys", "at version")


def _state_tables(report: "InspectReport") -> list[Table]:
    operators = [_operator(item) for item in report.operators]
    return [
        Table(columns=_OPERATOR, rows=operators, right=frozenset({0, 4, 5, 6, 7})),
        Table(columns=_PARTITION, rows=_partitions(report), right=frozenset({0, 1, 4, 5, 6})),
    ]


def _files_tables(report: "InspectReport") -> list[Table]:
    rows = [(kind.kind, kind.files, size_text(kind.size_bytes)) for kind in report.files]
    return [Table(columns=("files", "number", "size"), rows=rows, right=frozenset({1, 2}))]


def _state_rows_table(found: "StateRows") -> Table:
    full = len(found.rows) == found.limit
    return Table(
        columns=("partition", "key", "value"),
        rows=[(row.partition, json.dumps(row.key), json.dumps(row.value)) for row in found.rows],
        right=frozenset({0}),
        title=f"{'First rows' if full else 'Rows'} of operator {found.operator_id}, {found.store}",
    )


def _operator(item: "OperatorReport") -> tuple[object, ...]:
    return (
        item.operator_id,
        item.name or "unknown",
        item.provider,
        ", ".join(item.stores),
        item.partitions,
        size_text(item.size_bytes),
        item.skew,
        "not counted" if item.keys is None else item.keys,
    )


def _partitions(report: "InspectReport") -> list[tuple[object, ...]]:
    """Each store of each partition, once keys were asked for."""
    if "state" not in report.sections:
        return []
    return [
        (
            item.operator_id,
            part.partition,
            part.store,
            _versions(part),
            size_text(part.size_bytes),
            _or(part.keys, "unknown"),
            _or(part.keys_at_version, "unknown"),
        )
        for item in report.operators
        for part in item.partition_states
    ]


def _versions(part: "PartitionState") -> str:
    if part.newest_version is None:
        return "none"
    return f"{part.oldest_version} to {part.newest_version}"


def _growth(report: "InspectReport") -> str:
    if report.growth_bytes_per_batch is None:
        return "not known" if report.operators else "no state"
    return size_text(report.growth_bytes_per_batch)


def _watermark(report: "InspectReport") -> str:
    if report.watermark is None or report.watermark_behind_seconds is None:
        return "none yet"
    return f"{iso(report.watermark)}, {_span(report.watermark_behind_seconds)} behind now"


def _rewind(report: "InspectReport") -> str:
    back = report.rewind
    if back.oldest_batch_id is None:
        return f"not possible: {back.reason}"
    return f"{back.batches} batches, to batch {back.oldest_batch_id}: {back.reason}"


def history_view(report: "HistoryReport") -> View:
    """One row a batch, and a line of bars of the time between commits."""
    table = Table(
        columns=("batch", "committed at", "records", "watermark", "took", "since previous"),
        rows=[_batch(row) for row in report.batches],
        right=frozenset({0, 2, 4, 5}),
    )
    spans = [row.since_previous_seconds or 0.0 for row in report.batches]
    line = Line(text=f"seconds between commits: {sparkline(spans)}", for_programs=False)
    return [table, line] if any(spans) else [table]


def _batch(row: "BatchRow") -> tuple[object, ...]:
    if row.problem:
        return (row.batch_id, row.problem, "", "", "", "")
    moved = "not known"
    if row.advanced is not None:
        moved = ", ".join(f"{a.topic} {a.records}" for a in row.advanced)
    return (
        row.batch_id,
        _time(row.committed_at) if row.committed else "in flight",
        moved,
        _time(row.watermark),
        _span(row.duration_seconds),
        _span(row.since_previous_seconds),
    )


def verify_view(report: "VerifyReport | QueriesReport") -> View:
    """The verdict, one row a finding, the remedies; so for each query, where there are several.

    A remedy is a line of its own, not a cell: its commands must be whole to be pasted.
    """
    from streamctl.checkpoint.verify.verify import QueriesReport

    if isinstance(report, QueriesReport):
        of_each = [block for query in report.queries for block in verify_view(query)]
        names = ", ".join(query.query for query in report.queries)
        return [
            Facts(rows=[("verdict", report.verdict), ("queries", names)]),
            Line(text=""),
            *of_each,
        ]
    next_batch = "the first" if report.next_batch_id is None else report.next_batch_id
    facts = Facts(
        rows=[
            *([("query", report.query)] if report.query else []),
            ("verdict", report.verdict),
            ("next start", _FORECASTS[report.forecast.value]),
            ("checkpoint", report.location),
            ("query id", report.query_id or "unknown"),
            ("next batch", next_batch),
            ("level", report.level.value),
            ("not read", f"{report.unread_files} large files; --level deep reads them"),
        ][: None if report.unread_files else -1]
    )
    rows = [
        (item.severity.value, item.code, item.path, item.detail, item.condition)
        for item in report.findings
    ]
    remedies = dict.fromkeys(f"{item.code}: {item.hint}" for item in report.findings)
    columns = ("severity", "code", "file", "seen", "Spark says")
    return [
        facts,
        Table(columns=columns, rows=rows),
        *(Line(text=remedy, to_copy=True) for remedy in remedies),
    ]


_FORECASTS = {
    "starts": "starts",
    "fails": "fails",
    "starts_wrong": "starts, and is wrong",
    "unknown": "cannot be told",
}


def seal_view(report: "SealReport") -> View:
    """What the seal covers."""
    rows = [
        ("verdict", report.verdict),
        ("seal", report.path),
        ("query id", report.query_id or "unknown"),
        ("files", report.files),
        ("new", report.added),
        ("size", size_text(report.size_bytes)),
    ]
    return [Facts(rows=rows)]


def diff_view(report: "DiffReport") -> View:
    """Facts, then what differs."""
    facts = Facts(
        rows=[
            ("verdict", report.verdict),
            ("from", f"batch {report.before.batch_id} of {report.before.location}"),
            ("to", f"batch {report.after.batch_id} of {report.after.location}"),
            ("same query", "yes" if report.same_query else "no"),
            ("records", report.records),
            ("time between", _span(report.seconds)),
            *(("unknown", line) for line in report.unknown),
        ]
    )
    offsets = [(c.topic, c.partition, c.before, c.after) for c in report.partitions]
    values = [
        (kind, change.name, change.before, change.after)
        for kind, changes in (
            ("setting", report.conf),
            ("source", report.sources),
            ("operator", report.operators),
            ("schema", report.schemas),
        )
        for change in changes
    ]
    return [
        facts,
        Table(
            columns=("topic", "partition", "from", "to"), rows=offsets, right=frozenset({1, 2, 3})
        ),
        Table(columns=("what", "name", "from", "to"), rows=values),
    ]


def _or(value: object, instead: str) -> object:
    return instead if value is None else value


def _time(moment: datetime | None) -> str:
    """To the second: in a table of batches, durations tell the rest."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{_span(seconds)} ago"


def _span(seconds: float | None) -> str:
    """A duration in its two greatest units."""
    if seconds is None:
        return ""
    if abs(seconds) < 60:  # noqa: PLR2004  a minute
        return f"{seconds:.1f} s"
    left = int(abs(seconds))
    parts: list[str] = []
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if left >= size or parts:
            parts.append(f"{left // size} {name}")
            left %= size
    return ("-" if seconds < 0 else "") + " ".join(parts[:2])


def size_text(size: int | None) -> str:
    """Bytes in the unit that suits them; nothing for None."""
    if size is None:
        return ""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004  a binary unit
        value, unit = value / 1024, unit + 1
    return f"{size} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"
