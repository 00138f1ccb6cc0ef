"""Carry a plan out: stage, write down, exchange, journal. And finish what another left.

At any point the process may die. Before `pending.json` the trash alone was touched: `recover`
sweeps it. After, `recover` goes on from where it stopped.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streamctl.checkpoint.change import pending as pendings
from streamctl.checkpoint.change import stage
from streamctl.checkpoint.change.area import (
    OURS,
    Area,
    Held,
    area_of,
    new_id,
    remove_tree,
    slot_folder,
)
from streamctl.checkpoint.change.exchange import Disturbed, between
from streamctl.checkpoint.change.pending import Act, Pending, Put
from streamctl.checkpoint.change.plan import Kind, Plan, Step, fingerprint
from streamctl.checkpoint.location import journal
from streamctl.checkpoint.location.journal import Entry
from streamctl.checkpoint.location.store import StorageFailed
from streamctl.errors import PartlyDone, Refused, StreamctlError
from streamctl.reports import Verdict, as_json

_HOMES = "homes.json"
Build = Callable[[Step, str, Callable[[], None]], None]
"""Makes what a step of kind restore puts in: the step, where to make it, what renews the lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeReport:
    """A change that was made.

    Attributes:
        entry: name of its journal entry; "" when there was nothing to change.
        undo: the command that reverses it; "" when nothing does.
        facts: as in its plan.
    """

    verdict: Verdict
    verb: str
    subject: str
    entry: str
    undo: str
    steps: int
    removed_bytes: int
    facts: dict[str, Any]
    notes: tuple[str, ...]


def apply(area: Area, plan: Plan, held: Held, *, build: Build | None = None) -> ChangeReport:
    """Make a planned change. The lease is held, nothing is pending, the guards were asked.

    Args:
        area: of the lease.
        plan: to carry out.
        held: the lease.
        build: for the steps of a restore; what it raises leaves everything as it is.

    Raises:
        Refused: a place has moved since the plan was made.
        StorageFailed: storage refused; everything is as it was.
        PartlyDone: it refused on the way back too; the next command goes on.
    """
    require_unmoved(area, plan)
    name = new_id(plan.verb, now=datetime.now(UTC))
    if plan.steps:
        try:
            acts = _stage(area, plan.steps, name, held, build)
            held.confirm()
        except OSError as error:
            _try_sweep(area)
            raise _failed(plan.verb, error) from error
        except StreamctlError:
            _try_sweep(area)
            raise
        carry_out(area, Pending(name=name, entry=_entry(plan, acts), acts=acts))
    return ChangeReport(
        verdict=Verdict.OK,
        verb=plan.verb,
        subject=plan.subject,
        entry=name if plan.steps else "",
        undo=f"streamctl checkpoint undo {name[-8:]} --path {area.location}"
        if plan.steps and plan.reversible
        else "",
        steps=len(plan.steps),
        removed_bytes=plan.size_bytes,
        facts=dict(plan.facts),
        notes=plan.notes,
    )


def require_unmoved(area: Area, plan: Plan) -> None:
    """Guard: what is changed must be what was looked at.

    Raises:
        Refused: a place has moved since the plan was made.
    """
    if fingerprint(plan.steps, area.store, plan.watched) != plan.fingerprint:
        raise Refused(
            f"{plan.subject} has changed since the plan was made",
            hint="Make the plan again.",
        )


def carry_out(area: Area, pending: Pending) -> None:
    """Write down, do, journal; on failure bring everything back.

    Raises:
        StorageFailed, PartlyDone: see `apply`.
    """
    try:
        pendings.write(area.store, pending)
        pendings.forward(area.store, pending.acts)
    except (OSError, StorageFailed, Disturbed) as error:
        _give_up(area, pending, error)
    _conclude(area, pending)


def recover(area: Area) -> Entry | None:
    """Finish what a dead command left, forward or else backward; sweep its leavings.

    Returns:
        The change that was finished; None when there was nothing to finish.

    Raises:
        StorageFailed: storage refused; everything is as it was before the change.
        PartlyDone: it refused on the way back too.
    """
    left = pendings.read(area.store)
    if left is not None and left.name in dict(journal.named_entries(area.store)):
        area.store.remove(pendings.NAME)  # all was done but this
    elif left is not None:
        try:
            pendings.forward(area.store, left.acts)
        except (OSError, StorageFailed, Disturbed) as error:
            _give_up(area, left, error)
        _conclude(area, left)
    _try_sweep(area)
    return left.entry if left else None


def recover_at(location: str) -> Entry | None:
    """The same for whoever holds the lease of a location, before it starts a query."""
    return recover(area_of(location))


def _give_up(area: Area, pending: Pending, error: Exception) -> None:
    """Bring everything back and say why."""
    try:
        pendings.backward(area.store, pending.acts)
        area.store.remove(pendings.NAME)
    except (OSError, StorageFailed, Disturbed) as second:
        raise PartlyDone(
            f"{pending.entry.verb} stopped half-way: {error}; and going back failed: {second}",
            hint="Mend the storage; the next `streamctl checkpoint` command or start goes on.",
        ) from error
    _try_sweep(area)
    raise _failed(pending.entry.verb, error) from error


