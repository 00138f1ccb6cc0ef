"""Forget a checkpoint: to the trash, so that the next start begins anew.

In a location of ours the pointer goes, and the generation's checkpoints with it; its output stays,
because the next generation writes to a new one. Spark's own checkpoint goes as a whole. Its file
sink's log must go with it, or the new run's batches are skipped in silence: give the output's
directory, and log and files go to the trash too.
"""

from datetime import datetime

from streamctl.checkpoint.change import guards
from streamctl.checkpoint.change.area import Area, local_sink
from streamctl.checkpoint.change.plan import Kind, Obstacle, Plan, Step, make_plan
from streamctl.checkpoint.change.sink_steps import sink_steps
from streamctl.checkpoint.change.walk import size_of
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.tree.files import local_path
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, Unsupported

_FORGET = "the next start makes a new generation"


def plan_clear(
    area: Area, *, why: str, now: datetime, sink: str = "", permanently: bool = False
) -> Plan:
    """Plan to forget where a job stands.

    Args:
        area: a location of ours, or a bare checkpoint.
        why: the operator's reason.
        now: UTC.
        sink: output directory of a bare checkpoint's file sink; "" for none.
        permanently: not to the trash.

    Raises:
        CheckpointNotFound: nothing there.
        Unsupported: a bare checkpoint on an object store.
        Malformed, Unsupported: the sink's log cannot be read.
    """
    obstacles: list[Obstacle] = []
    if area.has_generations:
        subject, steps, notes = _location(area)
    else:
        subject = local_path(area.location) or ""
        if not subject:
            raise Unsupported(
                f'"{area.location}" is on an object store, which has no rename',
                hint="Remove it with the store's own tools.",
            )
        Checkpoint.open(subject)
        taken = sink_steps(local_sink(sink), -1)
        size = size_of(subject)
        steps = [
            *taken.steps,
            Step(kind=Kind.REMOVE, place=subject, reason="the checkpoint", size_bytes=size),
        ]
        notes = list(taken.notes)
        obstacles = [*taken.obstacles, *guards.sink_known(known=bool(sink))]
    return make_plan(
        verb="clear",
        area=area,
        subject=subject,
        why=why,
        now=now,
        steps=steps,
        obstacles=obstacles,
        facts={"permanently": permanently, "size_bytes": sum(step.size_bytes for step in steps)},
        notes=tuple(notes),
        reversible=not permanently,
    )


def _location(area: Area) -> tuple[str, list[Step], list[str]]:
    generation = generations.current(area.store)
    if generation is None:
        raise CheckpointNotFound(
            f'no generation is current in "{area.location}"',
            hint="There is nothing to clear; `streamctl start` makes one.",
        )
    place = area.store.at(generation.name)
    pointer = Step(kind=Kind.WRITE, place=area.store.at(generations.POINTER), reason=_FORGET)
    subject = f"generation {generation.name}"
    if not area.store.is_local:
        stays = f"An object store has no rename: {place} stays until it is pruned."
        return subject, [pointer], [stays]
    size = size_of(place)
    tree = Step(
        kind=Kind.REMOVE, place=place, reason="checkpoints of the generation", size_bytes=size
    )
    return subject, [pointer, tree], [f"The output of {subject} stays where it is."]
