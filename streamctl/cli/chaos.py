"""`streamctl chaos list | verbs | run | show | report | cleanup`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli import chaos_views as views
from streamctl.cli.command import Here, command
from streamctl.cli.confirm import confirm
from streamctl.cli.termination import terminated_is_interrupted
from streamctl.errors import SettingsInvalid

if TYPE_CHECKING:
    from streamctl.chaos.campaign import Campaign
    from streamctl.chaos.cleanup import Cleaned
    from streamctl.chaos.experiment import Experiment
    from streamctl.chaos.target import BlastRadius

app = typer.Typer(
    name="chaos",
    help="Break a job on purpose and account for every record.",
    add_completion=False,
    no_args_is_help=True,
)
_CampaignId = Annotated[
    str, typer.Argument(help="Of a campaign; default: the newest.", show_default=False)
]


@command(app, "list", view=views.listing)
def list_(here: Here) -> "views.Listing":
    """List the experiments that ship."""
    from streamctl.chaos.catalogue import catalogue, run_by

    del here
    return views.Listing(
        experiments=[
            views.Listed(
                name=each.name, title=each.title, tags=list(each.tags), run_by=run_by(each)
            )
            for each in catalogue().values()
        ]
    )


@command(app, "verbs", view=views.verbs)
def verbs(here: Here) -> "views.Verbs":
    """List the probes and actions for experiments of your own."""
    from streamctl.chaos.verbs.table import VERBS

    del here
    return views.Verbs(
        verbs=[
            views.VerbListed(
                name=name, role=each.role, part=each.part, undo=each.undo, help=each.help
            )
            for name, each in VERBS.items()
        ]
    )


@command(app, "run", view=views.campaign_or_radius)
def run(
    here: Here,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Experiments by name, or files (JSON, YAML).", show_default=False),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Some of each kind: see `chaos list`.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="With --all: six, in minutes.")] = False,
    repeat: Annotated[int, typer.Option("--repeat", help="So often, in random order.", min=1)] = 1,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of records and order.", show_default=False)
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            "--target",
            help="Name of this project's running job, to do it to that job.",
            show_default=False,
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --target: only show what can be harmed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> "Campaign | BlastRadius":
    """Run experiments on a job and a broker of their own. Exit code 3 when one is violated."""
    import random

    from streamctl.chaos.campaign import run_campaign

    chosen = _chosen(names or [], every=every, quick=quick)
    seed = random.randrange(10**6) if seed is None else seed  # noqa: S311 - no secret
    again = _again(
        here, names or [], every=every, quick=quick, repeat=repeat, seed=seed, target=target
    )
    if target:
        from streamctl.cli.chaos_target import run_on_job

        with terminated_is_interrupted():
            return run_on_job(
                here, chosen, name=target, base=_base(here), seed=seed, repeat=repeat,
                command=again, yes=yes,
                dry_run=dry_run,
            )  # fmt: skip
    if dry_run:
        raise SettingsInvalid("--dry-run is for --target: other experiments harm nothing")
    confirm(f"run {len(chosen)} experiments, of a minute or two each", yes=yes)
    with terminated_is_interrupted():
        return run_campaign(
            chosen,
            base=_base(here),
            seed=seed,
            repeat=repeat,
            command=again,
            toxiproxy=here.settings().chaos.toxiproxy,
            on_event=here.on_event,
        )


@command(app, "show", view=views.shown)
def show(here: Here, campaign: _CampaignId = "") -> "views.Shown":
    """Show the verdicts of a campaign, made anew from its evidence."""
    from streamctl.chaos.campaign import last_campaign, trials
    from streamctl.chaos.recall import recall

    directory = last_campaign(_base(here), campaign)
    known = recall(directory, [judgement for _, judgement in trials(directory)])
    return views.Shown(
        id=known.id, verdict=known.verdict, judgements=known.judgements, not_run=known.not_run
    )


@command(app, "report", view=views.written)
def report(
    here: Here,
    campaign: _CampaignId = "",
    *,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="File; default: with the campaign.", show_default=False),
    ] = None,
) -> "views.Written":
    """Write a campaign as one HTML file, with plots: it needs no network."""
    from streamctl.chaos.campaign import last_campaign, trials
    from streamctl.chaos.recall import recall
    from streamctl.chaos.report.page import page
    from streamctl.reports import Verdict
    from streamctl.rundir.files import replace_file

    directory = last_campaign(_base(here), campaign)
    found = trials(directory)
    known = recall(directory, [judgement for _, judgement in found])
    file = to or directory / "report.html"
    replace_file(file, page(known, [evidence for evidence, _ in found]))
    return views.Written(verdict=Verdict.OK, file=file)


@command(app, "cleanup", view=views.cleaned)
def cleanup(here: Here) -> "Cleaned":
    """End the processes that a killed run left, and change back what it did; evidence stays."""
    from streamctl.chaos.cleanup import cleanup as clean
    from streamctl.chaos.load.model import FOLDER
    from streamctl.cli.chaos_target import target_of

    bases = (_base(here), _base(here).with_name(FOLDER))
    return clean(bases, target=lambda trial: target_of(here, trial), on_event=here.on_event)


def _chosen(names: list[str], *, every: bool, quick: bool) -> "list[Experiment]":
    from streamctl.chaos.catalogue import catalogue, selected
    from streamctl.chaos.experiment import read_experiment

    if every == bool(names) or (quick and not every):
        raise SettingsInvalid(
            "name experiments, or give --all, with --quick or without",
            hint="`streamctl chaos list` lists them.",
        )
    if every:
        return selected(quick=quick)
    known = catalogue()
    return [known.get(name) or read_experiment(Path(name)) for name in names]


def _again(
    here: Here, names: list[str], *, every: bool, quick: bool, repeat: int, seed: int, target: str
) -> str:
    """The command that runs the same once more."""
    flags = {"--all": every, "--quick": quick}
    values = {
        "--context": here.context,
        "--repeat": str(repeat) if repeat > 1 else "",
        "--target": target,
        "--seed": str(seed),
    }
    words = ["streamctl", *here.path.split(), *names]
    words += [flag for flag, given in flags.items() if given]
    words += [word for flag, value in values.items() if value for word in (flag, value)]
    words += [word for assignment in here.assignments for word in ("--set", assignment)]
    return shlex.join(words)


def _base(here: Here) -> Path:
    from streamctl.chaos.campaign import FOLDER

    return here.layers().root / ".streamctl" / FOLDER
