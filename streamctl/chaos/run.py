"""Runs one experiment: gate on the steady state, method, look again, undo in any case.

The engine knows no Kafka and no Spark: whoever calls it says how an activity is performed.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamctl.chaos.effects import Effects
from streamctl.chaos.experiment import Activity, Experiment, Role, Verb
from streamctl.chaos.journal import Ended, Journal, Step
from streamctl.chaos.tolerance import is_within
from streamctl.errors import StreamctlError
from streamctl.reports import Event, OnEvent, ignore

_LOOK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the engine works with.

    Attributes:
        perform: does an activity and returns its answer; may raise a `StreamctlError`.
        undo_of: name of a verb -> the verb that takes it back; empty for none.
        effects: where changes are noted before they are made.
        save: called after each step with the journal so far.
        now, sleep: the clock.
        steady_seconds: how long the hypothesis may take to hold beforehand.
    """

    perform: Callable[[Activity], Any]
    undo_of: Callable[[str], str]
    effects: Effects
    save: Callable[[Journal], None]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    steady_seconds: float = 120.0
    on_event: OnEvent = ignore


def run_experiment(experiment: Experiment, means: Means) -> Journal:
    """Run it to its end; whatever happens, everything is undone before this returns or raises.

    Raises:
        KeyboardInterrupt: after the undoing. The journal was saved.
    """
    journal = Journal(experiment=experiment.name, title=experiment.title, started_at=means.now())
    try:
        journal.ended = _forward(experiment, journal, means)
    except KeyboardInterrupt:
        journal.ended = Ended.INTERRUPTED
        raise
    finally:
        _back(experiment, journal, means)
        journal.ended_at = means.now()
        means.save(journal)
    return journal


def _forward(experiment: Experiment, journal: Journal, means: Means) -> Ended:
    seconds = means.steady_seconds
    journal.steady_before = _await_steady(experiment, means, seconds=seconds, when="before")
    means.save(journal)
    if not all(step.ok for step in journal.steady_before):
        return Ended.NOT_STEADY
    waiting: list[threading.Thread] = []
    try:
        for activity in experiment.method:
            if activity.background:
                waiting.append(_beside(activity, journal, means))
                continue
            journal.method.append(run_step(activity, means))
            means.save(journal)
            if activity.role is Role.ACTION and not journal.method[-1].ok:
                return Ended.ABORTED
    finally:
        for thread in waiting:
            thread.join()
    seconds = experiment.recovery_seconds
    journal.steady_after = _await_steady(experiment, means, seconds=seconds, when="again")
    journal.deviated = not all(step.ok for step in journal.steady_after)
    return Ended.COMPLETED


def _beside(activity: Activity, journal: Journal, means: Means) -> threading.Thread:
    thread = threading.Thread(
        target=lambda: journal.method.append(run_step(activity, means)), name=activity.name
    )
    thread.start()
    return thread


def _await_steady(experiment: Experiment, means: Means, *, seconds: float, when: str) -> list[Step]:
    """Look until all probes are within their tolerance, or the time is over; the last look."""
    if experiment.hypothesis:
        means.on_event(Event(message=f"{experiment.name}: is it steady {when}?"))
    began = means.now()
    while True:
        steps = [run_step(probe, means, tell=False) for probe in experiment.hypothesis]
        waited = (means.now() - began).total_seconds()
        if all(step.ok for step in steps) or waited >= seconds:
            return steps
        means.sleep(_LOOK_AGAIN_SECONDS)


def _back(experiment: Experiment, journal: Journal, means: Means) -> None:
    """Do the rollbacks, then take back what still stands. One that fails stops no other."""
    for activity in experiment.rollbacks:
        journal.rollbacks.append(run_step(activity, means))
    journal.rollbacks += undo(means)


def undo(means: Means) -> list[Step]:
    """Take back every change that stands, the latest first."""
    steps = []
    for effect in means.effects.standing:
        verb = Verb(name=effect.undo, arguments=effect.arguments)
        steps.append(
            run_step(Activity(name=f"undo {effect.verb}", role=Role.ACTION, provider=verb), means)
        )
    return steps


def run_step(activity: Activity, means: Means, *, tell: bool = True) -> Step:
    """Perform one activity. What it raises is a fact of the journal."""
    if tell:
        means.on_event(Event(message=f"{activity.role} {activity.name}"))
    if activity.pause_before_seconds:
        means.sleep(activity.pause_before_seconds)
    started, output, error = means.now(), None, ""
    provider = activity.provider
    try:
        if isinstance(provider, Verb) and (opposite := means.undo_of(provider.name)):
            means.effects.begin(provider.name, undo=opposite, arguments=provider.arguments)
        output = means.perform(activity)
        if isinstance(provider, Verb):
            means.effects.done(provider.name)
    except StreamctlError as failure:
        error = failure.message
    ended = means.now()
    if activity.pause_after_seconds:
        means.sleep(activity.pause_after_seconds)
    within = None
    if activity.role is Role.PROBE and not error:
        within = is_within(activity.tolerance, output)
    return Step(
        name=activity.name,
        role=activity.role,
        started_at=started,
        ended_at=ended,
        output=output,
        within=within,
        error=error,
    )
