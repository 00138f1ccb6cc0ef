"""How dead letters are shown to a person."""

from typing import TYPE_CHECKING

from streamctl.cli.render import Facts, Line, Table, View
from streamctl.reports import iso

if TYPE_CHECKING:
    from streamctl.dlq.export import Exported
    from streamctl.dlq.judge import ReplayPreview
    from streamctl.dlq.peek import PeekedLetter, PeekedLetters
    from streamctl.dlq.purge import Purged, PurgePlan
    from streamctl.dlq.replay import ReplayReport
    from streamctl.dlq.select import Selection
    from streamctl.dlq.stats import Count, StatsReport


def stats(report: "StatsReport") -> View:
    """Totals, then a table for each way to count."""
    facts: list[tuple[str, object]] = [
        ("topic", report.topic),
        ("records", f"{report.records:,} in {report.letters:,} letters"),
        ("devices", f"{report.devices:,}"),
    ]
    if report.foreign_letters:
        facts.append(("not ours", f"{report.foreign_letters:,} letters without our headers"))
    if report.first_at and report.last_at:
        facts.append(("written", f"{iso(report.first_at)} to {iso(report.last_at)}"))
    by_time = Table(
        columns=(f"from, {_step(report.step_minutes)}", "records", "letters"),
        rows=[(iso(part.start), part.records, part.letters) for part in report.by_time],
        right=frozenset({1, 2}),
    )
    counts = [_counts("reason", report.by_reason), by_time, _counts("device", report.by_device)]
    return [Facts(rows=facts), *counts]


def _counts(name: str, counts: "list[Count]") -> Table:
    return Table(
        columns=(name, "records", "letters"),
        rows=[(count.name, count.records, count.letters) for count in counts],
        right=frozenset({1, 2}),
    )


def _step(minutes: int) -> str:
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"  # noqa: PLR2004


def peek(report: "PeekedLetters") -> View:
    """One after another."""
    return [block for letter in report.letters for block in _letter(letter)]


def _letter(letter: "PeekedLetter") -> View:
    size = "none" if letter.value_bytes is None else f"{letter.value_bytes:,} bytes"
    facts: list[tuple[str, object]] = [
        ("reasons", ", ".join(letter.reasons) or "none: without our headers"),
        ("was", f"{letter.origin}, {iso(letter.origin_at)}" if letter.origin_at else ""),
        ("letter", f"partition {letter.partition} offset {letter.offset}, {iso(letter.at)}"),
        ("replayed", letter.attempts),
        ("key", letter.key),
        *((f"header {name}", value) for name, value in letter.headers.items()),
        ("value", f"{size}{', cut' if letter.cut else ''}"),
    ]
    return [Facts(rows=facts), Line(text=letter.value or "")]


def replay(report: "ReplayReport | ReplayPreview") -> View:
    """What was sent, or what would be."""
    from streamctl.dlq.judge import ReplayPreview

    if isinstance(report, ReplayPreview):
        head = f"{report.selection.to_send:,} records would be sent"
        judged = [("would pass now", _known(report.passing_records))]
        judged += [("would come back", _known(report.failing_records))]
        columns = ("would come back for", "records")
    else:
        head = f"{report.sent_records:,} records were sent"
        judged = _recovered(report)
        columns = ("sent, were rejected for", "records")
    table = Table(columns=columns, rows=list(report.reasons.items()), right=frozenset({1}))
    facts = [
        ("to", report.to or "the topics they came from"),
        *judged,
        *_selection(report.selection),
    ]
    return [Line(text=head), Facts(rows=facts), table]


def _known(records: int | None) -> str:
    return "not known: the job has no query of dead letters" if records is None else f"{records:,}"


def _recovered(report: "ReplayReport") -> list[tuple[str, str]]:
    told = []
    if report.recovered_records:
        told.append(("sent before it was killed", f"{report.recovered_records:,}"))
    if report.doubtful_records:
        text = f"{report.doubtful_records:,}: the topic no longer tells whether they arrived"
        told.append(("not sent", text))
    return told


def _selection(selection: "Selection") -> list[tuple[str, str]]:
    read = f"{selection.records:,} records in {selection.letters:,} letters"
    left = (
        ("replayed before", selection.replayed_before),
        ("replayed too often", selection.over_limit),
        ("not ours", selection.foreign_letters),
    )
    return [("looked at", read), *((name, f"{count:,}") for name, count in left if count)]


def export(report: "Exported") -> View:
    """Where it is."""
    return [Line(text=f"{report.letters:,} letters in {report.file}")]


def purge(report: "Purged | PurgePlan") -> View:
    """What went, or what would go."""
    from streamctl.dlq.purge import PurgePlan

    plan = report if isinstance(report, PurgePlan) else report.plan
    gone = "would go" if isinstance(report, PurgePlan) else "are gone"
    head = f"{plan.offsets:,} offsets of {plan.topic} written before {iso(plan.older_than)} {gone}"
    table = Table(
        columns=("partition", "first that stays"),
        rows=list(plan.before.items()),
        right=frozenset({0, 1}),
    )
    if isinstance(report, PurgePlan) or report.file is None:
        return [Line(text=head), table]
    return [Line(text=head), Line(text=f"{report.exported_letters:,} are in {report.file}"), table]
