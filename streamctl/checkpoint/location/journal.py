"""The journal: one file for each change to a checkpoint location.

An entry is a file of its own because object stores cannot append; its name begins with the
time, so a listing is in order.
"""

import getpass
import json
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from streamctl.checkpoint.location.store import Store
from streamctl.reports import as_json

_FOLDER = "_streamctl/journal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change.

    Attributes:
        verb: what was done, such as `start`, `take over lease`, `rewind`.
        before, after: what changed, as the verb defines it.
        undo: what reverses it; None when nothing does.
    """

    at: datetime
    who: str
    verb: str
    why: str
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    undo: dict[str, Any] | None = None


def record(store: Store, entry: Entry, *, name: str = "") -> None:
    """Write the entry.

    Args:
        store: the checkpoint location.
        entry: what was done.
        name: of the entry, to write the same one again after an interruption; "" makes one.
    """
    moment = entry.at.strftime("%Y%m%dT%H%M%S.%f")
    name = name or f"{moment}-{entry.verb.replace(' ', '-')}-{uuid.uuid4().hex[:8]}"
    store.replace(f"{_FOLDER}/{name}.json", json.dumps(as_json(entry), indent=1).encode())


def entries(store: Store) -> Iterator[Entry]:
    """All entries, oldest first."""
    for _, entry in named_entries(store):
        yield entry


def named_entries(store: Store) -> Iterator[tuple[str, Entry]]:
    """All entries with their names, oldest first."""
    for name in store.names(_FOLDER):
        data = store.read(f"{_FOLDER}/{name}") if name.endswith(".json") else None
        if data is not None:
            fields = json.loads(data)
            entry = Entry(**fields | {"at": datetime.fromisoformat(fields["at"])})
            yield name.removesuffix(".json"), entry


def whoami() -> str:
    """User and host, for the journal and for stop requests."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown user"
    return f"{user}@{socket.gethostname()}"
