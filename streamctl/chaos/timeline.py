"""When a fault was noticed, and when the job was as before. Pure."""

from collections.abc import Callable

from streamctl.chaos.evidence import Evidence, Sample

_JUST_BEFORE_SECONDS = 6.0


def detections(evidence: Evidence) -> dict[str, float]:
    """Who noticed the fault, and how many seconds after its begin."""
    if evidence.began is None:
        return {}
    began = evidence.began
    found = {name: at - began for name, at in evidence.signs.items()}
    later = [sample for sample in evidence.samples if sample.at >= began]
    before = [sample for sample in evidence.samples if sample.at < began]
    limit, attempt = usual_lag(evidence), max((s.attempt for s in before), default=1)
    signs: dict[str, Callable[[Sample], bool]] = {
        "status": lambda s: s.verdict not in {"ok", ""},
        "lag": lambda s: s.told_lag is None or s.told_lag > limit,
        "restart": lambda s: s.attempt > attempt,
    }
    for name, shows in signs.items():
        if seen := next((s.at for s in later if shows(s)), None):
            found[name] = seen - began
    usual = 3 * max((each.rejected for each in evidence.letters if each.at < began), default=0)
    floods = (each.at for each in evidence.letters if each.at >= began and each.rejected > usual)
    if flood := next(floods, None):
        found["rejected"] = flood - began
    return found


def first_commit(evidence: Evidence) -> float | None:
    """Seconds from the end of the fault to the end of the next batch."""
    if evidence.ended is None:
        return None
    ends = (b.at + b.seconds for b in evidence.batches)
    return min((end - evidence.ended for end in ends if end >= evidence.ended), default=None)


def caught_up_after(evidence: Evidence) -> float | None:
    """Seconds from the end of the fault until the lag was as before, and stayed so."""
    if evidence.ended is None:
        return None
    limit, ended = usual_lag(evidence), evidence.ended
    since: float | None = None
    for sample in evidence.samples:
        if sample.at < ended:
            continue
        if sample.true_lag is None or sample.true_lag > limit:
            since = None
        elif since is None:
            since = sample.at - ended
    return since


def usual_lag(evidence: Evidence) -> float:
    """What the job was behind at most just before the fault, and what arrives in some seconds."""
    began = evidence.began or 0.0
    before = [
        s.true_lag
        for s in evidence.samples
        if began - _JUST_BEFORE_SECONDS <= s.at < began and s.true_lag is not None
    ]
    return max(before, default=0) + 3 * evidence.rate
