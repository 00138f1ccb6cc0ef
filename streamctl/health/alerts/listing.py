"""The alerts of a job as they stand, and silences: what `streamctl alerts` does."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from streamctl.errors import NotFound, SettingsInvalid, StreamctlError
from streamctl.health.alerts.book import EVERY_ALERT, AlertBook, Notice, Silence
from streamctl.health.alerts.deliver import send
from streamctl.health.alerts.rules import RULES
from streamctl.health.alerts.states import AlertState, Told, fresh
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import AlertSettings, Settings
from streamctl.settings.secrets import has_reference


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsReport:
    """All alerts that are on.

    Attributes:
        verdict: problem when one is open; unknown when nobody looks, the job being down.
        undelivered: notices that wait for a receiver.
    """

    verdict: Verdict
    at: datetime
    watched: bool
    alerts: list[AlertState]
    silences: list[Silence]
    undelivered: int


def list_alerts(
    run: RunDirectory, settings: Settings, *, watched: bool, now: datetime
) -> AlertsReport:
    """Read what the supervisor wrote.

    Args:
        run: of the job.
        settings: which alerts are on.
        watched: whether a supervisor lives.
        now: the moment.
    """
    book = AlertBook(run.path)
    known = {state.name: state for state in book.states()}
    alerts = [known.get(r.name, fresh(r, settings)) for r in RULES if r.is_on(settings)]
    is_open = any(alert.open_since for alert in alerts)
    return AlertsReport(
        verdict=Verdict.PROBLEM if is_open else Verdict.OK if watched else Verdict.UNKNOWN,
        at=now,
        watched=watched,
        alerts=alerts,
        silences=book.silences(now=now),
        undelivered=len(book.pending()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Silences:
    """The silences that hold after a change."""

    silences: list[Silence]


def silence(
    run: RunDirectory, alert: str, *, lasting: timedelta, who: str, why: str, now: datetime
) -> Silences:
    """Tell nobody of an alert for a while; a length of zero ends its silences.

    Raises:
        NotFound: no alert has that name.
    """
    names = [rule.name for rule in RULES]
    if alert not in {EVERY_ALERT, *names}:
        raise NotFound(f'no alert "{alert}"', hint=f"There are: {', '.join(names)}; or `*`.")
    book = AlertBook(run.path)
    rest = [known for known in book.silences(now=now) if known.alert != alert]
    if lasting:
        rest.append(Silence(alert=alert, until=now + lasting, who=who, why=why))
    book.write_silences(rest)
    return Silences(silences=rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Whether a receiver took the test.

    Attributes:
        receiver: its number in the settings, from 1.
        service: the URL's scheme; what follows it may be secret.
        problem: why not; empty when it did.
    """

    receiver: int
    service: str
    problem: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What became of a test notice."""

    verdict: Verdict
    receipts: list[Receipt]


def try_receivers(
    settings: AlertSettings,
    *,
    job: str,
    now: datetime,
    deliver: Callable[[str, Notice], bool] = send,
) -> Tested:
    """Send a test notice to each receiver, and say which took it.

    Raises:
        SettingsInvalid: there is no receiver.
    """
    if not settings.receivers:
        raise SettingsInvalid(
            "no receiver is set",
            hint='Set alerts.receivers in streamctl.toml, for instance ["mailto://..."].',
        )
    notice = Notice(
        at=now, told=Told.TEST, alert="", title=f"[test] {job}", body="Alerts reach this place."
    )
    receipts = [
        _receipt(number, url, notice, deliver)
        for number, url in enumerate(settings.receivers, start=1)
    ]
    failed = any(receipt.problem for receipt in receipts)
    return Tested(verdict=Verdict.PROBLEM if failed else Verdict.OK, receipts=receipts)


def _receipt(
    number: int, url: str, notice: Notice, deliver: Callable[[str, Notice], bool]
) -> Receipt:
    began = time.monotonic()
    try:
        problem = "" if deliver(url, notice) else "the service did not take it"
    except StreamctlError as error:
        problem = error.message
    return Receipt(
        receiver=number,
        service=url if has_reference(url) else url.partition(":")[0],
        problem=problem,
        seconds=round(time.monotonic() - began, 3),
    )
