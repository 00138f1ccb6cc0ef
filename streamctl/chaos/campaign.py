"""Several experiments on one stage, again and again if asked; and where all of that is kept.

```
.streamctl/chaos/<id>/            one campaign; `lock` is held while it runs
  campaign.json                   what came of it
  <number>-<experiment>/          journal.json evidence.json verdict.json ledgers/ project/
  kafka/ proxy/                   while it runs
```
A seed decides the order and the records, so a failing campaign is run again by its seed.
"""

import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from streamctl.chaos.evidence import Evidence, read_evidence
from streamctl.chaos.experiment import Experiment
from streamctl.chaos.owner import owned
from streamctl.chaos.stage import Stage
from streamctl.chaos.surroundings import surroundings
from streamctl.chaos.trial import run_trial
from streamctl.chaos.verbs.table import check
from streamctl.chaos.verdict import Judgement, judge
from streamctl.errors import ExitCode, NotFound, StreamctlError
from streamctl.reports import Event, OnEvent, Verdict, as_json, ignore, iso, worst
from streamctl.rundir.files import replace_file

FOLDER = "chaos"
CAMPAIGN = "campaign.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRun:
    """An experiment that could not be tried, and why."""

    experiment: str
    reason: str
    hint: str
    exit_code: ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What came of all experiments.

    Attributes:
        verdict: problem if one was violated; unknown if one could not be tried or told.
        seed: run again with it for the same records in the same order; None when not known.
        seconds: that it took; None when it did not come to its end.
        directory: journals and evidence.
        planned: experiments in their order.
        command: runs it again.
        surroundings: what it ran on.
    """

    id: str
    verdict: Verdict
    seed: int | None
    started_at: str
    seconds: float | None
    directory: Path
    planned: list[str] = field(default_factory=list)
    command: str = ""
    surroundings: dict[str, str] = field(default_factory=dict)
    judgements: list[Judgement] = field(default_factory=list)
    not_run: list[NotRun] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """Done, found something, or why nothing at all could be tried."""
        if self.not_run and not self.judgements:
            return self.not_run[0].exit_code
        return ExitCode.DONE if self.verdict is Verdict.OK else ExitCode.FOUND


def run_campaign(
    experiments: Sequence[Experiment],
    *,
    base: Path,
    seed: int,
    repeat: int = 1,
    toxiproxy: str = "",
    command: str = "",
    on_event: OnEvent = ignore,
) -> Campaign:
    """Bring a stage up, run each experiment on a job of its own, and take the stage down.

    Args:
        experiments: in this order; with `repeat` over 1, shuffled by the seed each time.
        base: of all campaigns, usually `.streamctl/chaos`.
        seed: of order and records.
        repeat: how often.
        toxiproxy: address of its API, to use it instead of our proxy; empty for ours.
        command: runs it again.
        on_event: hears of each step.

    Raises:
        NotFound, Malformed: an unknown verb, or arguments that it does not take.
        StreamctlError: no stage could be made.
    """
    check(experiments)
    began = datetime.now(UTC)
    directory = base / began.strftime("%Y%m%d-%H%M%S")
    judgements: list[Judgement] = []
    not_run: list[NotRun] = []
    order = plan(experiments, seed=seed, repeat=repeat)
    with owned(directory), Stage(directory, toxiproxy=toxiproxy, on_event=on_event) as stage:
        campaign = begin(directory, began=began, seed=seed, planned=order, command=command)
        for number, experiment in enumerate(order, start=1):
            on_event(Event(message=experiment.title, done=number - 1, total=len(order)))
            place = directory / f"{number:03d}-{experiment.name}"
            try:
                found = run_trial(
                    stage, experiment, directory=place, seed=seed + number, on_event=on_event
                )
            except StreamctlError as error:
                not_run.append(not_run_for(experiment, error))
                continue
            judgements.append(found)
            on_event(Event(message=f"{experiment.name}: {found.verdict}"))
            if found.verdict is Verdict.OK:  # else its data are evidence
                shutil.rmtree(place / "project" / "data", ignore_errors=True)
    return conclude(campaign, judgements=judgements, not_run=not_run)


def begin(
    directory: Path, *, began: datetime, seed: int | None, planned: Sequence[Experiment],
    command: str,
) -> Campaign:  # fmt: skip
    """Write down what is planned, so that what a killed campaign leaves out is known."""
    campaign = Campaign(
        id=directory.name,
        verdict=Verdict.UNKNOWN,
        seed=seed,
        started_at=iso(began),
        seconds=None,
        directory=directory,
        planned=[experiment.name for experiment in planned],
        command=command,
        surroundings=surroundings(),
    )
    return _write(campaign)


def conclude(campaign: Campaign, *, judgements: list[Judgement], not_run: list[NotRun]) -> Campaign:
    """Sum up a campaign, and write it down with its evidence."""
    verdicts = [found.verdict for found in judgements] + [Verdict.UNKNOWN for _ in not_run]
    began = datetime.fromisoformat(campaign.started_at)
    return _write(
        replace(
            campaign,
            verdict=worst(verdicts),
            seconds=round((datetime.now(UTC) - began).total_seconds(), 1),
            judgements=judgements,
            not_run=not_run,
        )
    )


def _write(campaign: Campaign) -> Campaign:
    text = json.dumps(as_json(campaign), indent=1) + "\n"
    replace_file(campaign.directory / CAMPAIGN, text)
    return campaign


def plan(experiments: Sequence[Experiment], *, seed: int, repeat: int) -> list[Experiment]:
    """The order of all trials: as given, and if done more than once, shuffled each time."""
    if repeat == 1:
        return list(experiments)
    chance, order = random.Random(seed), list[Experiment]()  # noqa: S311 - repeatable, not secret
    for _ in range(repeat):
        order += chance.sample(list(experiments), len(experiments))
    return order


def not_run_for(experiment: Experiment, error: StreamctlError) -> NotRun:
    """Why an experiment could not be tried."""
    return NotRun(
        experiment=experiment.name,
        reason=error.message,
        hint=error.hint,
        exit_code=error.exit_code,
    )


def campaigns(base: Path) -> list[Path]:
    """Directories of campaigns, oldest first."""
    if not base.is_dir():
        return []
    return sorted(path for path in base.iterdir() if path.is_dir())


def last_campaign(base: Path, wanted: str = "") -> Path:
    """The directory of a campaign; without a name, of the newest.

    Raises:
        NotFound: none.
    """
    found = [path for path in campaigns(base) if wanted in {"", path.name}]
    if not found:
        raise NotFound(
            f'no campaign "{wanted}"' if wanted else "no experiment was run here",
            hint="`streamctl chaos run --all --quick` runs some.",
        )
    return found[-1]


def trials(directory: Path) -> list[tuple[Evidence, Judgement]]:
    """The evidence of each trial of a campaign, and the verdict made anew from it."""
    found = [read_evidence(path) for path in sorted(directory.glob("*/evidence.json"))]
    return [(evidence, judge(evidence)) for evidence in found]
