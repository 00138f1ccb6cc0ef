"""`streamctl recover`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.recover_views import proposal_lines, recovery_view

if TYPE_CHECKING:
    from streamctl.recover.propose import Proposal
    from streamctl.recover.run import Recovery

app = typer.Typer(add_completion=False)


@command(app, "recover", view=recovery_view)
def recover(
    here: Here,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the remedy and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    watch: Annotated[
        float, typer.Option(help="Seconds that the first batches are watched.", min=0)
    ] = 30.0,
) -> "Recovery":
    """Find out why the job is down, propose a remedy, apply it, start."""
    from streamctl.cli.confirm import confirm
    from streamctl.recover.run import Job
    from streamctl.recover.run import recover as recover_job
    from streamctl.rundir.directory import RunDirectory
    from streamctl.settings.resolve import resolve

    layers = here.layers()

    def agree(proposal: "Proposal") -> None:
        for line in proposal_lines(proposal):
            sys.stderr.write(f"{line}\n")
        confirm(" and then ".join(f"`{text}`" for text in proposal.commands), yes=yes)

    job = Job(run=RunDirectory(layers.run_directory), settings=resolve(layers), project=layers.root)
    return recover_job(
        job, agree=agree, dry_run=dry_run, watch_seconds=watch, on_event=here.on_event
    )
