"""`streamctl checkpoint undo`, `apply` and `journal`: what was planned, done, and reversed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.change import (
    DryRun,
    Findings,
    How,
    LittleSpace,
    Loss,
    NewTopic,
    NoFileSink,
    PathArgument,
    PlanFile,
    Protected,
    WhyOption,
    Yes,
    change,
)
from streamctl.cli.change_views import change_view, journal_view
from streamctl.cli.command import Here, command
from streamctl.errors import StreamctlError

if TYPE_CHECKING:
    from streamctl.checkpoint.change.plan import Plan


def undo_command(
    here: Here,
    entry: Annotated[
        str, typer.Argument(metavar="[ENTRY]", help="Of the journal; default: the last.")
    ] = "",
    *,
    path: Annotated[
        str, typer.Option("--path", help="Path or URL; default: this job's.", show_default=False)
    ] = "",
    reason: WhyOption = "",
    dry_run: DryRun = False,
    plan: PlanFile = None,
    yes: Yes = False,
    accept_protected: Protected = False,
) -> Any:
    """Reverse the last change, or one of the journal."""
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.change.undo import plan_undo

    area = area_of(path or here.settings().checkpoint.location)

    def make() -> "Plan":
        return plan_undo(area, entry, why=reason, now=datetime.now(UTC))

    accept = {"accept-protected": accept_protected}
    return change(here, area, make, How(dry_run=dry_run, plan_file=plan, yes=yes, accept=accept))


def apply_command(
    here: Here,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="That `--plan` wrote.")],
    *,
    yes: Yes = False,
    accept_findings: Findings = False,
    accept_loss: Loss = False,
    accept_new_topic: NewTopic = False,
    accept_little_space: LittleSpace = False,
    no_file_sink: NoFileSink = False,
    accept_protected: Protected = False,
) -> Any:
    """Apply a plan that was written before, if nothing has moved since."""
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.change.plan import parse_plan

    plan = parse_plan(_text(file), name=str(file))
    accept = {
        "accept-findings": accept_findings,
        "accept-loss": accept_loss,
        "accept-new-topic": accept_new_topic,
        "accept-little-space": accept_little_space,
        "no-file-sink": no_file_sink,
        "accept-protected": accept_protected,
    }
    how = How(dry_run=False, plan_file=None, yes=yes, accept=accept)
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
    from streamctl.checkpoint.change.area import area_of
    from streamctl.checkpoint.change.history import read_changes

    area = area_of(path or here.settings().checkpoint.location)
    return read_changes(area, newest=lines)


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    command(app, "undo", view=change_view)(undo_command)
    command(app, "apply", view=change_view)(apply_command)
    command(app, "journal", view=journal_view)(journal_command)
