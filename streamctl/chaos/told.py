"""Holds what the job tells of itself against what was seen from outside. Pure."""

from collections.abc import Callable

from streamctl.chaos.evidence import Evidence
from streamctl.chaos.invariant import Invariant, does_not_apply, found, unknown
from streamctl.chaos.moments import BLIND_SECONDS, Moment, longest, moments

_STALE_SAMPLES = 6


def status_is_honest(evidence: Evidence) -> Invariant:
    """A job without a driver must not be called well for long."""
    name = "status is honest"
    if not evidence.samples:
        return unknown(name, "never asked")
    plain = (Moment(sample, 0.0, 0.0, 0.0) for sample in evidence.samples)
    blind = longest(plain, _called_well_without_a_driver)
    detail = f"called running for {blind:.1f} s without a driver" if blind else "never blind"
    return found(name, detail, wrong=blind > BLIND_SECONDS)


def _called_well_without_a_driver(moment: Moment) -> bool:
    sample = moment.sample
    return sample.verdict == "ok" and sample.observed == "running" and not sample.driver_lives


_LIES: dict[str, Callable[[Moment], bool]] = {
    "ready without a driver": lambda m: m.sample.ready is True and not m.sample.driver_lives,
    "ready, and not running": lambda m: m.sample.ready is True and m.sample.observed != "running",
    "ready, and nothing is committed": lambda m: (
        m.sample.ready is True and m.silent_seconds > m.stall_seconds
    ),
    "not ready, and commits all the same": lambda m: (
        m.sample.ready is False
        and m.sample.observed == "running"
        and m.sample.driver_lives
        and max(m.silent_seconds, m.others_silent_seconds) < BLIND_SECONDS
    ),
}


def health_is_true(evidence: Evidence) -> Invariant:
    """Ready is a job that runs and commits, and no other; by the rules of `health/rules.py`."""
    name = "health is true"
    if not evidence.set_to:
        return unknown(name, "not known what it goes by")
    if not evidence.set_to["http"]["enabled"]:
        return does_not_apply(name, "the job has no address")
    answers = sum(sample.ready is not None for sample in evidence.samples)
    if not answers:
        return unknown(name, "it never answered")
    seen = moments(evidence)
    seconds, what = max((longest(seen, lie), what) for what, lie in _LIES.items())
    wrong = seconds > BLIND_SECONDS
    detail = f"{what}, for {seconds:.1f} s" if wrong else f"{answers} answers agree"
    return found(name, detail, wrong=wrong)


def lag_is_true(evidence: Evidence) -> Invariant:
    """What `lag` tells must follow what Kafka and the checkpoint say, sample after sample."""
    name, slack = "lag is true", 3 * evidence.rate + 100
    run = most = known = 0
    for sample in evidence.samples:
        if sample.told_lag is None or sample.true_lag is None:
            continue
        known += 1
        run = run + 1 if abs(sample.told_lag - sample.true_lag) > slack else 0
        most = max(most, run)
    if not known:
        return unknown(name, "never measured")
    wrong = most >= _STALE_SAMPLES
    detail = f"off in {most} looks on end" if wrong else f"{known} looks agree"
    return found(name, detail, wrong=wrong)


def restarts_are_told(evidence: Evidence) -> Invariant:
    """The status counts every driver that was seen."""
    name, end = "restarts are told", evidence.end
    if end is None:
        return unknown(name, evidence.unknown)
    detail = f"{end.drivers} drivers were seen, {end.restarts} restarts are told"
    return found(name, detail, wrong=end.drivers - 1 > end.restarts)


def losses_are_told(evidence: Evidence) -> Invariant:
    """Each query tells of what Kafka had deleted before it was read."""
    name = "losses are told"
    if not any(evidence.deleted.values()):
        return does_not_apply(name, "Kafka deleted nothing that was unread")
    untold = {
        query: records - evidence.told_deleted.get(query, 0)
        for query, records in evidence.deleted.items()
    }
    total = sum(evidence.deleted.values())
    detail = f"{total} records were deleted unread, {sum(untold.values())} of them untold"
    return found(name, detail, wrong=any(untold.values()))
