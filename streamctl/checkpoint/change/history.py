"""What was done to a checkpoint, told from its journal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamctl.checkpoint.change.area import Area
from streamctl.checkpoint.location import journal
from streamctl.checkpoint.tree.files import local_path
from streamctl.checkpoint.verify.seal import Remade


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One change.

    Attributes:
        entry: its name, for `undo`.
        reversible: `undo` may bring it back, if nothing has moved since.
    """

    entry: str
    at: datetime
    verb: str
    subject: str
    who: str
    why: str
    reversible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalReport:
    """What was done to a checkpoint, oldest first."""

    location: str
    entries: tuple[JournalLine, ...]


def read_changes(area: Area, *, newest: int) -> JournalReport:
    """The newest changes of a checkpoint.

    Args:
        area: the checkpoint, with what is kept about it.
        newest: how many.
    """
    found = [
        JournalLine(
            entry=name,
            at=entry.at,
            verb=entry.verb,
            subject=str(entry.before.get("subject", "")),
            who=entry.who,
            why=entry.why,
            reversible=entry.undo is not None,
        )
        for name, entry in journal.named_entries(area.store)
    ]
    return JournalReport(location=area.location, entries=tuple(found[-newest:]))


def remade(area: Area, location: str) -> list[Remade]:
    """From where on a checkpoint may have been written anew since each change; oldest first.

    Args:
        area: the checkpoint, with what is kept about it.
        location: of the checkpoint itself, as given.
    """
    path = local_path(location) or location
    first: dict[str, int] = {}
    found = []
    for name, entry in journal.named_entries(area.store):
        if entry.before.get("subject") != path:
            continue
        batch_id = _first_remade(entry.verb, entry.after.get("facts", {}), first)
        if batch_id is not None:
            first[name] = batch_id
            found.append(Remade(at=entry.at, batch_id=batch_id))
    return found


def _first_remade(verb: str, facts: Mapping[str, Any], of: Mapping[str, int]) -> int | None:
    """An undo brings back what the change that it reverses has remade."""
    match verb:
        case "rewind":
            return int(facts["to_batch_id"]) + 1
        case "skip":
            return facts.get("first_raised_batch_id")
        case "undo":
            return of.get(facts["entry"])
        case _:
            return None
