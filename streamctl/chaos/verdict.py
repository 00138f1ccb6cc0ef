"""Judges evidence: each invariant is ok, violated (problem) or unknown. Pure.

What an experiment expects, beside the invariants that hold always:

| name | meaning |
|---|---|
| `detected_by` | any of the signs in `timeline.py`, or `verify`; empty: need not |
| `detected_within_seconds` | from the begin of the fault |
| `recovered_within_seconds` | from its end to the first commit and to a lag as before |
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from streamctl.chaos.counts import Counts, counts, examples, wrong_letters
from streamctl.chaos.evidence import Evidence, Found, Must
from streamctl.chaos.timeline import caught_up_after, detections, first_commit
from streamctl.errors import ExitCode
from streamctl.reports import Verdict, worst

_EXAMPLES = 8
_DETECTED_SECONDS = 30.0
_RECOVERED_SECONDS = 120.0
_BLIND_SECONDS = 6.0
"""How long the status may call a job well whose driver is gone: it is looked at from outside."""
_ALARMS = ("status", "health", "lag", "restart")
_STALE_SAMPLES = 6


WORDS = {Verdict.OK: "ok", Verdict.PROBLEM: "violated", Verdict.UNKNOWN: "unknown"}
CLOSING = {
    Verdict.OK: "Everything looks good!",
    Verdict.PROBLEM: "An invariant was violated!",
    Verdict.UNKNOWN: "Not everything could be told.",
}
"""One line that a person remembers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One thing that must hold.

    Attributes:
        detail: what was seen, one line.
    """

    name: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one experiment.

    Attributes:
        detected_by: who noticed first, of those that were expected to; empty for nobody.
        detected_seconds: from the begin of the fault.
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
        first_commit_seconds=_rounded(commit),
        caught_up_seconds=_rounded(caught_up),
        counts=counts(*records) if records else None,
        invariants=invariants,
        examples=list(examples(*records))[:_EXAMPLES] if records else [],
    )


def _found(name: str, detail: str, *, wrong: bool) -> Invariant:
    return Invariant(name=name, verdict=Verdict.PROBLEM if wrong else Verdict.OK, detail=detail)


def _unknown(name: str, why: str) -> Invariant:
    return Invariant(name=name, verdict=Verdict.UNKNOWN, detail=why)


def _steady(evidence: Evidence) -> Invariant:
    name = "steady state"
    if evidence.ended_how != "completed":
        words = f"the experiment was {evidence.ended_how}".replace("_", " ")
        return _unknown(name, "; ".join([words, *evidence.failed]))
    detail = "it did not return in time" if evidence.deviated else "before, and again after"
    return _found(name, detail, wrong=evidence.deviated)


def _honest(evidence: Evidence) -> Invariant:
    """A job without a driver must not be called well for long."""
    name = "status is honest"
    if not evidence.samples:
        return _unknown(name, "never asked")
    longest = 0.0
    since: float | None = None
    for sample in evidence.samples:
        called_well = sample.verdict == "ok" and sample.observed == "running"
        if called_well and not sample.driver_lives:
            since = sample.at if since is None else since
            longest = max(longest, sample.at - since)
        else:
            since = None
    detail = f"called running for {longest:.1f} s without a driver" if longest else "never blind"
    return _found(name, detail, wrong=longest > _BLIND_SECONDS)


def _lag_is_true(evidence: Evidence) -> Invariant:
    """What `lag` tells must follow what Kafka and the checkpoint say, sample after sample."""
    name, slack = "lag is true", 3 * evidence.rate + 100
    run = longest = known = 0
    for sample in evidence.samples:
        if sample.told_lag is None or sample.true_lag is None:
            continue
        known += 1
        run = run + 1 if abs(sample.told_lag - sample.true_lag) > slack else 0
        longest = max(longest, run)
    if not known:
        return _unknown(name, "never measured")
    wrong = longest >= _STALE_SAMPLES
    return _found(
        name, f"off in {longest} looks on end" if wrong else f"{known} looks agree", wrong=wrong
    )


def _restarts_told(evidence: Evidence) -> Invariant:
    name, end = "restarts are told", evidence.end
    if end is None:
        return _unknown(name, evidence.unknown)
    detail = f"{end.drivers} drivers were seen, {end.restarts} restarts are told"
    return _found(name, detail, wrong=end.drivers - 1 > end.restarts)


def _stop_proven(evidence: Evidence) -> Invariant:
    """A graceful stop leaves every planned batch committed, or one that was not begun."""
    name, end = "stop is proven", evidence.end
    if end is None:
        return _unknown(name, evidence.unknown)
    if end.told_batch != end.true_batch:
        detail = f"told batch {end.told_batch}, the commit log ends with {end.true_batch}"
    elif end.outcome not in {"stopped", "already_stopped"}:
        detail = f"the job was {end.outcome}"
    elif end.missing_commits:
        detail = f"{end.missing_commits} batches have no commit"
    elif (end.planned_batch or 0) - (end.true_batch or 0) > 1:
        detail = f"batch {end.planned_batch} is planned, {end.true_batch} is committed"
    else:
        return _found(name, f"after batch {end.true_batch}", wrong=False)
    return _found(name, detail, wrong=True)


def _in_order(evidence: Evidence) -> Invariant:
    """A batch id is finished once, save that a crash may run the last one again."""
    name = "batches in order"
    seen = Counter((batch.generation, batch.batch_id) for batch in evidence.batches)
    if not seen:
        return _unknown(name, "no batch was reported")
    twice = [number for (_, number), times in seen.items() if times > 1]
    detail = f"finished twice: {twice[:3]}" if twice else f"{len(seen)} batches, each once"
    return _found(name, detail, wrong=bool(twice) and not evidence.crashed)


def _losses_told(evidence: Evidence) -> Invariant:
    """Each query tells of what Kafka had deleted before it was read."""
    untold = {
        query: records - evidence.told_deleted.get(query, 0)
        for query, records in evidence.deleted.items()
    }
    total = sum(evidence.deleted.values())
    detail = f"{total} records were deleted unread, {sum(untold.values())} of them untold"
    return _found("losses are told", detail, wrong=any(untold.values()))


def _answers(evidence: Evidence) -> Invariant:
    """Probes within the method have a tolerance too."""
    detail = "; ".join(evidence.unmet) or "as they should be"
    return _found("answers meanwhile", detail, wrong=bool(evidence.unmet))


def _changed_back(evidence: Evidence) -> Invariant:
    """What an experiment leaves changed is worse than what it found."""
    detail = "; ".join(evidence.not_changed_back) or "all that was changed"
    return _found("changed back", detail, wrong=bool(evidence.not_changed_back))


_CHECKS = (
    _steady,
    _answers,
    _changed_back,
    _honest,
    _lag_is_true,
    _restarts_told,
    _stop_proven,
    _in_order,
    _losses_told,
)


_CHECKS_OF_A_TARGET = (_steady, _answers, _changed_back, _honest, _in_order)
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
    if not wanted or evidence.began is None:
        return _found(name, told or "need not be noticed", wrong=False)
    if not evidence.samples:
        return _unknown(name, "nobody was asked")
    in_time = any(noticed.get(by, limit + 1) <= limit for by in wanted)
    return _found(name, told or f"by nobody in {limit:g} s", wrong=not in_time)


def _recovered(evidence: Evidence, commit: float | None, caught_up: float | None) -> Invariant:
    name = "recovered"
    limit = evidence.expects.get("recovered_within_seconds", _RECOVERED_SECONDS)
    if evidence.ended is None:
        return _found(name, "nothing was broken", wrong=False)
    if commit is None or caught_up is None:
        missing = "no batch was committed" if commit is None else "the lag stayed"
        return _found(name, missing, wrong=True)
    detail = f"first commit after {commit:.1f} s, lag as before after {caught_up:.1f} s"
    return _found(name, detail, wrong=max(commit, caught_up) > limit)


def _accounted(evidence: Evidence) -> Iterator[Invariant]:
    """The invariants about records."""
    records = _records(evidence)
    names = ("nothing lost", "nothing duplicated", "no window twice", "dead letters are right",
             "late count is true", "all was read")  # fmt: skip
    if records is None:
        yield from (_unknown(name, evidence.unknown) for name in names)
        return
    found = counts(*records)
    misjudged = len(wrong_letters(*records))
    again = 0 if evidence.crashed else found.letters_again
    told, late = records[1].late, found.late
    wrong_late = told is not None and told != late
    facts = (
        (found.lost, f"{found.lost} of {found.produced} records"),
        (found.duplicated, f"{found.duplicated} records too many"),
        (found.windows_twice, f"{found.windows_twice} windows"),
        (misjudged + again, (f"{found.dead_letters} letters, {misjudged} wrong,"
                                f" {found.letters_again} written again")),
        (wrong_late, f"{late} are late, the job says {'not known' if told is None else told}"),
        (found.unread, f"{found.unread} records were not read"),
    )  # fmt: skip
    for name, (wrong, detail) in zip(names, facts, strict=True):
        yield _found(name, detail, wrong=bool(wrong))


def _records(evidence: Evidence) -> tuple[Must, Found] | None:
    """What must have become of records, and what did; None where either is not known."""
    must, found = evidence.must, evidence.found
    return None if must is None or found is None else (must, found)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
