"""`streamctl explain`: what a code means, or which conditions a log holds."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.render import Facts, Line, Table, View

if TYPE_CHECKING:
    from streamctl.explain.explain import Explanation, LogReport


app = typer.Typer(add_completion=False)


def _view(report: "Explanation | LogReport") -> View:
    conditions = getattr(report, "conditions", None)
    if conditions is None:
        return _one(report)
    if not conditions:
        return [Line(text="no known condition in the log")]
    rows = [
        (
            item.condition,
            item.lines,
            item.first_line,
            item.explanation.meaning if item.explanation else "not known to this release",
            item.explanation.remedy if item.explanation else "",
        )
        for item in conditions
    ]
    columns = ("condition", "lines", "first", "meaning", "remedy")
    return [Table(columns=columns, rows=rows, right=frozenset({1, 2}))]


def _one(report: Any) -> View:
    return [
        Facts(
            rows=[
                ("code", report.code),
                ("kind", report.kind.value.replace("_", " ")),
                ("meaning", report.meaning),
                *([("next start", report.effect)] if report.effect else []),
                ("cause", report.cause),
                ("remedy", report.remedy),
            ]
        )
    ]


@command(app, "explain", view=_view)
def explain_command(
    here: Here,
    what: Annotated[
        str, typer.Argument(metavar="CODE|FILE", help="A code, a log file, or - for stdin.")
    ],
) -> Any:
    """Explain a finding, an exit code, or an error of Spark.

    Given a log, it explains the conditions of Spark that stand in it.
    """
    from streamctl.explain.explain import explain, explain_log

    del here
    if what == "-":
        return explain_log(sys.stdin)
    path = Path(what)
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as lines:
            return explain_log(lines)
    return explain(what)
