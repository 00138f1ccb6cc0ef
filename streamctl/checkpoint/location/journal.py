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


def record(store: Store, entry: Entry) -> None:
    """Write the entry."""
    moment = entry.at.strftime("%Y%m%dT%H%M%S.%f")
    name = f"{_FOLDER}/{moment}-{entry.verb.replace(' ', '-')}-{uuid.uuid4().hex[:8]}.json"
    store.replace(name, json.dumps(as_json(entry), indent=1).encode())


def entries(store: Store) -> Iterator[Entry]:
    """All entries, oldest first."""
    for name in store.names(_FOLDER):
        data = store.read(f"{_FOLDER}/{name}")
        if data is not None and name.endswith(".json"):
            fields = json.loads(data)
            yield Entry(**fields | {"at": datetime.fromisoformat(fields["at"])})


def whoami() -> str:
    """User and host, for the journal and for stop requests."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown user"
    return f"{user}@{socket.gethostname()}"
