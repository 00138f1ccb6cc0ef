"""`streamctl migrate`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.render import Facts, Table, View
from streamctl.rundir.directory import RunDirectory

if TYPE_CHECKING:
    from streamctl.lifecycle.preflight import PreflightReport
    from streamctl.migrate.plan import Choice
    from streamctl.migrate.run import Migration
    from streamctl.settings.model import Settings

app = typer.Typer(add_completion=False)


def _items(report: "PreflightReport") -> Table:
    return Table(
        columns=("query", "what", "accepted", "detail"),
        rows=[
            (query.query, item.name, item.acceptance, item.detail)
            for query in report.queries
            for item in query.items
        ],
    )


def _view(report: "Migration") -> View:
    facts: list[tuple[str, object]] = [
        ("outcome", report.outcome.value.replace("_", " ")),
        ("way", f"{report.choice.way}: {report.choice.why}"),
    ]
    if report.failure:
        facts.append(("new version", f"failed: {report.failure}"))
    if report.after:
        facts.append(("generation", f"{report.after}, before {report.before}"))
    if report.backup:
        facts.append(("backup", report.backup))
    if report.undo:
        facts.append(("way back", report.undo))
    return [Facts(rows=facts), _items(report.preflight)]


@command(app, "migrate", view=_view)
def migrate(
    here: Here,
    *,
    job: Annotated[
        str | None, typer.Option("--job", metavar="ENTRY", help="The new code, module:attribute.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the state, where that is possible.")
    ] = False,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Begin with empty state, at the same offsets.")
    ] = False,
    drain: Annotated[
        bool, typer.Option("--drain", help="Before a rotation close all windows, by a final run.")
    ] = False,
    watch: Annotated[
        float, typer.Option(help="Seconds that the first batches are watched.", min=0)
    ] = 60.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the way and end.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> "Migration":
    """Change the job's code or settings, with a backup and a way back.

    Compares checkpoint and new code, stops, backs up, keeps or rotates the checkpoint, starts,
    and watches; a new version that fails is given up, and the old one runs again.
    """
    from streamctl.cli.confirm import confirm
    from streamctl.errors import SettingsInvalid
    from streamctl.migrate.plan import Way
    from streamctl.migrate.run import Job
    from streamctl.migrate.run import migrate as migrate_job
    from streamctl.settings.resolve import resolve

    if keep and rotate:
        raise SettingsInvalid("give one of --keep and --rotate")
    layers = here.layers(job__entry=job)
    run, new = RunDirectory(layers.run_directory), resolve(layers)

    def agree(choice: "Choice", report: "PreflightReport") -> None:
        sys.stderr.write(f"{choice.way}: {choice.why}\n")
        confirm(f"take the job to {report.job}, and {choice.way} its checkpoint", yes=yes)

    return migrate_job(
        Job(run=run, old=_old(run, new), new=new, project=layers.root),
        wanted=Way.KEEP if keep else Way.ROTATE if rotate else None,
        drain_first=drain,
        agree=agree,
        dry_run=dry_run,
        watch_seconds=watch,
        on_event=here.on_event,
    )


def _old(run: RunDirectory, new: "Settings") -> "Settings":
    """The settings of the last start; those of now for a job that was never started here."""
    from streamctl.settings.model import Settings

    try:
        return Settings.model_validate_json(run.settings_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return new
