"""The circuit breaker as operators see and move it."""

from dataclasses import dataclass
from datetime import datetime

from streamctl.checkpoint.location.journal import whoami
from streamctl.errors import JobNotFound
from streamctl.observe.status import is_supervised
from streamctl.reports import Verdict
from streamctl.resilience.breaker import BreakerState, Circuit, closed, held_open
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import BreakerRequest

_VERDICTS = {Circuit.CLOSED: Verdict.OK, Circuit.OPEN: Verdict.PROBLEM}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerReport:
    """Where it stands.

    Attributes:
        verdict: ok when closed, unknown while a trial is made.
        asked: whether a running supervisor was asked to move it, and has yet to.
    """

    verdict: Verdict
    state: BreakerState
    asked: bool = False


def read_breaker(run: RunDirectory) -> BreakerReport:
    """Look at it.

    Raises:
        JobNotFound: no job was ever started.
    """
    state = run.read(BreakerState)
    if state is None:
        raise JobNotFound(
            "no job was ever started here, so there is no circuit breaker",
            hint="`streamctl start` starts one; run it in the project's directory.",
        )
    return BreakerReport(verdict=_VERDICTS.get(state.circuit, Verdict.UNKNOWN), state=state)


def move_breaker(run: RunDirectory, wanted: Circuit, *, why: str, now: datetime) -> BreakerReport:
    """Open it, and hold it open; or close it.

    A supervisor that runs is asked; without one the state is written for the next start.

    Raises:
        JobNotFound: no job was ever started.
    """
    before = read_breaker(run).state
    if is_supervised(run):
        run.write(BreakerRequest(at=now, who=whoami(), why=why, wanted=wanted))
        return BreakerReport(verdict=Verdict.OK, state=before, asked=True)
    state = closed(now) if wanted is Circuit.CLOSED else held_open(whoami(), why, now)
    run.write(state)
    return BreakerReport(verdict=Verdict.OK, state=state)
