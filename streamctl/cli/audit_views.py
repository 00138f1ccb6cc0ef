"""How an audit is shown to a person."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from streamctl.cli.render import Facts, Line, Table, View

if TYPE_CHECKING:
    from streamctl.audit.model import AuditReport, LedgerAudit, QueryAudit


def audit_view(report: "AuditReport") -> View:
    """Each query's places with their records; the ledger; what cannot be known."""
    head = Facts(rows=[("verdict", report.verdict), ("generation", report.generation)])
    blocks = [head, *(_query(query) for query in report.queries)]
    reasons = [
        Line(text=f"{query.query}: {reason}")
        for query in report.queries
        for reason in query.account.reasons
    ]
    ledger = _ledger(report.ledger) if report.ledger else ()
    limits = [Line(text=f"this audit cannot tell {limit}") for limit in report.limits]
    return [*blocks, *reasons, *ledger, *limits]


def _query(query: "QueryAudit") -> Table:
    batch = "no batch" if query.batch_id is None else f"batch {query.batch_id}"
    return Table(
        columns=(f"{query.query}, as of {batch}", "records"),
        rows=list(_places(query)),
        right=frozenset({1}),
    )


def _places(query: "QueryAudit") -> Iterator[tuple[str, object]]:
    figures = query.figures
    yield "read", figures.read
    if figures.role == "counted":
        yield "  in output", _known(figures.in_output)
        yield "  in state", _known(figures.in_state)
        yield "  late", _known(figures.late)
    if figures.role != "other":
        yield "  dead letters", _known(figures.letters)
    if figures.set_aside:
        yield "  set aside, as dead letters", figures.set_aside
    if figures.skipped:
        about = "" if figures.skipped_exactly else "up to "
        yield "  passed over unread", f"{about}{figures.skipped:,}"
    if figures.empty:
        yield "  offsets without record", figures.empty
    if query.account.unexplained:
        yield "  unexplained", query.account.unexplained
    if figures.read_later:
        yield "read since then", figures.read_later
    yield "in flight", figures.in_flight
    yield "unread", figures.unread
    if figures.deleted_unread:
        yield "deleted, will be passed over", figures.deleted_unread


def _known(records: int | None) -> str:
    return "not known" if records is None else f"{records:,}"


def _ledger(audit: "LedgerAudit") -> Iterator[Facts | Table | Line]:
    yield Table(
        columns=("record by record", "records"),
        rows=[
            ("in ledgers", audit.records),
            ("  counted", audit.counted),
            ("  late", audit.late),
            ("  rejected", audit.rejected),
            *([("  set aside", audit.set_aside)] if audit.set_aside else []),
            ("  counted or late, not known which", audit.unjudged),
            ("  not read yet", audit.unread),
            ("  not acknowledged by Kafka", audit.unacknowledged),
            ("read and in no ledger", audit.foreign),
            ("lost", audit.lost),
            ("doubled", audit.doubled),
            ("wrongly judged", audit.wrongly_judged),
        ],
        right=frozenset({1}),
    )
    yield from (Line(text=sample) for sample in audit.samples)
