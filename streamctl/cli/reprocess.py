"""`streamctl reprocess`, and `reprocess compare | promote | list | stop | discard`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli import reprocess_views as views
from streamctl.cli.change import DryRun, Protected, WhyOption
from streamctl.cli.change_views import change_view
from streamctl.cli.command import Here, command
from streamctl.cli.moments import parse_moment
from streamctl.errors import SettingsInvalid

if TYPE_CHECKING:
    from streamctl.checkpoint.change.apply import ChangeReport
    from streamctl.checkpoint.change.plan import Plan as ChangePlan
    from streamctl.lifecycle.stop import StopReport
    from streamctl.reprocess.compare import Comparison
    from streamctl.reprocess.listing import Listing
    from streamctl.reprocess.places import Places
    from streamctl.reprocess.plan import Plan
    from streamctl.reprocess.promote import Promotion
    from streamctl.reprocess.receipt import Receipt
    from streamctl.reprocess.request import Point
    from streamctl.settings.model import Settings

_BATCH_RECORDS = 100_000
app = typer.Typer(name="reprocess", add_completion=False)
_Generation = Annotated[
    str, typer.Argument(help="The generation; default: the newest.", show_default=False)
]


@command(app, view=views.reprocess)
def reprocess(
    here: Here,
    *,
    start: Annotated[
        str, typer.Option("--from", help="earliest, a time, 2h ago as `2h`, batch:N, or offsets.")
    ] = "earliest",
    end: Annotated[str, typer.Option("--to", help="now, a time, or offsets.")] = "now",
    output_location: Annotated[
        str, typer.Option(help="Where the new output goes.", show_default=False)
    ] = "",
    max_rate: Annotated[
        int | None, typer.Option(help="Records a second at most.", min=1, show_default=False)
    ] = None,
    parallel: Annotated[
        int | None, typer.Option(help="Processors at most.", min=1, show_default=False)
    ] = None,
    memory: Annotated[
        str | None, typer.Option(help="Heap, such as 2g; default: the job's.", show_default=False)
    ] = None,
    nice: Annotated[int, typer.Option(help="Priority; 19 yields most.", min=0, max=19)] = 10,
    batch_records: Annotated[
        int, typer.Option(help="Records in one micro-batch.", min=1)
    ] = _BATCH_RECORDS,
    send: Annotated[
        bool, typer.Option("--send", help="Send dead letters to their topic once more.")
    ] = False,
    allow_gone: Annotated[
        bool, typer.Option("--allow-gone", help="Take what Kafka has left of the range.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Begin anew what was begun or done before.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and end.")] = False,
) -> "Plan | Receipt":
    """Run the job over a range again, beside the live job.

    In a generation of its own, with its own output; the live job is not touched.
    """
    from streamctl.kafka.client import Broker
    from streamctl.reprocess import prepare, run
    from streamctl.reprocess.request import Request
    from streamctl.settings.resolve import resolve

    layers = here.layers()
    settings = resolve(layers)
    places = _places(here)
    request = Request(
        job=settings.job.entry,
        topics=",".join(settings.kafka.topics),
        start=start,
        end=end,
        output_location=str(Path(output_location).absolute()) if output_location else "",
        send=send,
    )
    with Broker.of(settings.kafka) as kafka:
        plan = prepare.plan_reprocess(
            places,
            settings,
            kafka,
            request,
            start=_point(start, option="--from", word="earliest", places=places),
            end=_point(end, option="--to", word="now", places=places),
            again=again,
            allow_gone=allow_gone,
            batch_records=batch_records,
            max_rate=max_rate,
        )
        if dry_run:
            return plan
        if plan.resumes and (kept := places.receipt(plan.generation)):
            here.warn("This was done before; --again begins it anew.")
            return run.report_again(kept)
        for line in views.plan_lines(plan):
            here.on_event(line)
        if not plan.resumes:
            run.make(places, plan, kafka)
    limits = run.Limits(cores=parallel, memory=memory, nice=nice)
    return run.run(
        places,
        plan,
        run.settings_for(settings, plan, limits),
        project=layers.root,
        on_event=here.on_event,
    )


@command(app, "compare", view=views.compare)
def compare(
    here: Here,
    generation: _Generation = "",
    *,
    samples: Annotated[int, typer.Option(help="Rows shown of each kind.", min=0)] = 3,
) -> "Comparison":
    """Set the new output against the live one. Exit code 3 when they differ."""
    from streamctl.reprocess.compare import compare as compare_outputs

    layers, settings = here.layers(), here.settings()
    return compare_outputs(
        _places(here), settings, generation=generation, samples=samples, project=layers.root
    )


@command(app, "promote", view=views.promote)
def promote(
    here: Here,
    generation: _Generation = "",
    *,
    back: Annotated[bool, typer.Option("--back", help="Undo the last promotion.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> "Promotion":
    """Let the live job go on from the new generation: stop, switch, start."""
    from streamctl.cli.confirm import confirm
    from streamctl.reprocess.promote import promote as promote_generation

    confirm("switch the live job to another generation", yes=yes)
    layers = here.layers()
    return promote_generation(
        _places(here),
        here.settings(),
        generation=generation,
        back=back,
        project=layers.root,
        on_event=here.on_event,
    )


@command(app, "list", view=views.listing)
def list_(here: Here) -> "Listing":
    """List what was reprocessed, and how far each one is."""
    from streamctl.reprocess.listing import listing

    return listing(_places(here))


@command(app, "stop", view=views.stopped)
def stop(here: Here, generation: _Generation = "") -> "StopReport":
    """Stop a reprocessing after its batch; the same command goes on from there."""
    from streamctl.lifecycle.stop import stop as stop_run

    places, settings = _places(here), here.settings()
    run = places.run(places.one(generation).name)
    return stop_run(run, deadline_seconds=settings.stop.deadline_seconds, on_event=here.on_event)


@command(app, "discard", view=change_view)
def discard(
    here: Here,
    generation: Annotated[str, typer.Argument(help="Which; `reprocess list` names them.")],
    *,
    reason: WhyOption = "",
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    accept_protected: Protected = False,
) -> "ChangePlan | ChangeReport":
    """Take a reprocessing away, to the trash; the live job may run."""
    from streamctl.checkpoint.change.guards import ACCEPT_PROTECTED
    from streamctl.cli.confirm import confirm
    from streamctl.reprocess import discard as discarding

    places, settings = _places(here), here.settings()
    if dry_run:
        return discarding.plan_discard(
            places,
            settings,
            generation=generation,
            why=reason,
            now=datetime.now(UTC),
            context=here.context,
        )
    confirm(f"move generation {generation}, with its output, to the trash", yes=yes)
    return discarding.discard(
        places,
        settings,
        generation=generation,
        why=reason,
        context=here.context,
        accept=[ACCEPT_PROTECTED] if accept_protected else [],
    )


def _places(here: Here) -> "Places":
    from streamctl.checkpoint.location.store import Store
    from streamctl.reprocess.places import Places
    from streamctl.rundir.directory import RunDirectory

    settings: Settings = here.settings()
    live = RunDirectory(here.layers().run_directory)
    return Places(live=live, store=Store.open(settings.checkpoint.location))


def _point(text: str, *, option: str, word: str, places: "Places") -> "Point":
    """What was typed, as a place in the topics."""
    from streamctl.reprocess.prepare import batch_start
    from streamctl.reprocess.request import Point, parse_offsets

    if text == word:
        return Point(word=word)
    if text.startswith("{"):
        return Point(offsets=parse_offsets(text))
    kind, _, number = text.partition(":")
    if kind == "batch":
        if not number.isdigit():
            raise SettingsInvalid(f'{option} "{text}" names no batch', hint="Give batch:120.")
        return Point(offsets=batch_start(places, int(number)))
    return Point(moment=parse_moment(text, option=option))
