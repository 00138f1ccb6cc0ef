"""Draws reports: a table on a terminal, tab-separated lines off it, JSON in one envelope.

A view is a list of blocks, written by hand for each report. Off a terminal nothing is cut to a
width: facts become `name<TAB>value`, tables one line per row without a heading.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from streamctl.errors import StreamctlError
from streamctl.reports import Check, Verdict, as_json


class Output(StrEnum):
    """How data is written to stdout."""

    TABLE = "table"
    TSV = "tsv"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and values, one a line."""

    rows: Sequence[tuple[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings.

    Attributes:
        right: indexes of columns that hold numbers.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""
    right: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sentence.

    Attributes:
        to_copy: it has a command, and is broken by the terminal alone.
        for_programs: false for what only an eye can read: it is left out of tab-separated lines.
    """

    text: str
    to_copy: bool = False
    for_programs: bool = True


View = Sequence[Facts | Table | Line]
_MARKS = {
    Verdict.OK: "[green]ok[/]",
    Verdict.PROBLEM: "[red]problem[/]",
    Verdict.UNKNOWN: "[yellow]unknown[/]",
}


def write(
    report: Any,
    *,
    view: Callable[[Any], View],
    output: Output,
    command: str,
    warnings: list[str],
) -> None:
    """Write one report to stdout, and warnings to stderr where they are not in the JSON."""
    if output is Output.JSON:
        text = json.dumps(envelope(command, as_json(report), warnings), ensure_ascii=False)
        sys.stdout.write(text + "\n")
    else:
        (_draw if output is Output.TABLE else _lines)(view(report))
        for sentence in warnings:
            sys.stderr.write(f"warning: {sentence}\n")
        warnings.clear()
    sys.stdout.flush()


def envelope(command_path: str, data: Any, warnings: list[str]) -> dict[str, Any]:
    """The one form of all JSON output."""
    schema = "streamctl." + command_path.replace(" ", ".") + "/1"
    return {"schema": schema, "command": command_path, "data": data, "warnings": warnings}


def write_error(error: StreamctlError, *, output: Output, command: str) -> None:
    """Write the error and the way out to stderr."""
    if output is Output.JSON:
        kind = type(error).__name__
        fields: dict[str, Any] = {"kind": kind, "message": error.message, "hint": error.hint}
        fields["exit_code"] = int(error.exit_code)
        envelope_fields = {"schema": "streamctl.error/1", "command": command, "error": fields}
        sys.stderr.write(json.dumps(envelope_fields, ensure_ascii=False) + "\n")
        return
    sys.stderr.write(f"error: {error.message}\n")
    if error.hint:
        sys.stderr.write(f"{error.hint}\n")


def _lines(view: View) -> None:
    for block in view:
        if isinstance(block, Line):
            sys.stdout.write(f"{block.text}\n" if block.for_programs else "")
        else:
            for row in block.rows:
                sys.stdout.write("\t".join(_plain(cell) for cell in row) + "\n")


def _plain(cell: object) -> str:
    """One cell without tabs and line ends, so that a row stays a row."""
    text = "" if cell is None else str(as_json(cell))
    return text.replace("\t", " ").replace("\n", " ")


def _draw(view: View) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    for block in view:
        if isinstance(block, Line):
            console.print(block.text, markup=False, soft_wrap=block.to_copy)
        elif block.rows:
            console.print(_facts(block) if isinstance(block, Facts) else _table(block))


def _facts(block: Facts) -> Any:
    from rich.table import Table as Grid

    grid = Grid.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in block.rows:
        grid.add_row(name, _cell(value))
    return grid


def _table(block: Table) -> Any:
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(
        title=block.title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for index, name in enumerate(block.columns):
        justify: Literal["left", "right"] = "right" if index in block.right else "left"
        grid.add_column(name, justify=justify, overflow="fold", no_wrap=index == 0)
    for row in block.rows:
        grid.add_row(*(_cell(cell) for cell in row))
    return grid


def _cell(value: object) -> Any:
    from rich.text import Text

    if isinstance(value, Verdict):
        return Text.from_markup(_MARKS[value])
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return Text("" if value is None else str(as_json(value)))


def checks_table(checks: Sequence[Check]) -> Table:
    """Checks as a table: what, verdict, what was seen, and the way out."""
    rows = [
        (check.name, check.verdict, check.detail + (f". {check.hint}" if check.hint else ""))
        for check in checks
    ]
    return Table(columns=("check", "verdict", "detail"), rows=rows)
