"""`streamctl checkpoint undo`, `apply` and `journal`: what was planned, done, and reversed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.change import (
    EVERY_GUARD,
    How,
    PathArgument,
    PathOption,
    WhyOption,
    area_at,
    change,
    change_command,
)
from streamctl.cli.change_views import journal_view
from streamctl.cli.command import Here, command
from streamctl.errors import StreamctlError

if TYPE_CHECKING:
    from streamctl.checkpoint.change.plan import Plan


def undo_command(
    here: Here,
    how: How,
    entry: Annotated[
        str, typer.Argument(metavar="[ENTRY]", help="Of the journal; default: the last.")
    ] = "",
    *,
    path: PathOption = "",
    reason: WhyOption = "",
) -> Any:
    """Reverse the last change, or one of the journal."""
    from streamctl.checkpoint.change.undo import plan_undo

    area = area_at(here, path)

    def make() -> "Plan":
        return plan_undo(area, entry, why=reason, now=datetime.now(UTC))

    return change(here, area, make, how)


def apply_command(
    here: Here,
    how: How,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="That `--plan` wrote.")],
) -> Any:
    """Apply a plan that was written before, if nothing has moved since."""
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.change.plan import parse_plan

    plan = parse_plan(_text(file), name=str(file))
    return change(here, area_of(plan.location), lambda: plan, how)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StreamctlError(f'cannot read "{file}": {error}') from error


def journal_command(
    here: Here,
    path: PathArgument = "",
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many.", min=1)] = 20,
) -> Any:
    """List what was done to the checkpoint: when, who, what, why."""
    from streamctl.checkpoint.change.history import read_changes

    area = area_at(here, path)
    return read_changes(area, newest=lines)


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    change_command(app, "undo", undo_command)
    change_command(app, "apply", apply_command, accepts=EVERY_GUARD, plans=False)
    command(app, "journal", view=journal_view)(journal_command)
