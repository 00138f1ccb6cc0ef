"""Holds the lease of what the job writes to, for as long as it is supervised."""

import time
from datetime import UTC, datetime

from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change.area import Held, area_of
from streamctl.checkpoint.location import journal, lease
from streamctl.checkpoint.location.lease import Lease, LeaseLost
from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.errors import Busy
from streamctl.settings.model import Settings
from streamctl.supervisor.logs import JobLog


class Holding:
    """The lease of a run.

    Args:
        store: the checkpoint location.
        settings: how long it lasts, and the generation when it is not the current one.
        log: where what is odd about it is told.
    """

    def __init__(self, store: Store, settings: Settings, log: JobLog) -> None:
        self._store = store
        self._settings = settings.checkpoint
        self._log = log
        self._lease: Lease | None = None
        self._renewed = 0.0

    def take(self, owner: str) -> None:
        """Take it, over from a dead owner too, and finish a change that died half-way.

        Raises:
            Busy: another owner has it.
            StorageFailed: the store fails.
        """
        self._lease, dead = lease.acquire(
            self._store,
            owner=owner,
            seconds=self._settings.lease_seconds,
            now=_now(),
            generation=self._settings.generation,
        )
        if dead:
            self._log.event("WARN", f"took over the lease of {dead.describe()}")
            entry = journal.Entry(
                at=_now(),
                who=journal.whoami(),
                verb="take over lease",
                why=f"its owner, {dead.describe()}, is dead",
            )
            journal.record(self._store, entry)
        if not self._settings.generation and (done := changes.recover_at(self._store.url)):
            self._log.event("WARN", f"finished an interrupted {done.verb} of {done.who}")

    def renew(self, driver_pid: int | None, *, at_once: bool = False) -> None:
        """Renew at a third of the lease's length; a store that fails has until the lease ends.

        Raises:
            LeaseLost: it is no longer ours.
        """
        if self._lease is None:
            return
        every = self._lease.seconds / 3
        if not at_once and time.monotonic() - self._renewed < every:
            return
        try:
            self._lease = lease.renew(self._store, self._lease, now=_now(), driver_pid=driver_pid)
            self._renewed = time.monotonic()
        except StorageFailed as error:
            if _now() > self._lease.expires_at:
                raise LeaseLost(f"the lease ran out and {error.message}") from error
            self._log.event("WARN", f"the lease could not be renewed: {error.message}")
            self._renewed = time.monotonic() - every + 1

    def held(self) -> Held:
        """For a change that is made under it.

        Raises:
            LeaseLost: it was not taken.
        """
        if self._lease is None:
            raise LeaseLost("the lease was not taken")
        return Held(area_of(self._store.url), self._lease)

    def give_back(self) -> None:
        """Release it, if it is still ours."""
        if self._lease is None:
            return
        try:
            lease.release(self._store, self._lease)
        except (StorageFailed, Busy) as error:
            self._log.event("WARN", f"the lease could not be released: {error.message}")


def _now() -> datetime:
    return datetime.now(UTC)
