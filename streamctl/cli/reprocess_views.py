"""How reprocessing is shown to a person."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from streamctl.cli.render import Facts, Line, Table, View
from streamctl.reports import Event, iso
from streamctl.reprocess.plan import Plan

if TYPE_CHECKING:
    from streamctl.lifecycle.stop import StopReport
    from streamctl.reprocess.compare import Comparison, QueryComparison
    from streamctl.reprocess.listing import Listing
    from streamctl.reprocess.promote import Promotion
    from streamctl.reprocess.receipt import Receipt
    from streamctl.reprocess.request import Range

_SHOWN_RANGES = 12


def reprocess(report: "Plan | Receipt") -> View:
    """A plan that was only shown, or what was done."""
    if isinstance(report, Plan):
        plan = [*_plan_facts(report), *(("touches", text) for text in report.touches)]
        return [Facts(rows=plan), _ranges(report.ranges)]
    head = f"{report.outcome} generation {report.generation} ({report.seconds:.1f} s)"
    facts = [
        ("records/s", f"{report.records_per_second:,.0f}" if report.records_per_second else ""),
        ("restarts", str(report.restarts)),
        ("gone", _gone(report.gone)),
        ("output", report.output),
        ("next", f"streamctl reprocess compare {report.generation}"),
    ]
    table = Table(
        columns=("query", "batches", "records", "late", "rejected", "files", "MiB"),
        rows=[
            (
                query.name,
                query.batches,
                query.input_records,
                query.late_records,
                sum(query.rejected_records.values()),
                query.output_files,
                None if query.output_bytes is None else round(query.output_bytes / 2**20, 1),
            )
            for query in report.queries
        ],
        right=frozenset(range(1, 7)),
    )
    return [Line(text=head), Facts(rows=facts), table, _ranges(report.ranges)]


def plan_lines(plan: Plan) -> Iterator[Event]:
    """The plan as lines of progress, before it is carried out."""
    for name, value in _plan_facts(plan):
        yield Event(message=f"{name}: {value}")


def _plan_facts(plan: Plan) -> list[tuple[str, object]]:
    size = "not known"
    if plan.estimated_bytes is not None:
        size = f"about {plan.estimated_bytes / 2**20:,.0f} MiB"
    expected = plan.expected_from
    if plan.expected_seconds is not None:
        expected = f"about {plan.expected_seconds:,.0f} s, by {plan.expected_from}"
    partitions = len(plan.ranges)
    return [
        ("generation", f"{plan.generation}, {'resumed' if plan.resumes else 'new'}"),
        ("records", f"{plan.records:,} in {partitions} partition{'s'[: partitions != 1]}"),
        ("size", size),
        ("duration", expected),
        ("gone", _gone(plan.gone)),
        ("output", plan.output),
    ]


def _gone(gone: int | None) -> str:
    if gone is None:
        return "records at the beginning, which cannot be counted"
    return f"{gone:,} records that were asked for" if gone else "nothing"


def _ranges(ranges: "list[Range]") -> Table:
    return Table(
        columns=("topic", "partition", "from", "to", "records"),
        rows=[
            (part.topic, part.partition, part.start, part.end, part.records)
            for part in ranges[:_SHOWN_RANGES]
        ],
        right=frozenset(range(1, 5)),
    )


def compare(report: "Comparison") -> View:
    """Counts, then some rows that are not equal."""
    table = Table(
        columns=("query", "equal", "different", "only live", "only new", "edge"),
        rows=[
            (q.query, q.equal, q.different, q.only_one, q.only_other, q.edge)
            for q in report.queries
        ],
        right=frozenset(range(1, 6)),
    )
    head = [
        ("verdict", report.verdict),
        ("live", report.one),
        ("new", report.other),
        *((q.query, f"from {q.first} to {q.last}") for q in report.queries if q.first),
    ]
    return [Facts(rows=head), table, *(line for q in report.queries for line in _samples(q))]


def _samples(query: "QueryComparison") -> Iterator[Line]:
    for kind, rows in query.samples.items():
        for row in rows:
            sides = " | ".join(f"{name}: {json.dumps(side)}" for name, side in row.items())
            yield Line(text=f"{query.query}, {kind.replace('_', ' ')}: {sides}")


def promote(report: "Promotion") -> View:
    """The switch and the way back."""
    running = "the job runs from it" if report.restarted else "the next start runs from it"
    return [
        Line(text=f"generation {report.after} is the current one; {running}"),
        Line(text=f"back to {report.before}: {report.back}"),
    ]


def listing(report: "Listing") -> View:
    """All of them."""
    return [
        Table(
            columns=("generation", "state", "made", "from", "to", "records"),
            rows=[
                (x.generation, x.state, iso(x.created_at), x.start, x.end, x.records)
                for x in report.reprocessings
            ],
            right=frozenset({5}),
        )
    ]


def stopped(report: "StopReport") -> View:
    """How it came to its end."""
    return [Line(text=f"{report.outcome} ({report.seconds:.1f} s)")]
