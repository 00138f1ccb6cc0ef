"""`streamctl checkpoint restore`: a new generation of the job, or an empty place."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.backup_views import drilled, restored
from streamctl.cli.change import How, NoKafka, WhyOption, asked, change, change_command
from streamctl.cli.change_views import change_view
from streamctl.cli.command import Here
from streamctl.cli.render import View
from streamctl.errors import SettingsInvalid

if TYPE_CHECKING:
    from streamctl.checkpoint.backup.format import Manifest, StoredQuery
    from streamctl.checkpoint.backup.repository import Repository
    from streamctl.checkpoint.backup.restore import Restored


def restore_command(
    here: Here,
    how: How,
    backup_id: Annotated[
        str, typer.Argument(metavar="ID", help="Its beginning is enough; or `latest`.")
    ] = "latest",
    *,
    repository: Annotated[
        str, typer.Option("--from", help="Where backups are.", show_default=False)
    ] = "",
    to: Annotated[
        str, typer.Option("--to", help="An empty place; default: a new generation.")
    ] = "",
    query: Annotated[
        str, typer.Option("--query", help="With --to: which one.", show_default=False)
    ] = "",
    sink: Annotated[
        str,
        typer.Option(
            "--sink", help="With --to: a new output for its file sink.", show_default=False
        ),
    ] = "",
    no_file_sink: Annotated[
        bool, typer.Option("--no-file-sink", help="With --to: it will write no files.")
    ] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="Only try it, in a scratch place, with one batch.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds for the drill's driver.", min=1)
    ] = 300,
    no_kafka: NoKafka = False,
    reason: WhyOption = "",
) -> Any:
    """Put a checkpoint back: as a new generation of the job, or at an empty place."""
    from streamctl.checkpoint.backup.restore import query_of
    from streamctl.checkpoint.backup.sink import require_sink
    from streamctl.checkpoint.change.restore import location_area, plan_restore
    from streamctl.lifecycle.restoring import wanted_by
    from streamctl.supervisor.backups import repository_of

    if not to and (query or sink or no_file_sink):
        raise SettingsInvalid(
            "--query, --sink and --no-file-sink are for --to",
            hint="A new generation has all queries of the job, each with an output of its own.",
        )
    if to and (how.dry_run or how.plan_file):
        raise SettingsInvalid("--to has no plan: it writes to an empty place and changes nothing")
    settings = here.settings()
    found = repository_of(settings, repository)
    here_only = "" if repository or to else settings.checkpoint.location
    manifest = found.manifest(backup_id, location=here_only)
    if drill:
        return _drill(here, found, manifest.id, timeout)
    if to:
        chosen = query_of(manifest, query)
        require_sink(chosen, sink=sink, accepted=no_file_sink)
        return _elsewhere(here, found, chosen, manifest, to=to, sink=sink)
    area = location_area(settings.checkpoint.location)
    wanted = wanted_by(settings, found, manifest)
    with asked(here, no_kafka=no_kafka) as kafka:
        return change(
            here,
            area,
            lambda: plan_restore(area, wanted, kafka=kafka, why=reason, now=datetime.now(UTC)),
            how,
        )


def _elsewhere(
    here: Here,
    found: "Repository",
    chosen: "StoredQuery",
    manifest: "Manifest",
    *,
    to: str,
    sink: str,
) -> "Restored":
    """A query's checkpoint at a place of its own, and the beginning of its output."""
    from streamctl.checkpoint.backup.restore import require_empty, restore
    from streamctl.checkpoint.backup.sink import begin_sink
    from streamctl.checkpoint.tree.files import local_path

    require_empty(local_path(to) or to)
    if sink:  # first: without it the checkpoint would not start, and a second try finds both empty
        begin_sink(found, chosen, sink)
    return restore(found, manifest, chosen, to=to, on_event=here.on_event)


def _drill(here: Here, found: "Repository", backup_id: str, timeout: float) -> Any:
    from streamctl.lifecycle.drill import drill

    return drill(
        found,
        found.manifest(backup_id),
        here.settings(),
        project=here.layers().root,
        patience_seconds=timeout,
        on_event=here.on_event,
    )


def restore_view(report: Any) -> View:
    """A drill's verdict, a checkpoint at its place, or a plan and what became of it."""
    from streamctl.checkpoint.backup.restore import Restored
    from streamctl.lifecycle.drill import Drill

    if isinstance(report, Drill):
        return drilled(report)
    return restored(report) if isinstance(report, Restored) else change_view(report)


def register(checkpoint: typer.Typer) -> None:
    """Add the command to the group."""
    change_command(
        checkpoint, "restore", restore_command, view=restore_view,
        accepts=("accept-loss", "accept-new-topic", "accept-little-space"),
    )  # fmt: skip
