"""Who works in a repository: several may add at once, one that removes is alone.

As restic's locks: a file for each worker. One that wants to be alone writes its own first and looks
then; whoever sees another's that forbids it withdraws. A lock whose process is gone from this host
binds nobody; one of another host binds until it is removed by `backup unlock`.
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from streamctl.checkpoint.location.journal import whoami
from streamctl.checkpoint.location.lease import process_started
from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.errors import Busy
from streamctl.reports import as_json, iso

_FOLDER = "locks"
_SETTLE_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One worker.

    Attributes:
        alone: whether it must be the only one.
        pid, process_started: on `host`; seconds since the epoch.
    """

    id: str
    who: str
    what: str
    alone: bool
    host: str
    pid: int
    process_started: float
    at: datetime

    @property
    def is_dead(self) -> bool:
        """Whether its process is known to be gone."""
        if self.host != socket.gethostname():
            return False
        started = process_started(self.pid)
        return started is None or abs(started - self.process_started) >= 1

    def describe(self) -> str:
        """The owner in one phrase."""
        return f"`{self.what}` of {self.who} (process {self.pid} on {self.host}, {iso(self.at)})"


@contextmanager
def locked(store: Store, *, what: str, alone: bool, now: datetime) -> Iterator[None]:
    """Work in a repository.

    Raises:
        Busy: another worker forbids it; the message names it.
        StorageFailed: the repository cannot be written.
    """
    pid = os.getpid()
    own = Lock(
        id=uuid.uuid4().hex, who=whoami(), what=what, alone=alone, host=socket.gethostname(),
        pid=pid, process_started=process_started(pid) or 0.0, at=now,
    )  # fmt: skip
    _require(store, own)
    store.replace(f"{_FOLDER}/{own.id}.json", json.dumps(as_json(own)).encode())
    try:
        if alone or any(lock.alone for lock in locks(store) if lock.id != own.id):
            time.sleep(_SETTLE_SECONDS)
        _require(store, own)
        yield
    finally:
        store.remove(f"{_FOLDER}/{own.id}.json")


@contextmanager
def reading(store: Store, *, what: str, now: datetime) -> Iterator[None]:
    """Keep those out who remove; a repository that cannot be written is read without a lock.

    Raises:
        Busy: somebody prunes; the message names him.
    """
    with ExitStack() as stack:
        with suppress(StorageFailed):
            stack.enter_context(locked(store, what=what, alone=False, now=now))
        yield


def _require(store: Store, own: Lock) -> None:
    for lock in locks(store):
        if lock.id == own.id or lock.is_dead or not (lock.alone or own.alone):
            continue
        away = "" if lock.host == socket.gethostname() else " --all"
        raise Busy(
            f"the repository is in use by {lock.describe()}",
            hint=f"Wait for it. If it is dead, remove its lock: `streamctl backup unlock{away}`.",
        )


def locks(store: Store) -> list[Lock]:
    """All of them; one that cannot be read was half removed and counts as gone."""
    found = []
    for name in store.names(_FOLDER):
        data = store.read(f"{_FOLDER}/{name}")
        try:
            fields = json.loads(data or b"")
            found.append(Lock(**fields | {"at": datetime.fromisoformat(fields["at"])}))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def unlock(store: Store, *, every: bool) -> list[Lock]:
    """Remove the locks of dead workers, or all; return those removed."""
    gone = [lock for lock in locks(store) if every or lock.is_dead]
    for lock in gone:
        store.remove(f"{_FOLDER}/{lock.id}.json")
    return gone
