"""All verbs by name, and how an activity is performed."""

from typing import Any

from streamctl.chaos import providers
from streamctl.chaos.experiment import Activity, Http, Process
from streamctl.chaos.operated import Operated
from streamctl.chaos.verbs import checkpoint, data, job, kafka, network, resources, store, writes
from streamctl.chaos.verbs.verb import Definition
from streamctl.errors import Malformed, NotFound

VERBS: dict[str, Definition] = {
    **kafka.VERBS,
    **network.VERBS,
    **data.VERBS,
    **job.VERBS,
    **checkpoint.VERBS,
    **resources.VERBS,
    **store.VERBS,
    **writes.VERBS,
}


def perform(subject: Operated, activity: Activity) -> Any:
    """Do an activity on a subject; return its answer.

    Raises:
        NotFound: no such verb.
        Malformed: arguments that it does not have.
        StreamctlError: it could not be done.
    """
    provider = activity.provider
    if isinstance(provider, Process):
        return providers.run_process(provider)
    if isinstance(provider, Http):
        return providers.request(provider)
    definition = VERBS.get(provider.name)
    if definition is None or definition.role is not activity.role:
        raise NotFound(
            f'no {activity.role} "{provider.name}"', hint="`streamctl chaos verbs` lists them."
        )
    try:
        return definition.call(subject, **provider.arguments)
    except TypeError as error:
        raise Malformed(f"{provider.name}: {error}") from error


def undo_of(name: str) -> str:
    """The verb that takes another back; empty for none."""
    return VERBS[name].undo if name in VERBS else ""
