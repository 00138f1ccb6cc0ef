"""Reverse a change: the same exchanges backwards, out of the trash.

Only while nothing has moved since: batches run after a change would be mixed with those before.
An undo is a change too, with its journal entry, so that it can be undone.
"""

from collections.abc import Iterable
from datetime import datetime

from streamctl.checkpoint.change import exchange, pending
from streamctl.checkpoint.change.apply import fingerprint_of
from streamctl.checkpoint.change.area import Area
from streamctl.checkpoint.change.exchange import Exchange
from streamctl.checkpoint.change.pending import Act, Put
from streamctl.checkpoint.change.plan import Kind, Obstacle, Plan, Step, make_plan
from streamctl.checkpoint.location import generations, journal
from streamctl.checkpoint.location.journal import Entry
from streamctl.errors import ExitCode, NotFound

UNDO = "undo"


class EntryNotFound(NotFound):
    """No such entry in the journal, or none that could be undone."""


def plan_undo(area: Area, name: str = "", *, why: str, now: datetime) -> Plan:
    """Plan to reverse a change.

    Args:
        area: whose journal.
        name: of the entry, or a part that only it has; "" for the last change not undone.
        why: the operator's reason.
        now: UTC.

    Raises:
        EntryNotFound: none, or it is not reversible.
        OSError: a place cannot be read.
    """
    entries = list(journal.named_entries(area.store))
    found = dict(entries)
    name = _whole(name, found) if name else last_standing(entries)
    entry = found.get(name)
    if entry is None or entry.undo is None:
        raise EntryNotFound(
            f'entry "{name}" of the journal cannot be undone' if name else "nothing can be undone",
            hint="`streamctl checkpoint journal` lists what was done.",
        )
    acts = _acts(area, entry)
    return make_plan(
        verb=UNDO,
        area=area,
        subject=str(entry.before.get("subject", area.location)),
        why=why or f"undo {entry.verb}",
        now=now,
        steps=[_step(area, act, entry.verb) for act in acts],
        obstacles=[*_moved(area, entry, acts), *_gone(acts)],
        facts={"entry": name, "undoes": entry.verb, "done_at": entry.at, "by": entry.who},
    )


def _whole(part: str, names: Iterable[str]) -> str:
    """The one name that has the part in it; the part itself when there is not one."""
    fitting = [name for name in names if part in name]
    return fitting[0] if len(fitting) == 1 else part


def _acts(area: Area, entry: Entry) -> tuple[Act, ...]:
    """What reverses an entry: its own acts, or the pointer where it only moved that."""
    undo = entry.undo or {}
    if "generation" not in undo:
        return pending.parse_acts(undo.get("acts", []))
    now = area.store.read(generations.POINTER)
    before = generations.pointer_to(str(undo["generation"]))
    text = None if now is None else now.decode()
    return (Put(name=generations.POINTER, before=text, after=before),)


def last_standing(entries: Iterable[tuple[str, Entry]]) -> str:
    """The last reversible change that no later undo has reversed; "" for none. Pure."""
    undone: set[str] = set()
    for name, entry in reversed(list(entries)):
        if name in undone or entry.undo is None:
            continue
        if entry.verb != UNDO:
            return name
        undone.add(str(entry.after.get("facts", {}).get("entry", "")))
    return ""


def _step(area: Area, act: Act, verb: str) -> Step:
    reason = f"as it was before {verb}"
    if isinstance(act, Put):
        written = {} if act.after is None else {"": act.after}
        return Step(kind=Kind.WRITE, place=area.store.at(act.name), reason=reason, written=written)
    return Step(kind=Kind.BRING_BACK, place=act.place, reason=reason, slot=act.slot)


def _moved(area: Area, entry: Entry, acts: tuple[Act, ...]) -> Iterable[Obstacle]:
    if "generation" in (entry.undo or {}):
        current = generations.current(area.store)
        same = current is not None and current.name == entry.after.get("generation")
    else:
        same = fingerprint_of(area, acts) == entry.after.get("fingerprint")
    if not same:
        made_one = bool(entry.after.get("facts", {}).get("before"))
        back = "`streamctl checkpoint rotate --back` leaves both generations as they are. "
        yield Obstacle(
            code="moved-since",
            message=f"{entry.before.get('subject', 'the pointer')} has changed since {entry.verb}",
            hint="A later change is undone first; batches that ran since cannot be kept apart. "
            f"{back * made_one}`streamctl checkpoint journal` lists what was done.",
            exit_code=ExitCode.REFUSED,
            overridable=False,
        )


def _gone(acts: tuple[Act, ...]) -> Iterable[Obstacle]:
    for act in acts:
        held = isinstance(act, Exchange) and act.slot_was is not None
        if held and isinstance(act, Exchange) and exchange.inode(act.slot) is None:
            yield Obstacle(
                code="trash-pruned",
                message=f'the trash no longer holds what was at "{act.place}"',
                hint="Restore a backup: `streamctl checkpoint backup list`.",
                exit_code=ExitCode.NOT_FOUND,
                overridable=False,
            )
