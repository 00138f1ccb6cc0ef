"""Campaigns of experiments: `scripts/campaign aimed | mixed | fuzzed | planted`."""

import json
import random
import statistics
import sys
from datetime import datetime
from itertools import pairwise
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


def kills(count: int, chance: random.Random) -> list[Activity]:
    """SIGKILLs of the driver, every other one at a named phase, each followed by a commit."""
    method: list[Activity] = []
    for number in range(count):
        phase = chance.choice(list(PHASES))
        at = action("job.kill_at", phase=phase) if number % 2 else action("job.kill")
        pause = chance.uniform(0, 4)  # an aimed kill waits for its moment by itself
        method += [at, action("job.await_commit", after=pause if number % 2 else 0.0)]
    return method


def aimed(place: Path, *, count: int, chance: random.Random) -> tuple[dict[str, Any], list[str]]:
    """One job, killed again and again, every other time at a named phase."""
    experiment = Experiment(
        name="aimed", title=f"{count} kills", hypothesis=STEADY,
        method=tuple(kills(count, chance)),
        expects={"detected_by": ["status", "restart"]}, job={"supervise.attempts": 10 * count},
    )  # fmt: skip
    return _figures(place, experiment, chance=chance)


FAULTS: dict[str, tuple[Activity, ...]] = {
    "broker killed": (action("kafka.kill", after=3), action("kafka.start")),
    "broker frozen": (action("kafka.pause", after=8), action("kafka.resume")),
    "partition": (
        action("network.fault", kind="black_hole", after=10), action("network.clear"),
    ),
    "slow link": (
        action("network.fault", latency_ms=200, jitter_ms=150, after=8), action("network.clear"),
    ),
    "disk full": (action("disk.fill", after=5), action("disk.free")),
    "out of memory": (
        action("limit.set", what="memory", more=1 << 20, after=8),
        action("limit.free", what="memory"),
    ),
}  # fmt: skip


def faults(names: list[str], chance: random.Random) -> list[Activity]:
    """Each fault by its name and a commit, then a SIGKILL and a commit."""
    method: list[Activity] = []
    for name in names:
        method += [*FAULTS[name], action("job.await_commit", seconds=180)]
        method += [action("job.kill"), action("job.await_commit", after=chance.uniform(0, 3))]
    return method


def mixed(place: Path, *, count: int, chance: random.Random) -> tuple[dict[str, Any], list[str]]:
    """One job, through six kinds of faults in turns, each followed by a SIGKILL."""
    names = [list(FAULTS)[number % len(FAULTS)] for number in range(count)]
    chance.shuffle(names)
    experiment = Experiment(
        name="mixed", title=f"{count} faults", hypothesis=STEADY,
        method=tuple(faults(names, chance)), before=(action("disk.small", megabytes=512),),
        expects={"detected_by": ["status", "lag", "restart"]},
        job={
            "supervise.attempts": 20 * count,
            "supervise.hung_seconds": 60,
            "limits.disk_floor_bytes": 0,
        },
    )  # fmt: skip
    figures, wrong = _figures(place, experiment, chance=chance)
    return figures | {"faults": {name: names.count(name) for name in FAULTS}}, wrong


def cycles(place: Path, *, count: int, chance: random.Random) -> tuple[dict[str, Any], list[str]]:
    """A small share of both in one job, as the tests run it: a broker's fault, then kills."""
    method = [*faults(["broker killed", "partition"], chance), *kills(count - 4, chance)]
    experiment = Experiment(
        name="cycles", title=f"{count} faults and kills", hypothesis=STEADY, method=tuple(method),
        expects={"detected_by": ["status", "lag", "restart"]},
        job={"supervise.attempts": 20 * count, "supervise.max_backoff_seconds": 0.5},
    )  # fmt: skip
    return _figures(place, experiment, chance=chance)


def fuzzed(place: Path, *, count: int, chance: random.Random) -> tuple[dict[str, Any], list[str]]:
    """One job that reads 100,000 records between two kills, two fifths of them flawed."""
    method: list[Activity] = []
    for _ in range(count):
        burst = action("data.burst", records=99_900, flaws={"all": 0.4}, late_share=0.1)
        method += [action("data.strange", each=10), burst]
        method += [action("job.await_commit", seconds=300, after=chance.uniform(0, 4))]
        method += [action("job.kill"), action("job.await_commit", seconds=300)]
    experiment = Experiment(
        name="fuzzed", title=f"{count} kills amid invalid data", hypothesis=STEADY,
        method=tuple(method), recovery_seconds=900,
        expects={"detected_by": ["status", "restart"], "recovered_within_seconds": 900},
        job={"supervise.attempts": 10 * count, "kafka.max_offsets_per_trigger": 20_000},
    )  # fmt: skip
    return _figures(place, experiment, chance=chance)


def _figures(
    place: Path, experiment: Experiment, *, chance: random.Random
) -> tuple[dict[str, Any], list[str]]:
    """What came of a long experiment: kills, how long each took to recover, and every record."""
    judgement = _try(place, experiment, seed=chance.randrange(10**6))
    steps = json.loads((place / experiment.name / "journal.json").read_text("utf-8"))["method"]
    times = recovery_seconds(steps)
    figures = {
        "kills": sum(step["name"].startswith("job.kill") for step in steps),
        "kills_that_hit_their_phase": sum(
            bool(step["output"] and step["output"]["hit"])
            for step in steps
            if step["name"] == "job.kill_at"
        ),
        "recovery_median_seconds": round(statistics.median(times), 1) if times else None,
        "recovery_worst_seconds": round(max(times), 1) if times else None,
        "verdict": judgement.verdict,
        "counts": judgement.counts,
    }
    return as_json(figures), _wrong(judgement)


def recovery_seconds(steps: list[dict[str, Any]]) -> list[float]:
    """From each kill to the commit that was waited for after it."""
    ends = [datetime.fromisoformat(step["ended_at"]) for step in steps]
    return [
        (end - before).total_seconds()
        for (killed, before), (awaited, end) in pairwise(zip(steps, ends, strict=True))
        if killed["name"].startswith("job.kill") and awaited["name"] == "job.await_commit"
    ]


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
