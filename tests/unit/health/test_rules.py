"""Health, by its rules."""

from dataclasses import replace

import pytest

from streamctl.health.rules import interval_seconds, judge, stall_window
from streamctl.observe.machine import Processes
from streamctl.reports import Verdict
from streamctl.rundir.records import Observed
from tests.samples import sample, status

FROZEN = Processes(resident_bytes=1, cpu_seconds=1, count=2, frozen=True)


def judged(seen, *, loop_age_seconds=0.0, trigger="0 seconds"):
    return judge(seen, loop_age_seconds=loop_age_seconds, stall_seconds=60.0, trigger=trigger)


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
            sample(query={"not_processing_seconds": 61.0, "usual_seconds": 30.0}),
            True, True, Verdict.OK, "", "a slow job has a longer window",
        ),
        (
            sample(query={"not_processing_seconds": None}),
            True, False, Verdict.UNKNOWN, "query windows", "nothing heard yet",
        ),
        (sample(lag=None), True, True, Verdict.UNKNOWN, "kafka", "Kafka does not make it unready"),
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


def test_the_window_is_never_smaller_than_three_triggers():
    query = replace(sample().queries[0], usual_seconds=None)
    assert stall_window(query, stall_seconds=60.0, trigger="10 minutes") == 1800.0
    assert stall_window(query, stall_seconds=60.0, trigger="1 second") == 60.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0 seconds", 0), ("1 minute 30 seconds", 90), ("500 milliseconds", 0.5), ("once", 0),
     ("2 hours", 7200), ("1 day", 86400)],
)  # fmt: skip
def test_intervals(text, seconds):
    assert interval_seconds(text) == seconds
