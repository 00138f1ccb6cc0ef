"""Campaigns of experiments: `scripts/campaign aimed --count 200`, `scripts/campaign planted`."""

import random
import sys
from pathlib import Path
from typing import Any

from streamctl.chaos.catalogue import STEADY, action
from streamctl.chaos.experiment import Activity, Experiment
from streamctl.chaos.stage import Stage
from streamctl.chaos.trial import run_trial
from streamctl.chaos.verbs.phases import PHASES
from streamctl.chaos.verdict import Judgement
from streamctl.reports import Event, Verdict, as_json


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


WRONG = {
    "LosesRecords": "nothing lost",
    "CountsTwice": "nothing duplicated",
    "SwallowsLetters": "nothing lost",
    "RejectsGood": "dead letters are right",
}
"""Job of `tests/wrong_jobs.py` -> the invariant that has to catch it."""


def aimed(place: Path, *, count: int, chance: random.Random) -> tuple[dict[str, Any], list[str]]:
    """One job, killed again and again, every other time at a named phase."""
    method: list[Activity] = []
    for number in range(count):
        phase = chance.choice(list(PHASES))
        at = action("job.kill_at", phase=phase) if number % 2 else action("job.kill")
        method += [at, action("job.await_commit", after=chance.uniform(0, 4))]
    experiment = Experiment(
        name="aimed", title=f"{count} kills", hypothesis=STEADY, method=tuple(method),
        expects={"detected_by": ["status", "restart"]}, job={"supervise.attempts": 10 * count},
    )  # fmt: skip
    judgement = _try(place, experiment, seed=chance.randrange(10**6))
    figures = {"kills": count, "verdict": judgement.verdict, "counts": judgement.counts}
    return as_json(figures), _wrong(judgement)


def planted(place: Path, *, count: int, chance: random.Random) -> tuple[dict[str, Any], list[str]]:
    """Jobs that are wrong on purpose, run for real: each has to be caught."""
    wrong = []
    for name, invariant in list(WRONG.items())[:count]:
        experiment = Experiment(
            name=name.lower(), title=f"a job that {name}", hypothesis=STEADY,
            method=(action("data.burst", records=2000, flaws={"all": 0.1}),),
            job={"job.entry": f"tests.wrong_jobs:{name}"},
        )  # fmt: skip
        judgement = _try(place / name, experiment, seed=chance.randrange(10**6))
        caught = {each.name for each in judgement.invariants if each.verdict is Verdict.PROBLEM}
        say(f"{name}: {', '.join(sorted(caught)) or 'not caught'}")
        if invariant not in caught:
            wrong.append(f"{name} was not caught by: {invariant}")
    return {"jobs": len(WRONG), "caught": len(WRONG) - len(wrong)}, wrong


def _try(place: Path, experiment: Experiment, *, seed: int) -> Judgement:
    def tell(event: Event) -> None:
        say(event.message)

    with Stage(place / "stage", on_event=tell) as stage:
        directory = place / experiment.name
        return run_trial(stage, experiment, directory=directory, seed=seed, on_event=tell)


def _wrong(judgement: Judgement) -> list[str]:
    bad = [each for each in judgement.invariants if each.verdict is not Verdict.OK]
    return [f"{each.name}: {each.detail}" for each in bad] + judgement.examples
