"""`streamctl backup`, and `streamctl checkpoint backup`, which is `backup take`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli import backup_views as views
from streamctl.cli.command import Here, command
from streamctl.cli.confirm import confirm
from streamctl.cli.moments import parse_seconds
from streamctl.priority import giving_way

if TYPE_CHECKING:
    from streamctl.checkpoint.backup.check import CheckReport
    from streamctl.checkpoint.backup.prune import PruneReport
    from streamctl.checkpoint.backup.repository import Repository
    from streamctl.checkpoint.backup.schedule import Round
    from streamctl.checkpoint.backup.take import Taken
    from streamctl.cli.backup_views import Changed, Listing, Shown
    from streamctl.lifecycle.drill import Drill
    from streamctl.settings.model import Settings

app = typer.Typer(
    name="backup", help="Back up checkpoints, while the job runs too.", no_args_is_help=True
)
_Path = Annotated[
    str,
    typer.Argument(metavar="[PATH]", help="Path or URL; default: this job's.", show_default=False),
]
_Repository = Annotated[
    str, typer.Option("--repository", "-r", help="Where backups are.", show_default=False)
]
_To = Annotated[str, typer.Option("--to", help="Where backups go.", show_default=False)]
_Query = Annotated[str, typer.Option("--query", help="Of this query only.", show_default=False)]
_Id = Annotated[str, typer.Argument(metavar="ID", help="Its beginning is enough; or `latest`.")]
_Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Default: all.")]
_Count = Annotated[int, typer.Option(min=0, help="How many stay.", show_default=False)]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would go, and end.")]
_Timeout = Annotated[
    float, typer.Option("--timeout", help="Seconds for the drill's driver.", min=1)
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def take(
    here: Here,
    path: _Path = "",
    *,
    to: _To = "",
    query: _Query = "",
    sink: Annotated[
        str, typer.Option("--sink", help="Output of the file sink.", show_default=False)
    ] = "",
    batch: Annotated[
        int | None, typer.Option("--batch", help="An older batch.", min=0, show_default=False)
    ] = None,
    read_all: Annotated[
        bool, typer.Option("--read-all", help="Read files that an earlier backup has, too.")
    ] = False,
) -> "Taken":
    """Back up the checkpoint as of its newest committed batch; the job may run."""
    with giving_way():
        from streamctl.checkpoint.backup.take import take as take_backup
        from streamctl.supervisor.backups import sources_of

        settings = here.settings()
        location = path or settings.checkpoint.location
        sources, about = sources_of(settings, location, query=query, sink=sink, warn=here.warn)
        return take_backup(
            sources,
            _repository(settings, to, location=location, create=True),
            about,
            now=datetime.now(UTC),
            batch_id=batch,
            read_all=read_all,
            on_event=here.on_event,
        )


command(app, "take", view=views.taken)(take)


@command(app, "list", view=views.listing)
def list_(here: Here, *, repository: _Repository = "") -> "Listing":
    """List backups, newest last."""
    found = _repository(here.settings(), repository)
    return views.Listing(repository=found.store.url, backups=list(_listed(found)))


def _listed(repository: "Repository") -> "Iterator[views.Listed]":
    for name, manifest in repository.manifests():
        mark = repository.mark(name)
        yield views.Listed(
            id=name,
            created_at=manifest.created_at if manifest else "",
            location=manifest.location if manifest else "",
            batches={query.name: query.batch_id for query in manifest.queries} if manifest else {},
            size_bytes=manifest.size_bytes if manifest else None,
            verified_at=mark.verified_at,
            keep=mark.keep,
            readable=manifest is not None,
        )


@command(app, "show", view=views.shown)
def show(here: Here, backup_id: _Id = "latest", *, repository: _Repository = "") -> "Shown":
    """Show what a backup holds, and where a restored job would go on."""
    found = _repository(here.settings(), repository)
    return views.Shown(manifest=found.manifest(backup_id), mark=found.mark(found.find(backup_id)))


@command(app, "verify", view=views.checked)
def verify(
    here: Here,
    ids: _Ids = None,
    *,
    repository: _Repository = "",
    read_data: Annotated[bool, typer.Option("--read-data", help="Read every byte back.")] = False,
) -> "CheckReport":
    """Say whether backups are whole. Exit code 3 when one is not."""
    from streamctl.checkpoint.backup.check import check

    return check(
        _repository(here.settings(), repository),
        ids=ids or [],
        read_data=read_data,
        now=datetime.now(UTC),
        on_event=here.on_event,
    )


@command(app, "prune", view=views.pruned)
def prune(
    here: Here,
    *,
    repository: _Repository = "",
    keep_last: _Count = 0,
    keep_hourly: _Count = 0,
    keep_daily: _Count = 0,
    keep_weekly: _Count = 0,
    keep_within: Annotated[
        str, typer.Option(help="Those younger stay: 12h, 7d.", show_default=False)
    ] = "",
    dry_run: _DryRun = False,
    yes: _Yes = False,
) -> "PruneReport":
    """Forget backups by policy and free their content; without a rule only free."""
    from streamctl.checkpoint.backup.policy import Policy
    from streamctl.checkpoint.backup.prune import prune as prune_backups

    settings = here.settings()
    policy = Policy(
        last=keep_last,
        hourly=keep_hourly,
        daily=keep_daily,
        weekly=keep_weekly,
        within=(
            timedelta(seconds=parse_seconds(keep_within, option="--keep-within"))
            if keep_within
            else None
        ),
        at_least=settings.backup.at_least,
    )
    if not dry_run:
        confirm("free what no remaining backup needs", yes=yes)
    return prune_backups(
        _repository(settings, repository),
        policy,
        now=datetime.now(UTC),
        dry_run=dry_run,
        on_event=here.on_event,
    )


@command(app, "watch", view=views.round_made)
def watch(
    here: Here,
    *,
    every: Annotated[str, typer.Option("--every", help="15m, 6h, 1d.")],
    rounds: Annotated[
        int | None, typer.Option("--rounds", help="End after so many.", min=1, show_default=False)
    ] = None,
) -> "Iterator[Round]":
    """Take, verify and prune on a schedule, by the settings, until interrupted."""
    import itertools
    import time

    from streamctl.supervisor.backups import back_up

    settings, seconds = here.settings(), parse_seconds(every, option="--every")
    for number in itertools.count(1):
        with giving_way():
            made = back_up(settings, on_event=here.on_event)
        yield made
        if number == rounds:
            return
        time.sleep(seconds)


@command(app, "drill", view=views.drilled)
def drill(
    here: Here,
    backup_id: _Id = "latest",
    *,
    repository: _Repository = "",
    timeout: _Timeout = 300,
) -> "Drill":
    """Start the job from a backup in a scratch place, for one batch, and say how it went."""
    return _drill(here, backup_id, repository, timeout)


def _drill(here: Here, backup_id: str, repository: str, timeout: float) -> "Drill":
    from streamctl.lifecycle.drill import drill as run_drill

    settings = here.settings()
    found = _repository(settings, repository)
    return run_drill(
        found,
        found.manifest(backup_id),
        settings,
        project=here.layers().root,
        patience_seconds=timeout,
        on_event=here.on_event,
    )


@command(app, "forget", view=views.changed)
def forget(
    here: Here, backup_id: _Id, *, repository: _Repository = "", yes: _Yes = False
) -> "Changed":
    """Forget one backup; `prune` frees its content."""
    from streamctl.checkpoint.backup.prune import forget as forget_backup

    settings = here.settings()
    found = _repository(settings, repository)
    name = found.find(backup_id)
    confirm(f"forget backup {name}", yes=yes)
    forget_backup(found, name, at_least=settings.backup.at_least, now=datetime.now(UTC))
    return views.Changed(id=name, what="forgotten")


@command(app, "keep", view=views.changed)
def keep(
    here: Here,
    backup_id: _Id,
    *,
    repository: _Repository = "",
    release: Annotated[bool, typer.Option("--release", help="No longer.")] = False,
) -> "Changed":
    """Mark a backup so that no policy forgets it."""
    found = _repository(here.settings(), repository)
    name = found.find(backup_id)
    found.put_mark(name, keep=not release)
    return views.Changed(id=name, what="no longer kept" if release else "kept whatever the policy")


@command(app, "unlock", view=views.changed)
def unlock(
    here: Here,
    *,
    repository: _Repository = "",
    every: Annotated[
        bool, typer.Option("--all", help="Also those of other hosts, and of the living.")
    ] = False,
    yes: _Yes = False,
) -> "Changed":
    """Remove the locks of workers that are dead."""
    from streamctl.checkpoint.backup.locks import unlock as remove_locks

    if every:
        confirm("remove locks of workers that may live", yes=yes)
    gone = remove_locks(_repository(here.settings(), repository).store, every=every)
    named = "; ".join(lock.describe() for lock in gone)
    return views.Changed(id=named, what="removed" if gone else "no dead worker's lock was there")


def _repository(
    settings: "Settings", given: str, *, location: str = "", create: bool = False
) -> "Repository":
    from streamctl.supervisor.backups import repository_of

    return repository_of(settings, given, location=location, create=create)


def register(checkpoint: typer.Typer) -> None:
    """Add `backup` to the group of checkpoint commands."""
    command(checkpoint, "backup", view=views.taken)(take)
