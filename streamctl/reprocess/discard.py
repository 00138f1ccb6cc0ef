"""Takes a reprocessing away, to the trash: checkpoint, output, record, receipt and run directory.

The live job may run meanwhile: nothing of it is touched. It holds the lease of the location then,
and as long as it does, nobody else changes anything there; so its lease and the lock under which
reprocessings are made keep everybody else out.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change import guards
from streamctl.checkpoint.change.apply import ChangeReport
from streamctl.checkpoint.change.area import LEASE_SECONDS, Area, Held, area_of, held
from streamctl.checkpoint.change.plan import Kind, Plan, Step, make_plan, require
from streamctl.checkpoint.change.walk import size_of
from streamctl.checkpoint.location import generations, lease
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.tree.files import local_path
from streamctl.errors import Busy, Refused, Unsupported
from streamctl.observe.status import is_supervised
from streamctl.reprocess.places import Places
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings

_VERB = "discard"


def plan_discard(
    places: Places, settings: Settings, *, generation: str, why: str, now: datetime, context: str
) -> Plan:
    """Plan to take a reprocessed generation away.

    Args:
        places: of the live job.
        settings: of the live job.
        generation: which.
        why: the operator's reason.
        now: UTC.
        context: that settings came from; a protected one stands in the way.

    Raises:
        NotFound: there is none of that name.
        Refused: it is the current one, or was not made by a reprocessing.
        Busy: it runs.
        Unsupported: on an object store, which has no rename.
    """
    found = places.one(generation)
    _require_idle(places, found)
    area = area_of(settings.checkpoint.location)
    if not area.store.is_local:
        raise Unsupported(
            f'"{area.location}" is on an object store, which has no rename',
            hint="Remove the generation with the store's own tools.",
        )
    trees, notes = _trees(places, settings, found, area)
    return make_plan(
        verb=_VERB,
        area=area,
        subject=f"generation {found.name}",
        why=why or f"reprocessing from {found.created_at:%Y-%m-%d %H:%M} is not wanted",
        now=now,
        steps=[*(_record(name, area) for name in places.records(found.name)), *trees],
        obstacles=guards.protected(context) if settings.checkpoint.protected else [],
        facts={"generation": found.name, "size_bytes": sum(step.size_bytes for step in trees)},
        notes=notes,
    )


def _require_idle(places: Places, generation: Generation) -> None:
    current = generations.current(places.store)
    if current is not None and current.name == generation.name:
        raise Refused(
            f"generation {generation.name} is the current one",
            hint="`streamctl reprocess promote --back` points to the one before.",
        )
    if is_supervised(places.run(generation.name)):
        raise Busy(
            f"the reprocessing in generation {generation.name} runs",
            hint=f"`streamctl reprocess stop {generation.name}` ends it.",
        )


def _trees(
    places: Places, settings: Settings, generation: Generation, area: Area
) -> tuple[list[Step], tuple[str, ...]]:
    """What lies in directories; each goes to a trash that one rename reaches."""
    location = generation.output_location or settings.output.location
    url = generations.base(location, generation.name)
    output = local_path(url)
    notes = () if output else (f"The output {url} is on an object store and stays.",)
    run = str(places.run(generation.name).path.absolute())
    wanted = [
        (area.store.at(generation.name), "", "its checkpoints"),
        (output or "", output or "", "its output"),
        (run, run, "its run directory"),
    ]
    steps = [
        Step(kind=Kind.REMOVE, place=place, reason=reason, size_bytes=size_of(place), home=home)
        for place, home, reason in wanted
        if place and os.path.isdir(place)  # noqa: PTH112
    ]
    return steps, notes


def _record(name: str, area: Area) -> Step:
    return Step(kind=Kind.WRITE, place=area.store.at(name), reason="the record of it")


def discard(
    places: Places,
    settings: Settings,
    *,
    generation: str,
    why: str,
    context: str,
    accept: list[str],
) -> ChangeReport:
    """Take it away. `streamctl checkpoint undo` brings it back while the live job is stopped.

    Args:
        places: of the live job.
        settings: of the live job.
        generation: which.
        why: the operator's reason.
        context: that settings came from.
        accept: guards that the operator overrides, by code.

    Raises:
        NotFound, Refused, Busy, Unsupported: see `plan_discard`; or another command is at work.
        StorageFailed: everything is as it was.
    """
    area = area_of(settings.checkpoint.location)
    with _alone(places, area, generation) as holding:
        plan = plan_discard(
            places,
            settings,
            generation=generation,
            why=why,
            now=datetime.now(UTC),
            context=context,
        )
        require(plan, accept=accept)
        return changes.apply(area, plan, holding)


@contextmanager
def _alone(places: Places, area: Area, generation: str) -> Iterator[Held]:
    """Keep out whoever else changes the location, and a run in the generation itself."""
    lock = RunDirectory(places.live.path / "reprocess").try_lock()
    if lock is None:
        raise Busy("another reprocessing is being planned or discarded", hint="Run it again.")
    try:
        if not is_supervised(places.live):
            with held(area, _VERB) as holding:
                changes.recover(area)
                yield holding
            return
        now = datetime.now(UTC)
        taken, _ = lease.acquire(
            area.store, owner=_VERB, seconds=LEASE_SECONDS, now=now, generation=generation
        )
        holding = Held(area, taken)
        try:
            yield holding
        finally:
            holding.release()
    finally:
        os.close(lock)
