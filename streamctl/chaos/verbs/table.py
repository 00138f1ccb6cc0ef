"""All verbs by name, and how an activity is performed."""

import inspect
from collections.abc import Iterable
from typing import Any

from streamctl.chaos import providers
from streamctl.chaos.experiment import Activity, Experiment, Part, Role, Verb
from streamctl.chaos.operated import Operated
from streamctl.chaos.verbs import (
    checkpoint,
    cpu,
    data,
    job,
    kafka,
    network,
    resources,
    store,
    writes,
)
from streamctl.chaos.verbs.verb import Definition
from streamctl.errors import Malformed, NotFound

VERBS: dict[str, Definition] = {
    **kafka.VERBS,
    **network.VERBS,
    **data.VERBS,
    **job.VERBS,
    **checkpoint.VERBS,
    **resources.VERBS,
    **cpu.VERBS,
    **store.VERBS,
    **writes.VERBS,
}


def check(experiments: Iterable[Experiment]) -> None:
    """Whether every verb is known and takes its arguments: told before anything is broken.

    Raises:
        NotFound: no such verb.
        Malformed, SettingsInvalid: arguments that it does not take.
    """
    for each in experiments:
        for activity in (*each.before, *each.hypothesis, *each.method, *each.rollbacks):
            if isinstance(activity.provider, Verb):
                _check(activity.provider, activity.role)


def _check(verb: Verb, role: Role) -> None:
    definition = _definition(verb, role)
    try:
        inspect.signature(definition.call).bind(None, **verb.arguments)
        if definition.check is not None:
            definition.check(**verb.arguments)
    except TypeError as error:
        raise Malformed(f"{verb.name}: {error}") from error


def _definition(verb: Verb, role: Role) -> Definition:
    definition = VERBS.get(verb.name)
    if definition is None or definition.role is not role:
        raise NotFound(f'no {role} "{verb.name}"', hint="`streamctl chaos verbs` lists them.")
    return definition


def perform(subject: Operated, activity: Activity) -> Any:
    """Do an activity on a subject; return its answer.

    Raises:
        NotFound: no such verb.
        StreamctlError: it could not be done.
    """
    provider = activity.provider
    if isinstance(provider, Verb):
        return _definition(provider, activity.role).call(subject, **provider.arguments)
    return providers.perform(provider)


def undo_of(name: str) -> str:
    """The verb that takes another back; empty for none."""
    return VERBS[name].undo if name in VERBS else ""


def part_of(activity: Activity) -> Part:
    """What an action is to the fault: as it says, as its verb does, else the fault itself."""
    if activity.part is not None:
        return activity.part
    provider = activity.provider
    if isinstance(provider, Verb) and provider.name in VERBS:
        return VERBS[provider.name].part
    return Part.FAULT
