"""Bounds on the processor time of the driver."""

import os
from functools import partial
from pathlib import Path

from streamctl.chaos.cgroup import bound_processors, free_processors
from streamctl.chaos.experiment import Part
from streamctl.chaos.operated import Operated
from streamctl.chaos.verbs import job
from streamctl.chaos.verbs.turns import InTurns
from streamctl.chaos.verbs.verb import action
from streamctl.errors import NotFound, SettingsInvalid, Unsupported

NOTE = "processors.json"


class _Bounded(InTurns):
    """The driver's turns, where there is no control group for it."""


def limit(subject: Operated, processors: float = 0.5) -> dict[str, str]:
    """Let the driver use as much as of so many processors; by a control group, else by signals.

    Raises:
        NotFound: no driver runs.
        SettingsInvalid: no time at all, or more than there is.
    """
    there = os.cpu_count() or 1
    if not 0 < processors < there:
        raise SettingsInvalid(f"processors must be above 0 and below {there}, not {processors:g}")
    processes = subject.driver_processes()
    if not processes:
        raise NotFound("no driver runs")
    try:
        bound_processors(processes, processors, note=_note(subject))
    except Unsupported as error:
        pause, resume = partial(job.pause, subject), partial(job.resume, subject)
        turns = _Bounded(pause, resume, share=processors / there)
        subject.background.append(turns)
        turns.start()
        return {"by": "SIGSTOP and SIGCONT in turns", "because": error.message}
    return {"by": "a control group"}


def free(subject: Operated, **_more: float) -> None:
    """Lift that bound."""
    for thread in subject.background:
        if isinstance(thread, _Bounded):
            thread.stop()
    free_processors(_note(subject))
    job.resume(subject)


def _note(subject: Operated) -> Path:
    return subject.directory / NOTE


VERBS = {
    "cpu.limit": action(limit, Part.FAULT, undo="cpu.free", on_target=True),
    "cpu.free": action(free, Part.LIFT, on_target=True),
}
