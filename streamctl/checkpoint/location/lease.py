"""One writer: a lease in the checkpoint store, held by the supervisor and renewed.

Spark has no lock file: two runs on one checkpoint find out when a rename fails, possibly after
writing output. The lease is created exclusively, so one of several starts gets it, across hosts
too. It may be taken over when it was not renewed for its length, or when its owner was a process
of this host and is gone (its driver as well).
"""

import fcntl
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.errors import Busy
from streamctl.reports import as_json, iso

SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who may write.

    Attributes:
        token: unique to one acquisition.
        owner: run id of the owner.
        pid, process_started: the supervisor; seconds since the epoch.
        driver_pid, driver_started: its driver, None while there is none.
        seconds: how long it holds after `renewed_at`.
        generation: the only one that it covers, for a run beside the live one; empty for the
            location.
    """

    token: str
    owner: str
    host: str
    pid: int
    process_started: float
    acquired_at: datetime
    renewed_at: datetime
    seconds: float
    driver_pid: int | None = None
    driver_started: float | None = None
    generation: str = ""

    @property
    def expires_at(self) -> datetime:
        """When it may be taken over if it is not renewed."""
        return self.renewed_at + timedelta(seconds=self.seconds)

    def describe(self) -> str:
        """The owner in one phrase."""
        return (
            f"run {self.owner} (process {self.pid} on {self.host}, since {iso(self.acquired_at)})"
        )


class LeaseLost(Busy):
    """Another owner has taken the lease: stop writing at once."""


def _name(generation: str) -> str:
    return f"_streamctl/lease{'-' * bool(generation)}{generation}.json"


def read(store: Store, *, generation: str = "") -> Lease | None:
    """The lease as it stands; None when there is none. A damaged one counts as held for ever."""
    data = store.read(_name(generation))
    if data is None:
        return None
    try:
        fields = json.loads(data)
        times = {
            name: datetime.fromisoformat(fields[name]) for name in ("acquired_at", "renewed_at")
        }
        return Lease(**fields | times)
    except (ValueError, TypeError, KeyError):
        raise Busy(
            f'the lease "{store.at(_name(generation))}" cannot be read',
            hint="If no job runs on this checkpoint, remove that file.",
        ) from None


def holder(store: Store, *, now: datetime, generation: str = "") -> Lease | None:
    """The lease if it binds; None when the checkpoint is free."""
    lease = read(store, generation=generation)
    return lease if lease and _binds(lease, now=now) else None


def acquire(
    store: Store, *, owner: str, seconds: float, now: datetime, generation: str = ""
) -> tuple[Lease, Lease | None]:
    """Take the lease.

    Returns:
        The lease, and the dead one that it took over, if any.

    Raises:
        Busy: another owner has it; the message names it.
    """
    lease = Lease(
        token=uuid.uuid4().hex,
        owner=owner,
        host=socket.gethostname(),
        pid=os.getpid(),
        process_started=process_started(os.getpid()) or 0.0,
        acquired_at=now,
        renewed_at=now,
        seconds=seconds,
        generation=generation,
    )
    with _alone(store, begins=True):
        dead = read(store, generation=generation)
        if dead is not None and _binds(dead, now=now):
            raise Busy(
                f"the checkpoint is in use by {dead.describe()}",
                hint="Stop that run first, or wait until its lease ends at "
                f"{iso(dead.expires_at)} if it is dead.",
            )
        if dead is not None:
            store.remove(_name(generation))
        if not store.create(_name(generation), _bytes(lease)):
            raise Busy(
                "another start took the lease in this moment", hint="See `streamctl status`."
            )
    _settle(store, lease)
    return lease, dead


@contextmanager
def _alone(store: Store, *, begins: bool = False) -> Iterator[None]:
    """Keep rivals of this machine out between a look at the lease and the write after it.

    Args:
        store: of the lease.
        begins: make the place; otherwise there is nothing to guard where it is gone.
    """
    folder = Path(store.at("_streamctl"))
    if not store.is_local or not (begins or folder.is_dir()):
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lease.lock").open("ab")
    except OSError as error:
        raise StorageFailed(
            f'cannot lock the lease under "{folder}": {error.strerror or error}',
            hint="See that the location has space and may be written by this user.",
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _settle(store: Store, lease: Lease) -> None:
    """Where there is no lock, a rival may have replaced the same dead lease: look once more."""
    if store.is_local:
        return
    time.sleep(SETTLE_SECONDS)
    held = read(store, generation=lease.generation)
    if held is None or held.token != lease.token:
        raise Busy("another start took the lease in this moment", hint="See `streamctl status`.")


def renew(store: Store, lease: Lease, *, now: datetime, driver_pid: int | None = None) -> Lease:
    """Hold it for another term, and tell which driver writes under it.

    Raises:
        LeaseLost: it is no longer ours.
    """
    started = process_started(driver_pid) if driver_pid else None
    renewed = replace(lease, renewed_at=now, driver_pid=driver_pid, driver_started=started)
    with _alone(store):
        held = read(store, generation=lease.generation)
        if held is None or held.token != lease.token:
            taker = held.describe() if held else "nobody: the lease was removed"
            raise LeaseLost(f"the lease was lost to {taker}")
        store.replace(_name(lease.generation), _bytes(renewed))
    return renewed


def release(store: Store, lease: Lease) -> None:
    """Give it back, if it is still ours."""
    with _alone(store):
        held = read(store, generation=lease.generation)
        if held is not None and held.token == lease.token:
            store.remove(_name(lease.generation))


def _binds(lease: Lease, *, now: datetime) -> bool:
    if lease.host == socket.gethostname():
        return _alive(lease.pid, lease.process_started) or _alive(
            lease.driver_pid, lease.driver_started
        )
    return now < lease.expires_at


def _alive(pid: int | None, started: float | None) -> bool:
    """Whether this very process lives; a number given out again to another does not count."""
    if pid is None:
        return False
    actual = process_started(pid)
    return actual is not None and (started is None or abs(actual - started) < 1)


def process_started(pid: int) -> float | None:
    """When a process of this host began, in seconds since 1970; None when it is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def _bytes(lease: Lease) -> bytes:
    return json.dumps(as_json(lease), indent=1).encode()
