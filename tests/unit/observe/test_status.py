"""What `status` calls a problem."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from streamctl.observe.status import judge
from streamctl.reports import Verdict
from streamctl.resilience.breaker import BreakerState, Circuit, closed
from streamctl.rundir.records import Desired, Failure, FailureClass, Observed

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
OPEN = BreakerState(circuit=Circuit.OPEN, since=NOW, reason="60 % were rejected")


def test_a_driver_that_has_failed_and_not_yet_ended_is_a_problem():
    failure = Failure(
        at=NOW, failure_class=FailureClass.INFRASTRUCTURE, condition="IOException",
        message="Cannot allocate memory", attempt=2,
    )  # fmt: skip
    status = SimpleNamespace(
        observed=Observed.RUNNING, desired=Desired.RUNNING, started_at=NOW, attempt=2, unwell=""
    )
    found, reasons = judge(status, alive=True, failure=failure)
    assert (found, reasons) == (
        Verdict.PROBLEM,
        ["the driver has failed, and is about to end: IOException: Cannot allocate memory"],
    )
    status.attempt = 3  # what it failed of is over
    assert judge(status, alive=True, failure=failure) == (Verdict.OK, [])


@pytest.mark.parametrize(
    ("observed", "breaker", "verdict"),
    [
        (Observed.RUNNING, closed(NOW), Verdict.OK),
        (Observed.RUNNING, OPEN, Verdict.PROBLEM),  # the last batch goes on, the next will not
        (Observed.BREAKER_OPEN, OPEN, Verdict.PROBLEM),
        (Observed.STOPPED, OPEN, Verdict.OK),  # as it was asked for
        (Observed.RUNNING, BreakerState(circuit=Circuit.HALF_OPEN, since=NOW), Verdict.OK),
    ],
)
def test_an_open_breaker_is_a_problem_from_its_first_moment(observed, breaker, verdict):
    status = SimpleNamespace(observed=observed, desired=Desired.RUNNING, started_at=NOW, unwell="")
    found, reasons = judge(status, alive=True, failure=None, breaker=breaker)
    assert found is verdict
    assert (reasons == ["the circuit breaker is open: 60 % were rejected"]) is (found.value != "ok")


@pytest.mark.parametrize(
    ("observed", "verdict"), [(Observed.RUNNING, Verdict.PROBLEM), (Observed.STARTING, "unknown")]
)
def test_what_the_health_rules_say_against_a_running_job_counts(observed, verdict):
    status = SimpleNamespace(
        observed=observed, desired=Desired.RUNNING, started_at=NOW, unwell="query a: no batch"
    )
    found, reasons = judge(status, alive=True, failure=None)
    assert found == verdict
    assert (reasons == ["query a: no batch"]) is (observed is Observed.RUNNING)
