"""How a search for poison records is shown to a person."""

from typing import TYPE_CHECKING

from streamctl.cli.render import Facts, Line, Table, View

if TYPE_CHECKING:
    from streamctl.poison.find import PoisonReport

_MEANINGS = {
    "none": "the batch runs now: what it failed on is gone, or was not a record",
    "records": "it fails on the records below, and runs without them",
    "no record": "it fails without any record: look at code, state and storage, not at records",
    "records together": "no single record is at fault: give more memory, or smaller batches",
    "too many records": "more records fail than may be set aside: look at the code first",
    "not known": "the time was over; --timeout gives more",
}


def poison_view(report: "PoisonReport") -> View:
    """What it comes to; the records with their errors."""
    facts: list[tuple[str, object]] = [
        ("verdict", report.verdict),
        ("batch", f"{report.batch_id} of {report.query}, {report.records:,} records"),
        ("found", _MEANINGS[report.fault]),
        ("trials", f"{report.trials} in {report.seconds:.0f} s"),
    ]
    if report.error and not report.poison:
        facts.append(("error", f"{report.error.condition}: {report.error.message}"))
    if report.error and report.fault == "records together":
        facts += [
            ("fails", f"{p.topic} {p.partition}:{p.start} to {p.end - 1}")
            for p in report.failed_range
        ]
    if report.undo:
        facts.append(("back", report.undo))
    rows = [(r.topic, r.partition, r.offset, f"{r.condition}: {r.message}") for r in report.poison]
    return [
        Line(text=str(report.outcome).replace("_", " ")),
        Facts(rows=facts),
        Table(
            columns=("topic", "partition", "offset", "error"), rows=rows, right=frozenset({1, 2})
        ),
    ]
