"""What `status` calls a problem."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from streamctl.observe.status import judge
from streamctl.reports import Verdict
from streamctl.resilience.breaker import BreakerState, Circuit, closed
from streamctl.rundir.records import Desired, Observed

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
OPEN = BreakerState(circuit=Circuit.OPEN, since=NOW, reason="60 % were rejected")


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
    status = SimpleNamespace(observed=observed, desired=Desired.RUNNING, started_at=NOW)
    found, reasons = judge(status, alive=True, failure=None, breaker=breaker)
    assert found is verdict
    assert (reasons == ["the circuit breaker is open: 60 % were rejected"]) is (found.value != "ok")
