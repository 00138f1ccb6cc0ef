"""When a fault was noticed, and when the job was as before. Pure."""

from collections.abc import Callable, Sequence

from streamctl.chaos.evidence import Evidence, Sample

_JUST_BEFORE_SECONDS = 6.0
_ON_THE_WAY = {"starting", "stopping"}


def detections(evidence: Evidence) -> dict[str, float]:
    """Who noticed the fault, and how many seconds after its begin.

    | sign | it shows |
    |---|---|
    | `status` | a problem; that a job is starting or stopping is none |
    | `health` | anything but ok, or no answer, of a job that is neither starting nor stopping |
    | `alert` | one is open that was not before |
    | `lag` | more than usual, or it cannot be told |
    | `restart` | the driver was started again |
    | `rejected` | a batch with three times as many rejected records as before |

    What shows already when the fault begins is no sign of it until it was gone.
    """
    if evidence.began is None:
        return {}
    began = evidence.began
    found = {name: at - began for name, at in evidence.signs.items()}
    for name, shows in _signs(evidence).items():
        if (at := _first_new(evidence.samples, shows, since=began)) is not None:
            found[name] = at - began
    usual = 3 * max((each.rejected for each in evidence.letters if each.at < began), default=0)
    floods = (each.at for each in evidence.letters if each.at >= began and each.rejected > usual)
    if flood := next(floods, None):
        found["rejected"] = flood - began
    return found


def _signs(evidence: Evidence) -> dict[str, Callable[[Sample], bool]]:
    before = [sample for sample in evidence.samples if sample.at < (evidence.began or 0.0)]
    limit, attempt = usual_lag(evidence), max((s.attempt for s in before), default=1)
    open_before = set(before[-1].alerts or ()) if before else set()
    return {
        "status": lambda s: s.verdict == "problem",
        "health": lambda s: s.health not in {"ok", ""} and s.observed not in _ON_THE_WAY,
        "alert": lambda s: bool(set(s.alerts or ()) - open_before),
        "lag": lambda s: s.told_lag is None or s.told_lag > limit,
        "restart": lambda s: s.attempt > attempt,
    }


def _first_new(
    samples: Sequence[Sample], shows: Callable[[Sample], bool], *, since: float
) -> float | None:
    """When a sign first shows that did not show the moment before."""
    shown = False
    for sample in samples:
        shows_now = shows(sample)
        if sample.at >= since and shows_now and not shown:
            return sample.at
        shown = shows_now
    return None


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
    """What the job was behind at most before anything was done, and some seconds' input."""
    began = (evidence.began if evidence.touched is None else evidence.touched) or 0.0
    before = [
        s.true_lag
        for s in evidence.samples
        if began - _JUST_BEFORE_SECONDS <= s.at < began and s.true_lag is not None
    ]
    return max(before, default=0) + 3 * evidence.rate
