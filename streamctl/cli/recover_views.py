"""How a recovery is shown to a person."""

from typing import TYPE_CHECKING

from streamctl.cli.render import Facts, Line, Table, View
from streamctl.reports import Verdict

if TYPE_CHECKING:
    from streamctl.recover.evidence import Evidence
    from streamctl.recover.propose import Proposal
    from streamctl.recover.run import Recovery


def recovery_view(report: "Recovery") -> View:
    """How it ended; what was found, decided and done."""
    facts: list[tuple[str, object]] = [
        ("verdict", report.verdict),
        ("found", report.proposal.why),
        ("remedy", report.proposal.remedy),
    ]
    if report.proposal.hint:
        facts.append(("note", report.proposal.hint))
    facts += [("does", text) for text in report.proposal.commands if not report.started]
    facts += [("done", text) for text in report.proposal.commands if report.started]
    facts += [("back", text) for text in report.undo]
    if report.status:
        facts += [("now", str(report.status.observed))]
        facts += [("reason", reason) for reason in report.status.reasons]
    head = Line(text=str(report.outcome).replace("_", " "))
    return [head, Facts(rows=facts), *_evidence(report.evidence)]


def _evidence(evidence: "Evidence") -> View:
    """What stands in the way; a check that is ok says nothing new."""
    bad = [check for check in evidence.checks if check.verdict is not Verdict.OK]
    return [
        Table(
            columns=("query", "checkpoint", "next start", "committed", "whole up to"),
            rows=[
                (q.query, q.verdict, q.forecast, q.committed_batch_id, q.rewind_to)
                for q in evidence.queries
            ],
            right=frozenset({3, 4}),
        ),
        Table(columns=("check", "detail"), rows=[(check.name, check.detail) for check in bad]),
    ]


def proposal_lines(proposal: "Proposal") -> list[str]:
    """The proposal before the question."""
    lines = [f"found: {proposal.why}", f"remedy: {proposal.remedy}"]
    return [*lines, *([proposal.hint] if proposal.hint else [])]
