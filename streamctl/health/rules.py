"""Health by a few numbered rules, worst first. Pure: the moment is in the sample.

1. The supervisor's own loop is alive: else nothing that it says is worth much.
2. The job is running: not starting, stopping, backing off or ended.
3. The driver is there, and not frozen by a signal.
4. Each query has committed a batch, or found nothing to read, within its window.
5. Kafka answers.

Alive is rule 1; ready is rules 1 to 4. The window of rule 4 is never shorter than three triggers
and three usual batches, so that a slow job is not taken for a dead one.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from streamctl.observe.model import QuerySample, Sample
from streamctl.reports import Check, Verdict, worst
from streamctl.rundir.records import Observed

LOOP_SECONDS = 60.0
"""Longer than anything that the supervisor waits for without looking at the driver."""
_MARGIN = 3
_UNITS = {"milli": 0.001, "sec": 1, "min": 60, "hour": 3600, "day": 86400}


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


def judge(
    sample: Sample, *, loop_age_seconds: float, stall_seconds: float, trigger: str
) -> HealthReport:
    """Apply the rules.

    Args:
        sample: of this moment.
        loop_age_seconds: since the supervisor's loop last came round.
        stall_seconds: the shortest window of rule 4.
        trigger: of the queries, a Spark interval.
    """
    loop = _loop(loop_age_seconds)
    job = [_job(sample), _driver(sample)]
    queries = [
        _query(query, stall_window(query, stall_seconds=stall_seconds, trigger=trigger))
        for query in sample.queries
    ]
    checks = [loop, *job, *queries, _kafka(sample)]
    live = loop.verdict is Verdict.OK
    return HealthReport(
        verdict=worst(check.verdict for check in checks),
        at=sample.at,
        live=live,
        ready=live and bool(queries) and all(c.verdict is Verdict.OK for c in [*job, *queries]),
        checks=checks,
    )


def _loop(age_seconds: float) -> Check:
    if age_seconds <= LOOP_SECONDS:
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


def _query(query: QuerySample, window_seconds: float) -> Check:
    name, silent = f"query {query.name}", query.not_processing_seconds
    if query.last is None and silent is None:
        return Check(name=name, verdict=Verdict.UNKNOWN, detail="not heard of yet")
    if silent is not None and silent > window_seconds:
        return Check(
            name=name,
            verdict=Verdict.PROBLEM,
            detail=f"no batch for {silent:.0f} s; the window is {window_seconds:.0f} s",
            hint="`streamctl logs -f` shows what it does; `streamctl lag` how far it is behind.",
        )
    if query.last is None:
        return Check(name=name, verdict=Verdict.OK, detail="nothing to read yet")
    detail = f"batch {query.last.batch_id} took {query.last.seconds:.1f} s"
    return Check(name=name, verdict=Verdict.OK, detail=detail)


def _kafka(sample: Sample) -> Check:
    if sample.lag is not None:
        return Check(name="kafka", verdict=Verdict.OK, detail="answers")
    return Check(name="kafka", verdict=Verdict.UNKNOWN, detail=sample.lag_problem)


def stall_window(query: QuerySample, *, stall_seconds: float, trigger: str) -> float:
    """How long a query may be silent, in seconds."""
    return max(stall_seconds, _MARGIN * (interval_seconds(trigger) + (query.usual_seconds or 0)))


def interval_seconds(text: str) -> float:
    """A Spark interval such as `1 minute 30 seconds`; 0 for what is none, such as `once`."""
    parts = re.findall(r"([\d.]+)\s*(milli|sec|min|hour|day)", text.lower())
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
