"""Judges evidence: each invariant is ok, violated (problem) or unknown. Pure.

What an experiment expects, beside the invariants that hold always:

| name | meaning |
|---|---|
| `detected_by` | any of the signs in `timeline.py`, or `verify`; empty: need not |
| `detected_within_seconds` | from the begin of the fault |
| `recovered_within_seconds` | from its end to the first commit and to a lag as before |
| `hits_phase` | true: a kill at a phase that came too late proves nothing, the verdict is unknown |
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from streamctl.chaos.alarms import alerts_are_raised, breaker_opens
from streamctl.chaos.counts import Counts, counts, examples, wrong_letters
from streamctl.chaos.degraded import degraded
from streamctl.chaos.evidence import Evidence, Found, Must
from streamctl.chaos.invariant import Invariant, does_not_apply, found, unknown
from streamctl.chaos.timeline import caught_up_after, detections, first_commit
from streamctl.chaos.told import (
    health_is_true,
    lag_is_true,
    losses_are_told,
    restarts_are_told,
    status_is_honest,
)
from streamctl.errors import ExitCode
from streamctl.reports import Verdict, worst

_EXAMPLES = 8
_DETECTED_SECONDS = 30.0
_RECOVERED_SECONDS = 120.0
_ALARMS = ("status", "health", "alert", "lag", "restart")

WORDS = {Verdict.OK: "ok", Verdict.PROBLEM: "violated", Verdict.UNKNOWN: "unknown"}
CLOSING = {
    Verdict.OK: "Everything looks good!",
    Verdict.PROBLEM: "An invariant was violated!",
    Verdict.UNKNOWN: "Not everything could be told.",
}
"""One line that a person remembers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one experiment.

    Attributes:
        detected_by: who noticed first, of those that were expected to; empty for nobody.
        detected_seconds: from the begin of the fault.
        degraded: how the job was worse than before, one line; empty when it cannot be told.
        first_commit_seconds: from the end of the fault to the end of the next batch.
        caught_up_seconds: from the end of the fault until the lag was as before.
        examples: some of what is wrong, one line each.
    """

    experiment: str
    title: str
    verdict: Verdict
    ended_how: str
    detected_by: str
    detected_seconds: float | None
    degraded: str
    first_commit_seconds: float | None
    caught_up_seconds: float | None
    counts: Counts | None
    invariants: list[Invariant]
    examples: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """Done, or found that something is not as it should be."""
        return ExitCode.DONE if self.verdict is Verdict.OK else ExitCode.FOUND


def judge(evidence: Evidence) -> Judgement:
    """Judge one experiment. What could not be seen is unknown, never ok."""
    noticed = detections(evidence)
    wanted = evidence.expects.get("detected_by") or _ALARMS
    told = {name: seconds for name, seconds in noticed.items() if name in wanted}
    first = min(told.items(), key=lambda each: each[1]) if told else ("", None)
    commit, caught_up = first_commit(evidence), caught_up_after(evidence)
    checks = _CHECKS if evidence.audited is None else _CHECKS_OF_A_TARGET
    invariants = [check(evidence) for check in checks]
    invariants += [_detected(evidence, noticed), _recovered(evidence, commit, caught_up)]
    invariants += list(_accounted(evidence) if evidence.audited is None else _audited(evidence))
    records = _records(evidence)
    return Judgement(
        experiment=evidence.experiment,
        title=evidence.title,
        verdict=worst(each.verdict for each in invariants),
        ended_how=evidence.ended_how,
        detected_by=first[0],
        detected_seconds=_rounded(first[1]),
        degraded=degraded(evidence),
        first_commit_seconds=_rounded(commit),
        caught_up_seconds=_rounded(caught_up),
        counts=counts(*records) if records else None,
        invariants=invariants,
        examples=list(examples(*records))[:_EXAMPLES] if records else [],
    )


def _steady(evidence: Evidence) -> Invariant:
    name = "steady state"
    if evidence.ended_how != "completed":
        words = f"the experiment was {evidence.ended_how}".replace("_", " ")
        return unknown(name, "; ".join([words, *evidence.failed]))
    detail = "it did not return in time" if evidence.deviated else "before, and again after"
    return found(name, detail, wrong=evidence.deviated)


def _stop_proven(evidence: Evidence) -> Invariant:
    """A graceful stop leaves every planned batch committed, or one that was not begun."""
    name, end = "stop is proven", evidence.end
    if end is None:
        return unknown(name, evidence.unknown)
    if end.told_batch != end.true_batch:
        detail = f"told batch {end.told_batch}, the commit log ends with {end.true_batch}"
    elif end.outcome not in {"stopped", "already_stopped"}:
        detail = f"the job was {end.outcome}"
    elif end.missing_commits:
        detail = f"{end.missing_commits} batches have no commit"
    elif (end.planned_batch or 0) - (end.true_batch or 0) > 1:
        detail = f"batch {end.planned_batch} is planned, {end.true_batch} is committed"
    else:
        return found(name, f"after batch {end.true_batch}", wrong=False)
    return found(name, detail, wrong=True)


def _in_order(evidence: Evidence) -> Invariant:
    """A batch id is finished once, save that a crash may run the last one again."""
    name = "batches in order"
    seen = Counter((batch.generation, batch.batch_id) for batch in evidence.batches)
    if not seen:
        return unknown(name, "no batch was reported")
    twice = [number for (_, number), times in seen.items() if times > 1]
    detail = f"finished twice: {twice[:3]}" if twice else f"{len(seen)} batches, each once"
    return found(name, detail, wrong=bool(twice) and not evidence.crashed)


def _answers(evidence: Evidence) -> Invariant:
    """Probes within the method have a tolerance too."""
    detail = "; ".join(evidence.unmet) or "as they should be"
    return found("answers meanwhile", detail, wrong=bool(evidence.unmet))


def _changed_back(evidence: Evidence) -> Invariant:
    """What an experiment leaves changed is worse than what it found."""
    detail = "; ".join(evidence.not_changed_back) or "all that was changed"
    return found("changed back", detail, wrong=bool(evidence.not_changed_back))


def _phases_hit(evidence: Evidence) -> Invariant:
    """A kill that came when its batch was committed already was not the fault that was meant."""
    name, kills = "phases are hit", evidence.aimed
    promised = bool(evidence.expects.get("hits_phase"))
    if not kills and not promised:
        return does_not_apply(name, "no kill was aimed at a phase")
    missed = [f"{kill.phase} of batch {kill.batch}" for kill in kills if not kill.hit]
    told = f"{len(kills) - len(missed)} of {len(kills)} kills came in their phase"
    if promised and (missed or not kills):
        return unknown(name, f"{told}; too late: {', '.join(missed)}" if missed else told)
    return found(name, told, wrong=False)


_TELLS = (status_is_honest, health_is_true, alerts_are_raised, breaker_opens)
_CHECKS = (
    _steady,
    _answers,
    _changed_back,
    _phases_hit,
    *_TELLS,
    lag_is_true,
    restarts_are_told,
    _stop_proven,
    _in_order,
    losses_are_told,
)
_CHECKS_OF_A_TARGET = (_steady, _answers, _changed_back, _phases_hit, *_TELLS, _in_order)
"""It is not stopped, and its lag is known by nothing but `lag`."""


def _audited(evidence: Evidence) -> Iterator[Invariant]:
    if evidence.audited is not None:
        verdict, detail = Verdict(evidence.audited.verdict), evidence.audited.detail
        yield Invariant(name="records are accounted for", verdict=verdict, detail=detail)


def _detected(evidence: Evidence, noticed: dict[str, float]) -> Invariant:
    name = "detected"
    wanted = evidence.expects.get("detected_by", ())
    limit = evidence.expects.get("detected_within_seconds", _DETECTED_SECONDS)
    told = ", ".join(f"{by} after {seconds:.1f} s" for by, seconds in noticed.items())
    if evidence.began is None:
        return does_not_apply(name, "nothing was broken")
    if not wanted:
        return does_not_apply(name, "; ".join(filter(None, ["it need not be", told])))
    if not evidence.samples:
        return unknown(name, "nobody was asked")
    in_time = any(noticed.get(by, limit + 1) <= limit for by in wanted)
    return found(name, told or f"by nobody in {limit:g} s", wrong=not in_time)


def _recovered(evidence: Evidence, commit: float | None, caught_up: float | None) -> Invariant:
    name = "recovered"
    limit = evidence.expects.get("recovered_within_seconds", _RECOVERED_SECONDS)
    if evidence.ended is None:
        return does_not_apply(name, "nothing was broken")
    if commit is None or caught_up is None:
        missing = "no batch was committed" if commit is None else "the lag stayed"
        return found(name, missing, wrong=True)
    detail = f"first commit after {commit:.1f} s, lag as before after {caught_up:.1f} s"
    return found(name, detail, wrong=max(commit, caught_up) > limit)


def _accounted(evidence: Evidence) -> Iterator[Invariant]:
    """The invariants about records."""
    records = _records(evidence)
    names = ("nothing lost", "nothing duplicated", "no window twice", "dead letters are right",
             "all was read")  # fmt: skip
    if records is None:
        yield from (unknown(name, evidence.unknown) for name in (*names, _LATE))
        return
    n = counts(*records)
    misjudged = len(wrong_letters(*records))
    again = 0 if evidence.crashed else n.letters_again
    facts = (
        (n.lost, f"{n.lost} of {n.produced} records"),
        (n.duplicated, f"{n.duplicated} records too many"),
        (n.windows_twice, f"{n.windows_twice} windows"),
        (misjudged + again, (f"{n.dead_letters} letters, {misjudged} wrong,"
                                f" {n.letters_again} written again")),
        (n.unread, f"{n.unread} records were not read"),
    )  # fmt: skip
    for name, (wrong, detail) in zip(names, facts, strict=True):
        yield found(name, detail, wrong=bool(wrong))
    yield _late(n.late, records[1].late, crashed=evidence.crashed)


_LATE = "late count is true"


def _late(late: int, told: int | None, *, crashed: bool) -> Invariant:
    """What the job tells of late records; of a batch that a crash interrupted it rightly cannot."""
    if told is not None:
        return found(_LATE, f"{late} are late, the job says {told}", wrong=told != late)
    why = f"{late} are late, the job says not known"
    return does_not_apply(_LATE, f"{why}, after a crash") if crashed else unknown(_LATE, why)


def _records(evidence: Evidence) -> tuple[Must, Found] | None:
    """What must have become of records, and what did; None where either is not known."""
    must, found = evidence.must, evidence.found
    return None if must is None or found is None else (must, found)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
