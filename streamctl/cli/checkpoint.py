"""`streamctl checkpoint`: read any Spark checkpoint without Spark, and change it (`change*.py`)."""

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli import (
    backup,
    change_generations,
    change_journal,
    change_rewind,
    preflight,
    restore,
)
from streamctl.cli.checkpoint_views import (
    diff_view,
    history_view,
    inspect_view,
    seal_view,
    verify_view,
)
from streamctl.cli.command import Here, command
from streamctl.errors import SettingsInvalid

if TYPE_CHECKING:
    from streamctl.checkpoint.tree.reader import Checkpoint
    from streamctl.checkpoint.verify.seal import Remade

app = typer.Typer(
    name="checkpoint",
    help="Read and change any Spark checkpoint, without Spark.",
    no_args_is_help=True,
)

_Path = Annotated[
    str,
    typer.Argument(metavar="[PATH]", help="Path or URL; default: this job's.", show_default=False),
]
_Query = Annotated[str, typer.Option("--query", help="Which query of the job.", show_default=False)]


_BACKUP = "backup:"


class LevelChoice(StrEnum):
    """How much `verify` reads."""

    FAST = "fast"
    DEEP = "deep"


def _open(here: Here, path: str, query: str) -> "Checkpoint":
    from streamctl.checkpoint.location.find import find

    return find(_location(here, path), query=query)


def _location(here: Here, path: str) -> str:
    return path or here.settings().checkpoint.location


@command(app, "inspect", view=inspect_view)
def inspect_command(
    here: Here,
    path: _Path = "",
    *,
    query: _Query = "",
    batch: Annotated[
        int | None, typer.Option("--batch", help="Show this batch.", min=0, show_default=False)
    ] = None,
    offsets: Annotated[bool, typer.Option("--offsets", help="Show only offsets.")] = False,
    state: Annotated[
        bool, typer.Option("--state", help="Show only state, and count keys per partition.")
    ] = False,
    files: Annotated[bool, typer.Option("--files", help="Show only files.")] = False,
    state_rows: Annotated[
        bool, typer.Option("--state-rows", help="Let Spark read keys and values.")
    ] = False,
    operator: Annotated[int, typer.Option("--operator", help="Whose rows.", min=0)] = 0,
    store: Annotated[
        str, typer.Option("--store", help="Rows of this store or variable.", show_default=False)
    ] = "",
    limit: Annotated[int, typer.Option("--limit", help="Rows at most.", min=1)] = 20,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds that Spark may take.", min=1)
    ] = 120,
) -> Any:
    """Show position, sources, watermark, settings, operators, state, the way back."""
    from streamctl.checkpoint.report.inspect import inspect
    from streamctl.checkpoint.report.model import Section

    checkpoint = _open(here, path, query)
    asked = {Section.OFFSETS: offsets, Section.STATE: state, Section.FILES: files}
    sections = [section for section, wanted in asked.items() if wanted]
    report = inspect(checkpoint, batch_id=batch, sections=sections, now=datetime.now(UTC))
    report = replace(report, run_id=_run_id(here, report.query_id))
    if not state_rows:
        return report
    from streamctl.lifecycle.state_rows import read_state_rows

    rows = read_state_rows(
        checkpoint,
        operator_id=operator,
        store=store,
        batch_id=batch,
        limit=limit,
        timeout_seconds=timeout,
    )
    return replace(report, state_rows=rows)


def _run_id(here: Here, query_id: str | None) -> str | None:
    """Of the project's own job: Spark writes none into a checkpoint."""
    from streamctl.rundir.runs import spark_run_of

    try:
        run_directory = here.layers().run_directory
    except SettingsInvalid:
        return None  # a checkpoint is read without settings
    return spark_run_of(run_directory / "progress.jsonl", query_id) if query_id else None


@command(app, "history", view=history_view)
def history_command(
    here: Here,
    path: _Path = "",
    *,
    query: _Query = "",
    batches: Annotated[int, typer.Option("--batches", "-n", help="How many.", min=1)] = 20,
) -> Any:
    """Show the last batches: when, how far, how long."""
    from streamctl.checkpoint.report.history import history

    return history(_open(here, path, query), batches=batches)


