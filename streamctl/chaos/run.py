"""Runs one experiment: gate on the steady state, method, look again, undo in any case.

The engine knows no Kafka and no Spark: whoever calls it says how an activity is performed.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamctl.chaos.effects import Effects
from streamctl.chaos.experiment import Activity, Experiment, Http, Part, Process, Role, Verb
from streamctl.chaos.journal import Ended, Journal, Step
from streamctl.chaos.tolerance import is_within
from streamctl.errors import StreamctlError
from streamctl.reports import Event, OnEvent, ignore

_LOOK_AGAIN_SECONDS = 1.0
_DONE = {Process: 0, Http: {"type": "range", "range": [200, 399], "target": "status"}}
"""What an action of the operator's must answer to count as done, if nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the engine works with.

    Attributes:
        perform: does an activity and returns its answer; what it raises is the step's error.
        part_of: what an action is to the fault.
        undo_of: name of a verb -> the verb that takes it back; empty for none.
        effects: where rollbacks and changes are noted before anything is done.
        save: called after each step with the journal so far.
        now, sleep: the clock.
        steady_seconds: how long the hypothesis may take to hold beforehand.
    """

    perform: Callable[[Activity], Any]
    part_of: Callable[[Activity], Part]
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
    for rollback in experiment.rollbacks:
        means.effects.promise(rollback)
    try:
        journal.ended = _forward(experiment, journal, means)
    except KeyboardInterrupt:
        journal.ended = Ended.INTERRUPTED
        raise
    finally:
        journal.rollbacks = undo(means)
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
            if journal.method[-1].error:
                return Ended.ABORTED
    finally:
        for thread in waiting:
            thread.join()
    if any(step.error for step in journal.method):  # one in the background
        return Ended.ABORTED
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


def undo(means: Means) -> list[Step]:
    """Do every rollback and take back every change that stands. One that fails stops no other.

    It stands on in its file, for `chaos cleanup`.
    """
    steps = []
    for effect in means.effects.standing:
        if effect not in means.effects.standing:  # the one before was the opposite of this too
            continue
        step = run_step(effect.back, means)
        if step.error:
            means.on_event(Event(message=f"{step.name} failed: {step.error}"))
        else:
            means.effects.settle(effect)
        steps.append(step)
    return steps


def run_step(activity: Activity, means: Means, *, tell: bool = True) -> Step:
    """Perform one activity. What it raises is a fact of the journal."""
    if tell:
        means.on_event(Event(message=f"{activity.role} {activity.name}"))
    if activity.pause_before_seconds:
        means.sleep(activity.pause_before_seconds)
    started, output, within, error = means.now(), None, None, ""
    try:
        output = _noted(activity, means)
        if activity.role is Role.PROBE:
            within = is_within(activity.tolerance, output)
        else:
            error = _refusal(activity, output)
    except StreamctlError as failure:
        error = failure.message
    except Exception as failure:  # noqa: BLE001 - the ways back of the others have to be gone
        error = f"{type(failure).__name__}: {failure}"
    ended = means.now()
    if activity.pause_after_seconds:
        means.sleep(activity.pause_after_seconds)
    return Step(
        name=activity.name,
        role=activity.role,
        verb=activity.provider.name if isinstance(activity.provider, Verb) else "",
        part=means.part_of(activity),
        started_at=started,
        ended_at=ended,
        output=output,
        within=within,
        error=error,
    )


def _noted(activity: Activity, means: Means) -> Any:
    """Perform it; the opposite of what it changes is noted before."""
    provider = activity.provider
    if not isinstance(provider, Verb):
        return means.perform(activity)
    if opposite := means.undo_of(provider.name):
        means.effects.begin(provider.name, undo=opposite, arguments=provider.arguments)
    output = means.perform(activity)
    means.effects.done(provider.name)
    return output


def _refusal(action: Activity, answer: Any) -> str:
    """Why it does not count as done, by its answer; empty when it does."""
    usual = _DONE.get(type(action.provider))
    if is_within(usual if action.tolerance is None else action.tolerance, answer):
        return ""
    if not isinstance(answer, Mapping):
        return f"it answered {answer}"
    words = str(answer.get("stderr") or answer.get("body") or "").strip().splitlines()
    return ": ".join([f"it answered {answer.get('status')}", *words[-1:]])
