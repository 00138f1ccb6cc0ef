"""Undoes what is left of runs that were killed, or that could not change all of it back."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from streamctl.chaos import providers
from streamctl.chaos.campaign import campaigns
from streamctl.chaos.cgroup import free_processors
from streamctl.chaos.effects import Effects
from streamctl.chaos.experiment import Activity, Verb
from streamctl.chaos.journal import Step, failed
from streamctl.chaos.object_store import ObjectStore
from streamctl.chaos.operated import end_processes
from streamctl.chaos.owner import owned
from streamctl.chaos.run import undo
from streamctl.chaos.stage import Stage
from streamctl.chaos.target import Target
from streamctl.chaos.trial import EFFECTS, means_by
from streamctl.chaos.verbs import table
from streamctl.chaos.verbs.cpu import NOTE as PROCESSORS
from streamctl.chaos.verbs.resources import end_disk
from streamctl.errors import Busy, NotFound, StreamctlError
from streamctl.reports import Event, OnEvent, Verdict, ignore
from streamctl.rundir.directory import RunDirectory

TargetOf = Callable[[Path], Target | None]
"""The job that a trial was done to, by the trial's directory; None where it was its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What was left of killed runs.

    Attributes:
        verdict: a problem if something could not be changed back.
        campaigns: those of which something was taken away or changed back.
        running: those that are being run, one line each; they were left alone.
        left: what could not be changed back, one line each; the next cleanup tries again.
    """

    verdict: Verdict
    campaigns: list[str]
    running: list[str]
    left: list[str]


def cleanup(bases: Iterable[Path], *, target: TargetOf, on_event: OnEvent = ignore) -> Cleaned:
    """End every process, mount and file that a killed run left; journals and evidence stay.

    The stage is the experiments' own, so taking it down takes back whatever was done to it. What
    commands and requests of the operator's have changed is changed back by the rollbacks.

    Args:
        bases: of all campaigns, and of all load runs.
        target: tells the job of a trial; raises a `StreamctlError` where it is not at hand.
        on_event: hears of each step.
    """
    cleaned, running, left = list[str](), list[str](), list[str]()
    for campaign in (each for base in bases for each in campaigns(base)):
        try:
            with owned(campaign):
                steps = list(_change_back(campaign, target=target, on_event=on_event))
                ended = end_what_was_left(campaign, on_event=on_event)
        except Busy as error:
            running.append(error.message)
        except StreamctlError as error:
            left.append(f"{campaign.name}: {error.message}. {error.hint}".rstrip())
        else:
            cleaned += [campaign.name] if steps or ended else []
            left += [f"{campaign.name}: {line}" for line in failed(steps)]
    return Cleaned(
        verdict=Verdict.PROBLEM if left else Verdict.OK,
        campaigns=cleaned,
        running=running,
        left=left,
    )


def _change_back(campaign: Path, *, target: TargetOf, on_event: OnEvent) -> Iterator[Step]:
    """Do the rollbacks that were not done, and on a target the opposites of what stands."""
    for record in sorted(campaign.glob(f"*/{EFFECTS}")):
        if not Effects(record).standing:
            continue
        job = target(record.parent)
        perform = _by_operator if job is None else partial(table.perform, job)
        yield from undo(means_by(perform, record, on_event=on_event))


def _by_operator(activity: Activity) -> Any:
    """What the operator brought; ours were done to the stage, and go with it."""
    if isinstance(activity.provider, Verb):
        return None
    return providers.perform(activity.provider)


def end_what_was_left(directory: Path, *, on_event: OnEvent = ignore) -> bool:
    """Take down a killed campaign's or load run's jobs and stage; whether there was anything.

    Raises:
        StreamctlError: something of it could not be ended.
    """
    stage = Stage(directory)
    left = [_end_trial(project) for project in directory.glob("*/project")]
    if not any(left) and not stage.kafka.exists():
        return False
    on_event(Event(message=f"cleaning up {directory.name}"))
    stage.close()
    return True


def _end_trial(project: Path) -> bool:
    """End the job's store, disks, processes and their bound; whether there was any of those three.

    Raises:
        StreamctlError: something of it could not be ended.
    """
    with suppress(NotFound):
        ObjectStore(project / "store").end()
    mounted = end_disk(project)
    ended = end_processes(RunDirectory(project / ".streamctl" / "default"))
    return any((mounted, ended, free_processors(project.parent / PROCESSORS)))
