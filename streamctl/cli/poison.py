"""`streamctl poison find`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.poison_views import poison_view

if TYPE_CHECKING:
    from streamctl.poison.find import PoisonReport

app = typer.Typer(
    name="poison",
    help="Find the records that a batch fails on, and set them aside.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def group() -> None:
    """Find the records that a batch fails on, and set them aside."""


@command(app, "find", view=poison_view)
def find(
    here: Here,
    *,
    query: Annotated[
        str, typer.Option(help="Of which the batch is; default: that failed.", show_default=False)
    ] = "",
    quarantine: Annotated[
        bool,
        typer.Option("--quarantine", help="Copy them to the dead letter topic, and hide them."),
    ] = False,
    most: Annotated[
        int | None,
        typer.Option(help="Default: poison.max_records.", min=1, show_default=False),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds; default: poison.search_seconds.", min=1, show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> "PoisonReport":
    """Name the records that a batch fails on, by running parts of it, output thrown away."""
    from streamctl.checkpoint.change import apply as changes
    from streamctl.checkpoint.change.area import area_of, held
    from streamctl.cli.confirm import confirm
    from streamctl.kafka.client import Broker
    from streamctl.poison.find import Outcome, Search, failing_batch, find_poison, quarantine_poison
    from streamctl.rundir.directory import RunDirectory
    from streamctl.settings.resolve import resolve

    layers = here.layers()
    settings = resolve(layers)
    area = area_of(settings.checkpoint.location)
    with held(area, "poison") as holding:
        changes.recover(area)
        search = Search(
            area=area,
            settings=settings,
            project=Path(layers.root),
            most=most or settings.poison.max_records,
            seconds=timeout or settings.poison.search_seconds,
            beat=holding.beat,
            on_event=here.on_event,
        )
        batch = failing_batch(search, RunDirectory(layers.run_directory), query=query)
        found = find_poison(search, batch)
        if not quarantine or found.outcome is not Outcome.FOUND:
            return found
        confirm(f"copy {len(found.poison)} records to the dead letters and hide them", yes=yes)
        with Broker.of(settings.kafka) as kafka:
            return quarantine_poison(search, found, kafka, holding, why="poison find")
