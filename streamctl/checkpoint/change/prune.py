"""Remove by policy what nothing needs any more: old generations, expired trash, orphaned files.

Deciding is pure, and each decision has its reason. What goes, goes for good.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from streamctl.checkpoint.change import guards, preview
from streamctl.checkpoint.change.apply import homes
from streamctl.checkpoint.change.area import OURS, TRASH_SUFFIX, Area
from streamctl.checkpoint.change.orphans import find_orphans
from streamctl.checkpoint.change.plan import Kind, Obstacle, Plan, Step, make_plan
from streamctl.checkpoint.change.walk import size_of, sizes
from streamctl.checkpoint.location import generations, journal
from streamctl.checkpoint.tree.files import local_path
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is kept.

    Attributes:
        keep_generations: the newest so many beside the current one.
        trash_days: what was removed can be brought back for so long.
        orphan_hours: younger files that nothing refers to may be just written.
    """

    keep_generations: int = 3
    trash_days: float = 7
    orphan_hours: float = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicted:
    """What becomes of one generation or one change's trash, and why."""

    name: str
    keep: bool
    reason: str


def decide_generations(names: Iterable[str], current: str, keep: int) -> list[Verdicted]:
    """Keep the current generation and the newest of the others. Pure."""
    found = []
    others = sorted((n for n in names if n != current), key=int, reverse=True)
    for place, name in enumerate(others):
        if place < keep:
            reason = f"one of the {keep} newest beside the current one"
            found.append(Verdicted(name=name, keep=True, reason=reason))
        else:
            reason = f"older than the {keep} newest beside the current one"
            found.append(Verdicted(name=name, keep=False, reason=reason))
    if current:
        found.append(Verdicted(name=current, keep=True, reason="the current generation"))
    return found


def decide_trash(
    made: Iterable[tuple[str, datetime]], *, days: float, now: datetime
) -> list[Verdicted]:
    """Keep what was removed lately. Pure; a clock that went back keeps more."""
    found = []
    for name, at in made:
        age = now - at
        keep = age <= timedelta(days=days)
        word = "within" if keep else "beyond"
        reason = f"{age.total_seconds() / 86_400:.1f} days old, {word} {days:g}"
        found.append(Verdicted(name=name, keep=keep, reason=reason))
    return found


def plan_prune(area: Area, policy: Policy, *, why: str, now: datetime) -> Plan:
    """Plan to free what the policy does not keep.

    Args:
        area: a location of ours, or a bare checkpoint.
        policy: see there.
        why: the operator's reason.
        now: UTC.

    Raises:
        Unsupported: on an object store, whose trash holds no trees.
        Malformed: a record or log cannot be read.
    """
    if not area.store.is_local:
        raise Unsupported(
            f'"{area.location}" is on an object store, which has no rename',
            hint="Remove old generations with the store's own tools.",
        )
    old, kept = _generations(area, policy) if area.has_generations else ([], [])
    trash = _trash(area, policy, now)
    orphans, obstacles = _orphans(area, policy, now)
    steps = [*old, *trash, *orphans]
    return make_plan(
        verb="prune",
        area=area,
        subject=area.location,
        why=why,
        now=now,
        steps=steps,
        obstacles=obstacles,
        facts={
            "generations": len(old),
            "generations_kept": len(kept),
            "trash_entries": len(trash),
            "orphaned_files": sum(len(step.removed) for step in orphans),
            "freed_bytes": sum(step.size_bytes for step in steps),
        },
        notes=("Output of old generations is a result and stays.",) if old else (),
        reversible=False,
    )


def _generations(area: Area, policy: Policy) -> tuple[list[Step], list[Verdicted]]:
    current = generations.current(area.store)
    there = [name for name in area.store.names("") if name.isdigit()]
    decided = decide_generations(there, current.name if current else "", policy.keep_generations)
    steps = []
    for item in decided:
        if not item.keep:
            place = area.store.at(item.name)
            size = size_of(place)
            steps.append(Step(kind=Kind.REMOVE, place=place, reason=item.reason, size_bytes=size))
    return steps, [item for item in decided if item.keep]


def _trash(area: Area, policy: Policy, now: datetime) -> list[Step]:
    there = set(area.store.names(f"{OURS}/trash"))
    made = [(n, entry.at) for n, entry in journal.named_entries(area.store) if n in there]
    steps = []
    for item in decide_trash(made, days=policy.trash_days, now=now):
        if item.keep:
            continue
        first = f"{area.trash}/{item.name}"
        # Those beside outputs first: the first names them.
        for place in (*homes(first), first):
            if os.path.isdir(place):  # noqa: PTH112
                step = Step(
                    kind=Kind.REMOVE,
                    place=place,
                    reason=item.reason,
                    size_bytes=_alone(place),
                    home="" if place == first else _home(place),
                )
                steps.append(step)
    return steps


def _alone(place: str) -> int:
    """Bytes that are freed: files that no other tree shares by a hard link."""
    if not os.path.isdir(place):  # noqa: PTH112
        return size_of(place)
    return sum(
        size for path, size in sizes(place).items() if os.lstat(f"{place}/{path}").st_nlink == 1
    )


def _home(place: str) -> str:
    """The output directory beside which a place of the trash lies: `beside` turned round."""
    folder = place.partition(f"/{OURS}/trash/")[0]
    head, _, name = folder.rpartition("/")
    return f"{head}/{name.removeprefix('.').removesuffix(TRASH_SUFFIX)}"


def _orphans(area: Area, policy: Policy, now: datetime) -> tuple[list[Step], list[Obstacle]]:
    steps: list[Step] = []
    obstacles: list[Obstacle] = []
    before = now.timestamp() - policy.orphan_hours * 3600
    for path in _checkpoints(area):
        checkpoint = Checkpoint.open(path)
        removed = tuple(find_orphans(checkpoint, before_seconds=before))
        if not removed:
            continue
        freed = sum(item.size_bytes for item in removed)
        there = sizes(path)
        step = Step(
            kind=Kind.REBUILD,
            place=path,
            reason="files that nothing refers to",
            size_bytes=freed,
            removed=removed,
            kept_files=len(there) - len(removed),
            kept_bytes=sum(there.values()) - freed,
        )
        obstacles += guards.starts(preview.checkpoint(step))
        steps.append(step)
    return steps, obstacles


def _checkpoints(area: Area) -> Sequence[str]:
    if not area.has_generations:
        path = local_path(area.location)
        return [path] if path and os.path.isdir(path) else []  # noqa: PTH112
    current = generations.current(area.store)
    found = []
    for query in generations.queries(area.store, current.name) if current else ():
        place = area.store.at(f"{current.name}/{query}") if current else ""
        try:
            Checkpoint.open(place)
        except CheckpointNotFound:
            continue
        found.append(place)
    return found
