"""Samples with what follows from those before them: for how long nothing was committed. Pure."""

import statistics
from collections.abc import Callable, Iterable
from typing import NamedTuple

from streamctl.chaos.evidence import Evidence, Sample
from streamctl.observe.stall import stall_window

BLIND_SECONDS = 6.0
"""How far what is told may be behind what is so: both are only looked at now and then."""
_IDLE_SECONDS = 30.0
"""So long a query that found nothing to read is taken for idle, see `observe/sample.py`."""


class Moment(NamedTuple):
    """A sample, and what was before it.

    Attributes:
        silent_seconds: since the last commit, or since the driver began, or said that it starts
            its queries; 0 without work to do.
        others_silent_seconds: since the query that writes dead letters finished a batch; 0 where
            there is none.
        stall_seconds: how long that may be before the job is no longer ready.
    """

    sample: Sample
    silent_seconds: float
    others_silent_seconds: float
    stall_seconds: float

    @property
    def at(self) -> float:
        """Seconds since 1970."""
        return self.sample.at


def moments(evidence: Evidence) -> list[Moment]:
    """Each sample, by what the commit log and the processes say; its settings must be known."""
    found: list[Moment] = []
    heard: float | None = None
    last: tuple[int | None, int | None] = (None, None)
    for sample in evidence.samples:
        now = (sample.committed, sample.driver_pid or last[1])
        if heard is None or now != last:
            heard, last = sample.at, now
        if sample.true_lag == 0:
            heard = sample.at + _IDLE_SECONDS
        heard = max([heard, *(at for at in evidence.launched if at <= sample.at)])
        silent, others = max(0.0, sample.at - heard), _others_silent(evidence, sample.at)
        found.append(Moment(sample, silent, others, _stall(evidence, sample.at)))
    return found


def _others_silent(evidence: Evidence, at: float) -> float:
    if not evidence.letters:
        return 0.0
    done = [each.done for each in evidence.letters if each.done is not None and each.done <= at]
    return at - max(done, default=0.0)


def _stall(evidence: Evidence, at: float) -> float:
    usual = [batch.seconds for batch in evidence.batches if batch.at + batch.seconds <= at]
    return stall_window(
        statistics.median(usual) if usual else None,
        at_least=evidence.set_to["observe"]["stall_seconds"],
        trigger=evidence.set_to["stream"]["trigger"],
    )


def longest(moments: Iterable[Moment], holds: Callable[[Moment], bool]) -> float:
    """Seconds of the longest stretch of moments in which something holds."""
    most = 0.0
    since: float | None = None
    for moment in moments:
        if holds(moment):
            since = moment.at if since is None else since
            most = max(most, moment.at - since)
        else:
            since = None
    return most
