"""The live screen of `streamctl top`, made with Textual."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Footer, Input, Static

from streamctl.cli.top_view import (
    PARTITION_COLUMNS,
    QUERY_COLUMNS,
    course_rows,
    facts,
    partition_rows,
    query_row,
)
from streamctl.errors import StreamctlError
from streamctl.health.top import TopReport, top_report
from streamctl.observe.watch import Watch
from streamctl.reports import Verdict, as_json
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings

_COLOURS = {Verdict.OK: "green", Verdict.PROBLEM: "red", Verdict.UNKNOWN: "yellow"}
_SORTS: tuple[tuple[str, Callable[[tuple[object, ...]], object]], ...] = (
    ("lag", lambda row: -(row[5] if isinstance(row[5], int) else -1)),
    ("partition", lambda row: (row[0], row[1], row[2])),
)
_LINE_WIDTH = 40


class Top(App[None]):
    """Looks at the job again and again.

    Args:
        run: of the job.
        settings: as they are now.
        every_seconds: time between looks.
        watch: takes the samples; another one in tests.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #facts { height: auto; padding: 0 1; }
    #lines { height: auto; padding: 0 1; }
    DataTable { height: auto; }
    #filter { display: none; height: 3; }
    #filter.shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q", "quit", "Quit"),
        ("s", "sort", "Sort"),
        ("l", "only_lagging", "Only lagging"),
        ("slash", "filter", "Filter"),
        ("escape", "clear", "Show all"),
    ]

    def __init__(
        self,
        run: RunDirectory,
        settings: Settings,
        *,
        every_seconds: float,
        watch: Watch | None = None,
    ) -> None:
        super().__init__()
        self._every = every_seconds
        self._watch = watch or Watch(run, settings)
        self._run_directory = run
        self._sort = 0
        self._only_lagging = False
        self._wanted = ""
        self._sample: TopReport | None = None

    def compose(self) -> ComposeResult:
        """Facts, sparklines, queries, partitions."""
        with VerticalScroll():
            yield Static(id="facts")
            yield DataTable(id="queries", cursor_type="none")
            yield Static(id="lines")
            yield DataTable(id="partitions", cursor_type="row")
        yield Input(placeholder="part of a query's or topic's name", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one("#queries", DataTable).add_columns(*QUERY_COLUMNS)
        self.query_one("#partitions", DataTable).add_columns(*PARTITION_COLUMNS)
        self.query_one("#partitions").focus()
        self._watch.start()
        self._ask()
        self.set_interval(self._every, self._ask)

    def on_unmount(self) -> None:
        """End the looks."""
        self._watch.end()

    def _ask(self) -> None:
        self.run_worker(self._look, thread=True, exclusive=True)

    def _look(self) -> None:
        try:
            seen = self._watch.sample()
            sample = top_report(seen, self._watch.eyes.batches, self._run_directory)
        except StreamctlError as error:
            self.call_from_thread(self.exit, message=f"error: {error.message}")
            return
        self.call_from_thread(self._show, sample)

    def _show(self, sample: TopReport) -> None:
        self._sample = sample
        self.query_one("#facts", Static).update(self._facts(sample))
        self.query_one("#lines", Static).update(self._lines(sample))
        queries = self.query_one("#queries", DataTable)
        queries.clear()
        for query in sample.queries:
            queries.add_row(*(_cell(value) for value in query_row(query)))
        self._show_partitions(sample)

    def _show_partitions(self, sample: TopReport) -> None:
        rows = [row for row in partition_rows(sample) if self._admits(row)]
        rows.sort(key=_SORTS[self._sort][1])  # type: ignore[arg-type]
        table = self.query_one("#partitions", DataTable)
        at = table.cursor_row
        table.clear()
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        table.move_cursor(row=min(at, len(rows) - 1) if rows else 0)

    def _admits(self, row: tuple[object, ...]) -> bool:
        if self._only_lagging and row[5] == 0:
            return False
        return self._wanted in f"{row[0]} {row[1]}"

    def _facts(self, sample: TopReport) -> str:
        colours = {"verdict": _COLOURS[sample.status.verdict], "kafka": "red"}
        if sample.alerts:
            colours["alerts"] = "red"
        lines = []
        for name, value in facts(sample):
            text = _escaped(str(as_json(value)))
            told = f"[{colours[name]}]{text}[/]" if name in colours else text
            lines.append(f"[b]{name:<11}[/b] {told}")
        return "\n".join(lines)

    def _lines(self, sample: TopReport) -> str:
        return "\n".join(
            f"{name!s:<14} {what:<7} {bars!s:<{_LINE_WIDTH}} to {_cell(most)}"
            for name, what, bars, most in course_rows(sample)
        )

    def action_sort(self) -> None:
        """The next order of the partitions."""
        self._sort = (self._sort + 1) % len(_SORTS)
        self._again()

    def action_only_lagging(self) -> None:
        """Hide, or show, what is read to its end."""
        self._only_lagging = not self._only_lagging
        self._again()

    def action_filter(self) -> None:
        """Ask for a part of a name."""
        box = self.query_one("#filter", Input)
        box.add_class("shown")
        box.focus()

    def action_clear(self) -> None:
        """Show all again."""
        self._wanted, self._only_lagging = "", False
        box = self.query_one("#filter", Input)
        box.value = ""
        box.remove_class("shown")
        self.query_one("#partitions").focus()
        self._again()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self._wanted = event.value
        self._again()

    def on_input_submitted(self) -> None:
        """Back to the table."""
        self.query_one("#partitions").focus()

    def _again(self) -> None:
        if self._sample:
            self._show_partitions(self._sample)


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
