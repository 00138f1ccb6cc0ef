"""What was done to a checkpoint, told from its journal."""

from dataclasses import dataclass
from datetime import datetime

from streamctl.checkpoint.change.area import Area
from streamctl.checkpoint.location import journal


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
