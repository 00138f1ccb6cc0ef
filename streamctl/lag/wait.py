"""A gate for pipelines: wait until the lag is small, and stays so."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from streamctl.errors import LASTING, DeadlinePassed, StreamctlError
from streamctl.lag.model import LagReport
from streamctl.reports import Event, OnEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A lag in records, or in seconds. One of them is None."""

    records: int | None = None
    seconds: float | None = None

    def holds(self, report: LagReport) -> bool:
        """Whether the lag is at or below it; what is not known is not below anything."""
        if self.records is not None:
            return report.lag_records is not None and report.lag_records <= self.records
        assert self.seconds is not None  # noqa: S101 - one of the two is set
        return report.time_lag_seconds is not None and report.time_lag_seconds <= self.seconds


def wait(
    look: Callable[[], LagReport],
    *,
    below: Bound,
    lasting_seconds: float,
    timeout_seconds: float,
    every_seconds: float,
    on_event: OnEvent,
) -> LagReport:
    """Look until the lag has been at or below the bound for as long as asked.

    A look that fails is one at a lag that is not known: a gate is often opened while Kafka or the
    job is still starting.

    Args:
        look: measures the lag.
        below: the bound.
        lasting_seconds: for how long without interruption; 0 for one look.
        timeout_seconds: at most so long.
        every_seconds: between looks.
        on_event: told of each look.

    Raises:
        DeadlinePassed: it was not so in time.
        SettingsInvalid, Unsupported, Malformed, Refused: a later look would find the same.
    """
    began, since = time.monotonic(), None
    while True:
        report, told = _try(look)
        now = time.monotonic()
        since = (since or now) if report and below.holds(report) else None
        if report and since is not None and now - since >= lasting_seconds:
            return report
        held = "" if since is None else f", below the bound for {now - since:.0f} s"
        on_event(Event(message=f"lag: {told}{held}"))
        left = timeout_seconds - (now - began)
        if left <= 0:
            raise DeadlinePassed(
                f"the lag is {told} after {timeout_seconds:.0f} s",
                hint="See `streamctl lag`; give a longer --timeout or a higher --below.",
            )
        more = left if since is None else lasting_seconds - (now - since)
        time.sleep(min(every_seconds, left, more))


def _try(look: Callable[[], LagReport]) -> tuple[LagReport | None, str]:
    """A report, and what it tells of the lag."""
    try:
        report = look()
    except LASTING:
        raise
    except StreamctlError as error:
        return None, f"not known ({error.message})"
    if report.lag_records is None:
        return report, "not known"
    return report, f"{report.lag_records:,} records"
