"""Health, by its rules."""

from dataclasses import replace

import pytest

from streamctl.errors import StreamctlError
from streamctl.health.rules import judge, judge_unseen
from streamctl.lag.model import LagFinding
from streamctl.observe.machine import Processes
from streamctl.reports import Check, Verdict
from streamctl.rundir.records import Observed
from tests.samples import NOW, lag, sample, status

FROZEN = Processes(resident_bytes=1, cpu_seconds=1, count=2, frozen=True)


GONE = LagFinding(
    code="kafka-partition-gone", topic="t", partition=1, detail="t partition 1 is not there"
)
NEW = replace(GONE, code="kafka-partition-new")


def judged(seen, *, loop_age_seconds=0.0, also=()):
    return judge(seen, loop_age_seconds=loop_age_seconds, also=also)


@pytest.mark.parametrize(
    ("seen", "live", "ready", "verdict", "named", "why"),
    [
        (sample(), True, True, Verdict.OK, "", "all is well"),
        (
            sample(status=status(observed=Observed.STARTING)),
            True, False, Verdict.UNKNOWN, "job", "not ready before its first batch",
        ),
        (
            sample(status=status(observed=Observed.BACKING_OFF), processes=None),
            True, False, Verdict.PROBLEM, "driver", "between two attempts",
        ),
        (
            sample(status=status(observed=Observed.FAILED, reasons=["the job has failed"])),
            True, False, Verdict.PROBLEM, "job", "given up",
        ),
        (sample(processes=FROZEN), True, False, Verdict.PROBLEM, "driver", "SIGSTOP"),
        (
            sample(query={"not_processing_seconds": 61.0}),
            True, False, Verdict.PROBLEM, "query windows", "longer than the window",
        ),
        (
            sample(query={"not_processing_seconds": 61.0, "stall_window_seconds": 90.0}),
            True, True, Verdict.OK, "", "a slow job has a longer window",
        ),
        (
            sample(query={"not_processing_seconds": None}),
            True, False, Verdict.UNKNOWN, "query windows", "nothing heard yet",
        ),
        (sample(lag=None), True, True, Verdict.UNKNOWN, "kafka", "Kafka does not make it unready"),
        (
            sample(lag=lag(findings=[GONE])),
            True, True, Verdict.PROBLEM, "kafka", "a finding is told, and the job goes on",
        ),
        (sample(lag=lag(findings=[NEW])), True, True, Verdict.OK, "", "a note is no problem"),
        (sample(queries=[]), True, False, Verdict.OK, "", "without queries nothing processes"),
    ],
)  # fmt: skip
def test_a_case(seen, live, ready, verdict, named, why):  # noqa: PLR0917
    report = judged(seen)
    assert (report.live, report.ready, report.verdict) == (live, ready, verdict), why
    bad = [check.name for check in report.checks if check.verdict is not Verdict.OK]
    assert named in bad if named else not bad, why


def test_a_loop_that_stands_still_is_not_alive():
    report = judged(sample(), loop_age_seconds=61.0)
    assert not report.live
    assert not report.ready
    assert report.checks[0].hint


def test_what_cannot_be_looked_at_is_not_ready_and_says_why():
    error = StreamctlError("the store hangs", hint="Mend it.")
    report = judge_unseen(error, loop_age_seconds=0, now=NOW)
    assert (report.live, report.ready, report.verdict) == (True, False, Verdict.UNKNOWN)
    assert "the store hangs" in report.checks[-1].detail
    assert not judge_unseen(error, loop_age_seconds=61, now=NOW).live


def test_what_else_was_looked_at_counts_for_the_verdict_and_not_for_readiness():
    group = Check(name="group g", verdict=Verdict.PROBLEM, detail="refused")
    report = judged(sample(), also=[group])
    assert (report.ready, report.verdict) == (True, Verdict.PROBLEM)
    assert report.checks[-1] == group
