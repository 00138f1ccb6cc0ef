"""Lets the live job go on from a reprocessed generation, and back.

The new generation's own checkpoint says where it ended, so the job reads on from there: nothing
is skipped or repeated in its output. The pointer is the only thing that changes.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streamctl.checkpoint.location import generations, journal, lease
from streamctl.errors import NotFound, Refused, StreamctlError
from streamctl.lifecycle.start import start
from streamctl.lifecycle.stop import stop
from streamctl.observe.status import is_supervised
from streamctl.reports import Event, OnEvent, Verdict
from streamctl.reprocess.places import Places
from streamctl.settings.model import Settings

_VERB = "promote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Which generation is current now.

    Attributes:
        before, after: names of generations.
        restarted: whether the job ran before, and runs again.
        back: the command that reverses it.
    """

    verdict: Verdict
    before: str
    after: str
    restarted: bool
    back: str


def promote(
    places: Places,
    settings: Settings,
    *,
    generation: str,
    back: bool,
    project: Path,
    on_event: OnEvent,
) -> Promotion:
    """Stop the job if it runs, point to the generation, start the job again.

    A job that does not start from the new generation is started from the old one.

    Args:
        places: of the live job.
        settings: of the live job.
        generation: to go on from; empty for the newest that was reprocessed.
        back: go back to the generation that the last promotion left.
        project: working directory of the driver.
        on_event: told of each step.

    Raises:
        Refused: it is not done, it ends before now by request, or the job would not start from it.
        NotFound: there is none, or nothing was promoted.
        Busy: another owner has the checkpoint.
    """
    current = generations.current(places.store)
    if current is None:
        raise NotFound("the job was never started", hint="Run `streamctl start`.")
    wanted = _before(places, current.name) if back else _promotable(places, generation)
    if wanted == current.name:
        raise Refused(f"generation {wanted} is the current one already")
    running = is_supervised(places.live)
    if running:
        stop(places.live, deadline_seconds=settings.stop.deadline_seconds, on_event=on_event)
    _switch(places, settings, before=current.name, after=wanted)
    on_event(Event(message=f"generation {wanted} is the current one"))
    if running:
        _start(places, settings, project=project, on_event=on_event, back_to=current.name)
    return Promotion(
        verdict=Verdict.OK,
        before=current.name,
        after=wanted,
        restarted=running,
        back="streamctl reprocess promote --back",
    )


def _promotable(places: Places, name: str) -> str:
    wanted = places.one(name)
    if places.receipt(wanted.name) is None:
        raise Refused(
            f"the reprocessing in generation {wanted.name} is not done",
            hint="Run its command again to finish it.",
        )
    if wanted.bounded:
        raise Refused(
            f"generation {wanted.name} leaves out what came after its range",
            hint="Reprocess with `--to now` what the live job is to go on from.",
        )
    return wanted.name


def _before(places: Places, current: str) -> str:
    for entry in reversed(list(journal.entries(places.store))):
        if entry.verb == _VERB and entry.after.get("generation") == current:
            return str(entry.before["generation"])
    raise NotFound(f"generation {current} did not come from a promotion: there is no way back")


def _switch(places: Places, settings: Settings, *, before: str, after: str) -> None:
    """Move the pointer while nobody can start."""
    now = datetime.now(UTC)
    held, _ = lease.acquire(
        places.store,
        owner=f"promote-{after}",
        seconds=settings.checkpoint.lease_seconds,
        now=now,
    )
    try:
        entry = journal.Entry(
            at=now,
            who=journal.whoami(),
            verb=_VERB,
            why="asked by `streamctl reprocess promote`",
            before={"generation": before},
            after={"generation": after},
            undo={"generation": before},
        )
        journal.record(places.store, entry)
        generations.point(places.store, after)
    finally:
        lease.release(places.store, held)


def _start(
    places: Places, settings: Settings, *, project: Path, on_event: OnEvent, back_to: str
) -> None:
    try:
        start(places.live, settings, project=project, on_event=on_event)
    except StreamctlError as error:
        on_event(Event(message=f"it does not start: {error.message}; going back to {back_to}"))
        stop(places.live, deadline_seconds=settings.stop.deadline_seconds, on_event=on_event)
        current = generations.current(places.store)
        _switch(places, settings, before=current.name if current else "", after=back_to)
        start(places.live, settings, project=project, on_event=on_event)
        raise Refused(
            f"the job did not start from the new generation: {error.message}",
            hint=f"It runs from generation {back_to} again. {error.hint}",
        ) from error
