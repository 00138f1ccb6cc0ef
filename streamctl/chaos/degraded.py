"""How a job was degraded by a fault, in one line made of the samples. Pure."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from streamctl.chaos.evidence import Evidence, Sample
from streamctl.chaos.timeline import usual_lag

_NOTABLE_GAP = 2.0
"""As many times the longest time between commits before, or more."""
_NOTABLE_SHARE = 0.8
_LEAST_SECONDS = 10.0
"""Throughput is counted over the fault, and over so long at least: a kill takes no time."""


def degraded(evidence: Evidence) -> str:
    """What was worse than before from the begin of the fault on; "not visibly" when nothing was.

    Empty without a fault, or when nobody looked.
    """
    if evidence.began is None or not evidence.samples:
        return ""
    facts = [*_no_commit(evidence), *_lag(evidence), *_throughput(evidence), *_told(evidence)]
    return ", ".join(facts) or "not visibly"


def _no_commit(evidence: Evidence) -> Iterator[str]:
    began = evidence.began or 0.0
    ends = sorted(batch.at + batch.seconds for batch in evidence.batches)
    if ends and ends[-1] <= began:
        ends.append(max(began, evidence.samples[-1].at))  # none has come since
    gaps = [(end, after - end) for end, after in pairwise(ends)]
    usual = max((gap for end, gap in gaps if end + gap <= began), default=0.0)
    most = max((gap for end, gap in gaps if end + gap > began), default=0.0)
    if most > _NOTABLE_GAP * usual:
        yield f"no commit for {most:.0f} s"


def _lag(evidence: Evidence) -> Iterator[str]:
    began = evidence.began or 0.0
    lags = [s.true_lag for s in evidence.samples if s.at >= began and s.true_lag is not None]
    if lags and max(lags) > usual_lag(evidence):
        yield f"lag up to {max(lags):,} records"


def _throughput(evidence: Evidence) -> Iterator[str]:
    """Of what was sent meanwhile, in the fault."""
    began, ended = evidence.began or 0.0, evidence.ended or 0.0
    until = max(ended, began + _LEAST_SECONDS)
    if not evidence.rate or not evidence.batches:
        return
    done = sum(b.records for b in evidence.batches if began <= b.at + b.seconds < until)
    share = done / (evidence.rate * (until - began))
    if share < _NOTABLE_SHARE:
        yield f"throughput down to {share:.0%}"


_TOLD: dict[str, Callable[[Sample], bool]] = {
    "health 503": lambda s: s.ready is False,
    "health silent": lambda s: s.health == "silent",
    "status problem": lambda s: s.verdict == "problem",
    "circuit breaker open": lambda s: s.breaker == "open",
}


def _told(evidence: Evidence) -> Iterator[str]:
    """For how long it was told; a look stands for the time until the next."""
    began = evidence.began or 0.0
    later = list(pairwise(s for s in evidence.samples if s.at >= began))
    for what, shows in _TOLD.items():
        seconds = sum(after.at - look.at for look, after in later if shows(look))
        if seconds:
            yield f"{what} for {seconds:.0f} s"
