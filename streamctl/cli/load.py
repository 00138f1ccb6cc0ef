"""`streamctl load run | report`: the highest rate that the job sustains."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli import load_views as views
from streamctl.cli.command import Here, command
from streamctl.cli.confirm import confirm
from streamctl.cli.moments import parse_range, parse_seconds
from streamctl.cli.termination import terminated_is_interrupted
from streamctl.errors import Interrupted
from streamctl.reports import Verdict

if TYPE_CHECKING:
    from streamctl.chaos.feed import Flow
    from streamctl.chaos.load.model import LoadReport, Plan

app = typer.Typer(
    name="load",
    help="Find out what rate a job carries.",
    add_completion=False,
    no_args_is_help=True,
)
_SEARCH, _SENT, _BACK = "How it searches", "What is sent", "How the job comes back"


@command(app, "run", view=views.found)
def run(
    here: Here,
    *,
    rate: Annotated[
        float,
        typer.Option(
            "--rate", help="The first, in records a second.", min=1, rich_help_panel=_SEARCH
        ),
    ] = 1000,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Of a step.", min=5, rich_help_panel=_SEARCH)
    ] = 30,
    halvings: Annotated[
        int,
        typer.Option(
            "--halvings", help="Of the span of the last two rates.", min=0, rich_help_panel=_SEARCH
        ),
    ] = 2,
    confirmed: Annotated[
        str,
        typer.Option(
            "--confirm",
            metavar="DURATION",
            help="So long at nine tenths of the highest, such as 5m; 0: not.",
            rich_help_panel=_SEARCH,
        ),
    ] = "0",
    partitions: Annotated[
        int, typer.Option("--partitions", help="Of the topic.", min=1, rich_help_panel=_SENT)
    ] = 2,
    devices: Annotated[
        int, typer.Option("--devices", help="Each is a key.", min=1, rich_help_panel=_SENT)
    ] = 100,
    record_bytes: Annotated[
        int,
        typer.Option(
            "--record-bytes",
            help="Fill each up to about so many; 0: about 240, as it is.",
            min=0,
            max=900_000,
            rich_help_panel=_SENT,
        ),
    ] = 0,
    flaws: Annotated[
        float, typer.Option("--flaws", help="Share of invalid records.", rich_help_panel=_SENT)
    ] = 0.01,
    late: Annotated[
        float, typer.Option("--late", help="Share of late records.", rich_help_panel=_SENT)
    ] = 0.01,
    late_by: Annotated[
        str,
        typer.Option(
            "--late-by",
            metavar="LEAST:MOST",
            help="Seconds of event time, which runs ten times as fast as the clock.",
            rich_help_panel=_SENT,
        ),
    ] = "30:400",
    states: Annotated[
        list[int] | None,
        typer.Option(
            "--state",
            help="Rows of state to come back with; again for more.",
            rich_help_panel=_BACK,
        ),
    ] = None,
    stores: Annotated[
        list[str] | None,
        typer.Option(
            "--store",
            help="Provider for --state: rocksdb, hdfs; again for both.",
            rich_help_panel=_BACK,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> "LoadReport":
    """Try higher and higher rates on a job of its own.

    `--set` changes that job: `stream.window`, `stream.watermark`, `spark.state_store` and so on.

    Interrupted, the same command goes on from the last rate.
    """
    from streamctl.chaos.feed import Flow
    from streamctl.chaos.load.model import Plan
    from streamctl.chaos.load.run import run_load
    from streamctl.settings.sources import parse_assignments

    plan = Plan(
        first=rate,
        seconds=seconds,
        halvings=halvings,
        confirm_seconds=parse_seconds(confirmed, option="--confirm"),
        states=tuple(states or ()),
        stores=tuple(stores or ("rocksdb",)),
        partitions=partitions,
    )
    flow = Flow(
        rate=rate,
        devices=devices,
        flaws={"all": flaws},
        late_share=late,
        late_by_seconds=parse_range(late_by, option="--late-by"),
        record_bytes=record_bytes,
    )
    settings: dict[str, Any] = dict(parse_assignments(here.assignments))
    confirm("load this machine for some minutes", yes=yes)
    try:
        with terminated_is_interrupted():
            return run_load(
                plan,
                base=_base(here),
                flow=flow,
                settings=settings,
                command=command_of(plan, flow, here.assignments),
                on_event=here.on_event,
            )
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; all that was started is gone",
            hint="The same command goes on from the last rate.",
        ) from None


@command(app, "report", view=views.written)
def report(
    here: Here,
    run_id: Annotated[
        str, typer.Argument(help="Of a run; default: the newest.", show_default=False)
    ] = "",
    *,
    to: Annotated[
        Path | None, typer.Option("--to", help="File; default: with the run.", show_default=False)
    ] = None,
) -> views.Written:
    """Write a load run as one HTML file, with curves: it needs no network."""
    from streamctl.chaos.campaign import last_campaign
    from streamctl.chaos.load.model import read_load
    from streamctl.chaos.report.load_page import load_page
    from streamctl.rundir.files import replace_file

    directory = last_campaign(_base(here), run_id)
    file = to or directory / "report.html"
    replace_file(file, load_page(read_load(directory)))
    return views.Written(verdict=Verdict.OK, file=file)


def command_of(plan: "Plan", flow: "Flow", assignments: list[str]) -> str:
    """The command that asks for the same, with every flag: defaults may change."""
    least, most = flow.late_by_seconds
    flags: list[tuple[str, object]] = [
        ("--rate", plan.first),
        ("--seconds", plan.seconds),
        ("--halvings", plan.halvings),
        ("--confirm", f"{plan.confirm_seconds:g}s"),
        ("--partitions", plan.partitions),
        ("--devices", flow.devices),
        ("--record-bytes", flow.record_bytes),
        ("--flaws", flow.flaws["all"]),
        ("--late", flow.late_share),
        ("--late-by", f"{least:g}:{most:g}"),
        *(("--state", rows) for rows in plan.states),
        *(("--store", store) for store in plan.stores),
        *(("--set", assignment) for assignment in assignments),
    ]
    words = [word for name, value in flags for word in (name, _written(value))]
    return shlex.join(["streamctl", "load", "run", *words])


def _written(value: object) -> str:
    """A number as one types it."""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _base(here: Here) -> Path:
    from streamctl.chaos.load.model import FOLDER

    return here.layers().root / ".streamctl" / FOLDER
