"""Delivers notices through apprise, in a thread of its own: a receiver never holds up the job.

What a receiver does not take is tried again with exponential backoff for a day, over restarts of
the supervisor too. A heartbeat is not: an old one would say what is no longer so.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from streamctl.errors import StreamctlError
from streamctl.health.alerts.book import AlertBook, Notice, Pending
from streamctl.health.alerts.states import Told
from streamctl.settings.secrets import resolve

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
GIVE_UP = timedelta(days=1)
_TYPES = {Told.OPEN: "failure", Told.REMINDER: "warning", Told.CLOSE: "success"}

Send = Callable[[str, Notice], bool]
"""(URL, notice) -> whether the receiver took it."""


def send(url: str, notice: Notice) -> bool:
    """Hand a notice to the service that the URL names.

    Raises:
        StreamctlError: apprise does not know such a URL, or a secret in it cannot be resolved.
    """
    import apprise

    service = apprise.Apprise()
    if not service.add(resolve(url)):
        raise StreamctlError(
            "apprise does not know the service of a receiver",
            hint="alerts.receivers takes apprise URLs, such as mailto://, slack:// or json://.",
        )
    taken = service.notify(
        title=notice.title, body=notice.body, notify_type=_TYPES.get(notice.told, "info")
    )
    return bool(taken)


class Delivery:
    """Takes notices and delivers them.

    Args:
        book: where those lie that are not delivered yet.
        receivers: apprise URLs for alerts.
        heartbeat: apprise URLs for heartbeats.
        tell: (level, message) -> writes to the log.
        send: another one in tests.
    """

    def __init__(
        self,
        book: AlertBook,
        *,
        receivers: list[str],
        heartbeat: list[str],
        tell: Callable[[str, str], None],
        send: Send = send,
    ) -> None:
        self._book = book
        self._urls = [*receivers, *heartbeat]
        self._alerts = range(len(receivers))
        self._beats = range(len(receivers), len(self._urls))
        self._tell = tell
        self._send = send
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = False
        self._pending = [p for p in book.pending() if p.receiver < len(self._urls)]
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> None:
        """Begin."""
        if self._urls:
            self._thread.start()

    def end(self, *, within_seconds: float) -> None:
        """Deliver what is left, at most for so long; the rest waits for the next run."""
        self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(within_seconds)

    def put(self, notice: Notice) -> None:
        """Take a notice for all receivers of its kind."""
        beat = notice.told is Told.HEARTBEAT
        receivers = self._beats if beat else self._alerts
        with self._lock:
            if beat:
                self._pending = [p for p in self._pending if p.notice.told is not Told.HEARTBEAT]
            self._pending += [
                Pending(receiver=number, attempts=0, next_at=notice.at, notice=notice)
                for number in receivers
            ]
            self._book.write_pending(self._pending)
        self._wake.set()

    def _run(self) -> None:
        while True:
            wait = self._deliver_due(datetime.now(UTC))
            if self._ending and (wait is None or wait > 0):
                return
            self._wake.wait(wait)
            self._wake.clear()

    def _deliver_due(self, now: datetime) -> float | None:
        """Try what is due; seconds until the next is, None when nothing is left."""
        for pending in list(self._pending):
            if pending.next_at <= now:
                self._try(pending, now)
        with self._lock:
            due = min((p.next_at for p in self._pending), default=None)
        return None if due is None else max(0.0, (due - datetime.now(UTC)).total_seconds())

    def _try(self, pending: Pending, now: datetime) -> None:
        try:
            problem = "" if self._send(self._urls[pending.receiver], pending.notice) else "refused"
        except StreamctlError as error:
            problem = error.message
        except Exception as error:  # noqa: BLE001 - any service of apprise, any way to fail
            problem = f"{type(error).__name__}: {error}"
        if problem and pending.attempts == 0:
            self._tell("WARN", f"receiver {pending.receiver + 1} did not take a notice: {problem}")
        later = _later(pending, now) if problem else None
        if problem and later is None:
            self._tell("ERROR", f'a notice was not delivered: "{pending.notice.title}"')
        with self._lock:
            rest = [p for p in self._pending if p is not pending]
            self._pending = [*rest, later] if later else rest
            self._book.write_pending(self._pending)


def _later(pending: Pending, now: datetime) -> Pending | None:
    """When to try again; None when it is too late."""
    if pending.notice.told is Told.HEARTBEAT or now - pending.notice.at > GIVE_UP:
        return None
    wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**pending.attempts)
    return replace(pending, attempts=pending.attempts + 1, next_at=now + timedelta(seconds=wait))
