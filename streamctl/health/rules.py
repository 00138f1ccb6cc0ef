"""Health by a few numbered rules, worst first. Pure: the moment is in the sample.

1. The supervisor's own loop is alive: else nothing that it says is worth much.
2. The job is running: not starting, stopping, backing off or ended.
3. The driver is there, and not frozen by a signal.
4. Each query has committed a batch, or found nothing to read, within its window.
5. Kafka answers, and its topics are those that the checkpoint has read.

Alive is rule 1; ready is rules 1 to 4. The window of rule 4 is that of `observe.stall`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from streamctl.errors import StreamctlError
from streamctl.observe.model import QuerySample, Sample
from streamctl.reports import Check, Verdict, worst
from streamctl.rundir.records import Observed

LOOP_SECONDS = 60.0
"""Longer than anything that the supervisor waits for without looking at the driver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """Health at one moment.

    Attributes:
        verdict: of all checks.
        live: the supervisor works.
        ready: the job processes.
    """

    verdict: Verdict
    at: datetime
    live: bool
    ready: bool
    checks: list[Check]


def is_live(loop_age_seconds: float) -> bool:
    """Rule 1 alone, which needs no look at anything."""
    return loop_age_seconds <= LOOP_SECONDS


def judge(sample: Sample, *, loop_age_seconds: float, also: Iterable[Check] = ()) -> HealthReport:
    """Apply the rules.

    Args:
        sample: of this moment.
        loop_age_seconds: since the supervisor's loop last came round.
        also: what else was looked at; it counts for the verdict, not for readiness.
    """
    loop = _loop(loop_age_seconds)
    job = [_job(sample), *troubles(sample)]
    checks = [loop, *job, _kafka(sample), *also]
    live = is_live(loop_age_seconds)
    return HealthReport(
        verdict=worst(check.verdict for check in checks),
        at=sample.at,
        live=live,
        ready=live and bool(sample.queries) and all(c.verdict is Verdict.OK for c in job),
        checks=checks,
    )


def troubles(sample: Sample) -> list[Check]:
    """Rules 3 and 4: of a job that runs, whether it does what it is there for."""
    return [_driver(sample), *(_query(query) for query in sample.queries)]


def judge_unseen(
    problem: StreamctlError, *, loop_age_seconds: float, now: datetime
) -> HealthReport:
    """Health when the job could not be looked at: not ready, because nothing is known of it."""
    loop = _loop(loop_age_seconds)
    job = Check(
        name="job",
        verdict=Verdict.UNKNOWN,
        detail=f"it could not be looked at: {problem.message}",
        hint=problem.hint,
    )
    return HealthReport(
        verdict=worst([loop.verdict, job.verdict]),
        at=now,
        live=is_live(loop_age_seconds),
        ready=False,
        checks=[loop, job],
    )


def _loop(age_seconds: float) -> Check:
    if is_live(age_seconds):
        return Check(name="supervisor", verdict=Verdict.OK, detail="alive")
    return Check(
        name="supervisor",
        verdict=Verdict.PROBLEM,
        detail=f"its loop has not come round for {age_seconds:.0f} s",
        hint="Kill it by its process id, and run `streamctl start`: it recovers.",
    )


def _job(sample: Sample) -> Check:
    observed = sample.status.observed
    if observed is Observed.RUNNING:
        return Check(name="job", verdict=Verdict.OK, detail="running")
    known = observed in {Observed.STARTING, Observed.STOPPING}
    detail = sample.status.reasons[0] if sample.status.reasons else f"the job is {observed}"
    return Check(
        name="job",
        verdict=Verdict.UNKNOWN if known else Verdict.PROBLEM,
        detail=detail,
        hint="" if known else "`streamctl status` tells the failure and its remedy.",
    )


def _driver(sample: Sample) -> Check:
    if sample.processes is None:
        return Check(name="driver", verdict=Verdict.PROBLEM, detail="no driver lives")
    if sample.processes.frozen:
        pid = sample.status.driver_pid
        return Check(
            name="driver",
            verdict=Verdict.PROBLEM,
            detail=f"process {pid} or a child of it is stopped by a signal",
            hint=f"`kill -CONT -- -{pid}` lets it go on.",
        )
    return Check(name="driver", verdict=Verdict.OK, detail=f"{sample.processes.count} processes")


def _query(query: QuerySample) -> Check:
    name, silent = f"query {query.name}", query.not_processing_seconds
    if query.last is None and silent is None:
        return Check(name=name, verdict=Verdict.UNKNOWN, detail="not heard of yet")
    if silent is not None and silent > query.stall_window_seconds:
        return Check(
            name=name,
            verdict=Verdict.PROBLEM,
            detail=f"no batch for {silent:.0f} s; the window is {query.stall_window_seconds:.0f} s",
            hint="`streamctl logs -f` shows what it does; `streamctl lag` how far it is behind.",
        )
    if query.last is None:
        return Check(name=name, verdict=Verdict.OK, detail="nothing to read yet")
    detail = f"batch {query.last.batch_id} took {query.last.seconds:.1f} s"
    return Check(name=name, verdict=Verdict.OK, detail=detail)


def _kafka(sample: Sample) -> Check:
    if sample.lag is None:
        return Check(name="kafka", verdict=Verdict.UNKNOWN, detail=sample.lag_problem)
    if not (findings := sample.findings):
        return Check(name="kafka", verdict=Verdict.OK, detail="answers")
    more = f"; and {len(findings) - 1} more" if findings[1:] else ""
    return Check(
        name="kafka",
        verdict=Verdict.PROBLEM,
        detail=f"{findings[0].detail}{more}",
        hint=f"`streamctl explain {findings[0].code}` tells the way out, `streamctl lag` all.",
    )