def _conclude(area: Area, pending: Pending) -> None:
    """Journal a change that is made, and forget that it was pending."""
    try:
        after = pending.entry.after | {"fingerprint": fingerprint_of(area, pending.acts)}
        entry = pendings.finished(pending, after=after)
        journal.record(area.store, entry, name=pending.name)
        area.store.remove(pendings.NAME)
        if entry.undo is None:
            _purge(area, pending.name)
    except (OSError, StorageFailed) as error:
        raise PartlyDone(
            f"{pending.entry.verb} is done, and its journal entry is not: {error}",
            hint="Mend the storage; the next `streamctl checkpoint` command writes it.",
        ) from error


def fingerprint_of(area: Area, acts: Sequence[Act]) -> str:
    """Of all places that acts change, as they are now."""
    steps = [
        Step(kind=Kind.WRITE, place=area.store.at(act.name), reason="")
        if isinstance(act, Put)
        else Step(kind=Kind.REMOVE, place=act.place, reason="")
        for act in acts
    ]
    return fingerprint(steps, area.store)


def _failed(verb: str, error: Exception) -> StorageFailed:
    text = getattr(error, "message", "") or getattr(error, "strerror", "") or str(error)
    where = getattr(error, "filename", None)
    return StorageFailed(
        f"{verb} failed and everything is as it was: {text}" + (f' ("{where}")' if where else ""),
        hint="Mend the storage and run the command again.",
    )


def _entry(plan: Plan, acts: Sequence[Act]) -> Entry:
    return Entry(
        at=datetime.now(UTC),
        who=journal.whoami(),
        verb=plan.verb,
        why=plan.why,
        before={"subject": plan.subject, "fingerprint": plan.fingerprint},
        after={"facts": as_json(plan.facts), "bytes": plan.size_bytes},
        undo={"acts": as_json(pendings.reversed_acts(acts))} if plan.reversible else None,
    )


def _stage(
    area: Area, steps: Sequence[Step], name: str, held: Held, build: Build | None
) -> tuple[Act, ...]:
    """Build everything new in its slot."""
    folders = {step.home: slot_folder(area, step.home, name) for step in steps}
    if area.store.is_local:
        _make_folders(area, name, [path for home, path in folders.items() if home])
    acts: list[Act] = []
    for number, step in enumerate(steps):
        if step.kind is Kind.WRITE:
            acts.append(_put(area, step))
            continue
        slot = step.slot or f"{folders[step.home]}/{number}"
        if step.kind is Kind.REBUILD:
            without = frozenset(item.path for item in step.removed)
            stage.build(step.place, slot, without=without, written=step.written, beat=held.beat)
        elif step.kind is Kind.CREATE:
            stage.create(slot, written=step.written)
        elif step.kind is Kind.RESTORE and build is not None:
            build(step, slot, held.beat)
        acts.append(between(step.place, slot))
    return tuple(acts)


def _put(area: Area, step: Step) -> Put:
    name = step.place.removeprefix(f"{area.store.path}/")
    before = area.store.read(name)
    return Put(
        name=name, before=None if before is None else before.decode(), after=step.written.get("")
    )


def _make_folders(area: Area, name: str, others: Sequence[str]) -> None:
    """The change's places in the trash; the first says where the others are."""
    first = f"{area.trash}/{name}"
    os.makedirs(first)  # noqa: PTH103
    if others:
        stage.write_file(f"{first}/{_HOMES}", json.dumps(list(others)))
    for path in others:
        os.makedirs(path)  # noqa: PTH103


def _try_sweep(area: Area) -> None:
    """Leavings in the trash harm nobody: where they cannot be removed, the next command tries."""
    with suppress(OSError, StorageFailed):
        sweep(area)


def sweep(area: Area) -> None:
    """Remove what dead commands left in the trash: staged and never begun, or to be purged.

    Raises:
        OSError, StorageFailed: storage refuses; nothing that is needed was touched.
    """
    if not area.store.is_local:
        return
    for folder in (OURS, f"{OURS}/journal", f"{OURS}/generations"):
        for name in area.store.names(folder):
            if name.endswith(".tmp") and not name.startswith("lease"):  # which a rival may write
                area.store.remove(f"{folder}/{name}")
    kept = {name for name, entry in journal.named_entries(area.store) if entry.undo is not None}
    for name in area.store.names(f"{OURS}/trash"):
        if name not in kept:
            _purge(area, name)


def _purge(area: Area, name: str) -> None:
    """Remove a change's places in the trash for good; the one that names the others last."""
    first = f"{area.trash}/{name}"
    for path in homes(first):
        remove_tree(path)
    remove_tree(first)


def homes(folder: str) -> list[str]:
    """The places in the trash beside outputs that a change has besides its first."""
    try:
        with open(f"{folder}/{_HOMES}", encoding="utf-8") as file:  # noqa: PTH123
            return [str(path) for path in json.load(file)]
    except FileNotFoundError:
        return []
    except ValueError:
        return []  # cut by a kill before any of them was made
