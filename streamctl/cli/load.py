"""`streamctl load run | report`: the highest rate that the job sustains."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.confirm import confirm
from streamctl.cli.render import Facts, Line, Table, View
from streamctl.reports import Verdict

if TYPE_CHECKING:
    from streamctl.chaos.load.model import LoadReport

app = typer.Typer(
    name="load",
    help="Find out what rate a job carries.",
    add_completion=False,
    no_args_is_help=True,
)


def _view(report: "LoadReport") -> View:
    rows = [
        (
            f"{step.rate:,.0f}",
            "yes" if step.sustained else "no",
            f"{step.lag_growth:,.0f}",
            _seconds(step.batch_p50_seconds),
            _seconds(step.batch_p95_seconds),
            _seconds(step.latency_p50_seconds),
            _seconds(step.latency_p95_seconds),
            f"{step.processor_share:.0%}",
            f"{step.memory_bytes / 2**20:,.0f}",
            f"{step.checkpoint_bytes / 2**20:,.1f}",
        )
        for step in report.steps
    ]
    columns = ("records/s", "sustained", "lag grows/s", "batch p50", "p95", "latency p50", "p95",
               "cpu", "MiB", "checkpoint MiB")  # fmt: skip
    rate = report.sustained_rate
    facts: list[tuple[str, object]] = [
        ("sustained", "none" if rate is None else f"{rate:,.0f} records/s"),
        ("figures", report.directory),
    ]
    blocks: list[Facts | Table | Line] = [
        Table(columns=columns, rows=rows, right=frozenset(range(len(columns)))),
        Facts(rows=facts),
    ]
    if report.confirmed is not None:
        word = "held" if report.confirmed.sustained else "NOT held"
        growth = report.confirmed.lag_growth
        text = f"{report.confirmed.rate:,.0f} records/s {word}: the lag grew by {growth:,.0f}/s"
        blocks.append(Line(text=text))
    for back in filter(None, (report.recovery, *report.recoveries)):
        text = f"killed with {back.state_rows:,} rows in {back.state_store}: "
        blocks.append(Line(text=f"{text}{back.seconds:.1f} s to the next commit"))
    return blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A report that was written."""

    verdict: Verdict
    file: Path


def _written(report: Written) -> View:
    return [Line(text=str(report.file))]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


@command(app, "run", view=_view)
def run(
    here: Here,
    *,
    rate: Annotated[
        float, typer.Option("--rate", help="The first, in records a second.", min=1)
    ] = 1000,
    seconds: Annotated[float, typer.Option("--seconds", help="Of a step.", min=5)] = 30,
    halvings: Annotated[
        int, typer.Option("--halvings", help="Of the span of the last two rates.", min=0)
    ] = 2,
    confirm_seconds: Annotated[
        float, typer.Option("--confirm", help="Seconds at nine tenths of the highest; 0: none.")
    ] = 0,
    devices: Annotated[int, typer.Option("--devices", help="Each is a key.", min=1)] = 100,
    flaws: Annotated[float, typer.Option("--flaws", help="Share of invalid records.")] = 0.01,
    late: Annotated[float, typer.Option("--late", help="Share of late records.")] = 0.01,
    states: Annotated[
        list[int] | None,
        typer.Option("--state", help="Rows of state to come back with; again for more."),
    ] = None,
    stores: Annotated[
        list[str] | None,
        typer.Option("--store", help="Provider for --state: rocksdb, hdfs; again for both."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> "LoadReport":
    """Try higher and higher rates on a job of its own; `--set` changes that job.

    Interrupted, the same command goes on from the last rate.
    """
    from streamctl.chaos.feed import Flow
    from streamctl.chaos.load.model import Plan
    from streamctl.chaos.load.run import run_load
    from streamctl.settings.sources import parse_assignments

    confirm("load this machine for some minutes", yes=yes)
    settings: dict[str, Any] = dict(parse_assignments(here.assignments))
    return run_load(
        Plan(
            first=rate,
            seconds=seconds,
            halvings=halvings,
            confirm_seconds=confirm_seconds,
            states=tuple(states or ()),
            stores=tuple(stores or ("rocksdb",)),
        ),
        base=_base(here),
        flow=Flow(rate=rate, devices=devices, flaws={"all": flaws}, late_share=late),
        settings=settings,
        on_event=here.on_event,
    )


@command(app, "report", view=_written)
def report(
    here: Here,
    run_id: Annotated[
        str, typer.Argument(help="Of a run; default: the newest.", show_default=False)
    ] = "",
    *,
    to: Annotated[
        Path | None, typer.Option("--to", help="File; default: with the run.", show_default=False)
    ] = None,
) -> Written:
    """Write a load run as one HTML file, with curves: it needs no network."""
    from streamctl.chaos.campaign import last_campaign
    from streamctl.chaos.load.model import read_load
    from streamctl.chaos.report.load_page import load_page
    from streamctl.rundir.files import replace_file

    directory = last_campaign(_base(here), run_id)
    file = to or directory / "report.html"
    replace_file(file, load_page(read_load(directory), command="streamctl load run"))
    return Written(verdict=Verdict.OK, file=file)


def _base(here: Here) -> Path:
    from streamctl.chaos.load.model import FOLDER

    return here.layers().root / ".streamctl" / FOLDER