@command(app, "verify", view=verify_view)
def verify_command(
    here: Here,
    path: _Path = "",
    *,
    query: Annotated[
        str, typer.Option("--query", help="Of the job; default: all.", show_default=False)
    ] = "",
    level: Annotated[
        LevelChoice, typer.Option("--level", help="Read what a start needs, or all.")
    ] = LevelChoice.FAST,
    sink: Annotated[
        str, typer.Option("--sink", help="A file sink; default: the job's.", show_default=False)
    ] = "",
    kafka: Annotated[bool, typer.Option("--kafka", help="Compare with the broker.")] = False,
    sealed: Annotated[
        str, typer.Option("--seal", help="Compare with this seal.", show_default=False)
    ] = "",
) -> Any:
    """Find what stops Spark from starting, or makes it wrong."""
    from streamctl.checkpoint.verify.verify import Level
    from streamctl.lifecycle.verifying import Project, Wanted, verify_all
    from streamctl.rundir.directory import RunDirectory

    wanted = Wanted(
        path=path,
        query=query,
        level=Level(level.value),
        sink=sink,
        seal=_place(sealed) if sealed else None,
        kafka=kafka,
        context=here.context,
    )
    project = Project(
        settings=here.settings,
        run=lambda: RunDirectory(here.layers().run_directory),
        warn=here.warn,
    )
    return verify_all(wanted, project)


def _remade(checkpoint: "Checkpoint") -> "list[Remade]":
    """What changes of ours let Spark write anew."""
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.change.history import remade

    return remade(area_of(checkpoint.location), checkpoint.location)


@command(app, "seal", view=seal_view)
def seal_command(
    here: Here,
    path: _Path = "",
    *,
    query: _Query = "",
    to: Annotated[
        str, typer.Option("--to", help="The seal's file, outside the checkpoint.")
    ] = "checkpoint-seal.json",
) -> Any:
    """Keep digests of the final files, to find later bit rot."""
    from streamctl.checkpoint.verify.seal import seal

    directory, name = _place(to)
    checkpoint = _open(here, path, query)
    return seal(checkpoint, directory=directory, name=name, remade=_remade(checkpoint))


def _place(file: str) -> tuple[str, str]:
    """A file's directory and name."""
    directory, _, name = file.rpartition("/")
    return directory or ("/" if file.startswith("/") else "."), name


@command(app, "diff", view=diff_view)
def diff_command(
    here: Here,
    before: Annotated[
        str, typer.Argument(metavar="A", help="PATH or backup:ID, either with @BATCH; or BATCH.")
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    *,
    query: _Query = "",
    repository: Annotated[
        str, typer.Option("--repository", "-r", help="Where backups are.", show_default=False)
    ] = "",
) -> Any:
    """Show what changed between two batches, checkpoints or backups."""
    from streamctl.checkpoint.report.diff import diff

    (first, first_batch), (second, second_batch) = _side(before), _side(after)
    second = second or first
    old = _open_side(here, first, query, repository, other=second)
    new = _open_side(here, second, query, repository, other=first)
    return diff(old, new, before_batch_id=first_batch, after_batch_id=second_batch)


def _side(text: str) -> tuple[str, int | None]:
    """Take `PATH@BATCH`, `PATH` or `BATCH` apart."""
    path, at, batch = text.rpartition("@")
    if at and batch.isdecimal():
        return path, int(batch)
    return ("", int(text)) if text.isdecimal() else (text, None)


def _open_side(here: Here, path: str, query: str, repository: str, *, other: str) -> "Checkpoint":
    """A checkpoint, or a backup: of the repository named, set, or beside the other side."""
    if not path.startswith(_BACKUP):
        return _open(here, path, query)
    from streamctl.checkpoint.backup.read import as_checkpoint
    from streamctl.checkpoint.backup.restore import query_of
    from streamctl.supervisor.backups import repository_of

    location = "" if other.startswith(_BACKUP) else other
    found = repository_of(here.settings(), repository, location=location)
    manifest = found.manifest(path.removeprefix(_BACKUP))
    return as_checkpoint(found, manifest, query_of(manifest, query))


for module in (preflight, backup, restore, change_rewind, change_generations, change_journal):
    module.register(app)
