"""`streamctl chaos run --target NAME`: experiments on the project's own job."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from streamctl.cli.chaos_views import radius_lines
from streamctl.cli.command import Here
from streamctl.cli.confirm import confirm_name

if TYPE_CHECKING:
    from streamctl.chaos.campaign import Campaign
    from streamctl.chaos.experiment import Experiment
    from streamctl.chaos.target import BlastRadius


def run_on_job(
    here: Here,
    experiments: "list[Experiment]",
    *,
    name: str,
    base: Path,
    yes: bool,
    dry_run: bool,
) -> "Campaign | BlastRadius":
    """Show what can be harmed, ask, and do the experiments one after the other.

    Raises:
        Refused: the context is protected, another name was typed, or a step is not for real jobs.
    """
    from streamctl.chaos.campaign import conclude, not_run_for
    from streamctl.chaos.target import Target, blast_radius, running_job
    from streamctl.chaos.target_trial import run_on_target
    from streamctl.errors import StreamctlError
    from streamctl.rundir.directory import RunDirectory

    layers, settings = here.layers(), here.settings()
    run = RunDirectory(layers.run_directory)
    status = running_job(run, name=name, settings=settings, context=here.context)
    radius = blast_radius(experiments, settings, status)
    if dry_run:
        return radius
    sys.stderr.write("\n".join(radius_lines(radius)) + "\n")
    confirm_name("do this to a job that is not the experiments' own", name, yes=yes)
    began = datetime.now(UTC)
    directory = base / began.strftime("%Y%m%d-%H%M%S")
    judgements, not_run = [], []
    for number, experiment in enumerate(experiments, start=1):
        target = Target(
            directory / f"{number:03d}-{experiment.name}",
            project=layers.root,
            run=run,
            settings=settings,
            query=status.queries[0].name,
        )
        try:
            judgements.append(run_on_target(target, experiment, on_event=here.on_event))
        except StreamctlError as error:
            not_run.append(not_run_for(experiment, error))
    return conclude(directory, began=began, seed=0, judgements=judgements, not_run=not_run)


def undo_on_job(here: Here, *, base: Path) -> list[str]:
    """Change back what killed runs left on the project's job; the campaigns that had."""
    from streamctl.chaos.target import Target
    from streamctl.chaos.target_trial import undo_what_was_left
    from streamctl.observe.status import read_status
    from streamctl.rundir.directory import RunDirectory

    undone = []
    for left in sorted(base.glob("*/*/rollbacks.json")):
        run = RunDirectory(here.layers().run_directory)
        queries = read_status(run).queries
        target = Target(
            left.parent,
            project=here.layers().root,
            run=run,
            settings=here.settings(),
            query=queries[0].name if queries else "",
        )
        if undo_what_was_left(target, on_event=here.on_event):
            undone.append(left.parent.parent.name)
    return list(dict.fromkeys(undone))
