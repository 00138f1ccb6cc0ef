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
    from streamctl.chaos.target import BlastRadius, Target
    from streamctl.observe.status import StatusReport


def run_on_job(
    here: Here,
    experiments: "list[Experiment]",
    *,
    name: str,
    base: Path,
    seed: int,
    repeat: int,
    command: str,
    yes: bool,
    dry_run: bool,
) -> "Campaign | BlastRadius":
    """Show what can be harmed, ask, and do the experiments one after the other.

    Raises:
        Refused: the context is protected, another name was typed, or a step is not for real jobs.
    """
    from streamctl.chaos.campaign import begin, conclude, not_run_for, plan
    from streamctl.chaos.owner import owned
    from streamctl.chaos.target import blast_radius, running_job
    from streamctl.chaos.target_trial import run_on_target
    from streamctl.errors import StreamctlError
    from streamctl.rundir.directory import RunDirectory

    run, settings = RunDirectory(here.layers().run_directory), here.settings()
    status = running_job(run, name=name, settings=settings, context=here.context)
    radius = blast_radius(experiments, settings, status)
    if dry_run:
        return radius
    sys.stderr.write("\n".join(radius_lines(radius)) + "\n")
    often = f", {repeat} times" if repeat > 1 else ""
    confirm_name(f"do this{often} to a job that is not the experiments' own", name, yes=yes)
    began = datetime.now(UTC)
    directory = base / began.strftime("%Y%m%d-%H%M%S")
    judgements, not_run = [], []
    order = plan(experiments, seed=seed, repeat=repeat)
    with owned(directory):
        campaign = begin(directory, began=began, seed=seed, planned=order, command=command)
        for number, experiment in enumerate(order, start=1):
            target = _target(here, directory / f"{number:03d}-{experiment.name}", status)
            try:
                judgements.append(run_on_target(target, experiment, on_event=here.on_event))
            except StreamctlError as error:
                not_run.append(not_run_for(experiment, error))
    return conclude(campaign, judgements=judgements, not_run=not_run)


def target_of(here: Here, trial: Path) -> "Target | None":
    """The job that a trial was done to, to change back what was left; None where it was its own.

    Raises:
        Refused: it was done to the job of another context.
    """
    from streamctl.chaos.target_trial import was_on_target
    from streamctl.observe.status import read_status
    from streamctl.rundir.directory import RunDirectory

    run = RunDirectory(here.layers().run_directory)
    return _target(here, trial, read_status(run)) if was_on_target(trial, run) else None


def _target(here: Here, trial: Path, status: "StatusReport") -> "Target":
    """The job that the operator's own flags and environment name."""
    from streamctl.chaos.target import Target
    from streamctl.rundir.directory import RunDirectory

    layers = here.layers()
    return Target(
        trial,
        project=Path.cwd(),
        run=RunDirectory(layers.run_directory),
        settings=here.settings(),
        query=status.queries[0].name if status.queries else "",
        context=layers.context,
        assignments=here.assignments,
    )
