"""The circuit breaker of a supervised job: opened by what it sees, or by an operator."""

import time

from streamctl.lifecycle.breaker import move_breaker, read_breaker
from streamctl.observe.status import read_status
from streamctl.reports import Verdict
from streamctl.resilience.breaker import BreakerState, Circuit
from streamctl.rundir.files import replace_file
from streamctl.rundir.records import Observed, StopRequest
from tests.supervisor.harness import PATIENCE_SECONDS, until
from tests.unit.change.helpers import NOW

QUICK_BREAKER = {
    "threshold": 0.5,
    "minimum_records": 300,
    "window_seconds": 5,
    "cool_down_seconds": 0.3,
    "trial_records": 10,
}


def share(harness, rejected: float) -> None:
    replace_file(harness.run.path / "share", str(rejected))


def circuit(harness) -> BreakerState:
    return until(lambda: harness.run.read(BreakerState))


def test_the_breaker_opens_above_the_threshold_and_closes_after_a_good_trial(harness):
    share(harness, 0.2)
    harness.start("share", breaker=QUICK_BREAKER)
    harness.running()
    time.sleep(0.5)
    assert circuit(harness).circuit is Circuit.CLOSED
    share(harness, 0.9)
    until(lambda: harness.status().observed is Observed.BREAKER_OPEN)
    report = read_status(harness.run)
    assert report.verdict is Verdict.PROBLEM
    assert report.driver_pid is None
    assert "records of b were rejected" in report.reasons[0]
    until(lambda: circuit(harness).opened >= 2)
    assert "in the trial 90%" in circuit(harness).reason
    waits = circuit(harness)
    if waits.next_trial_at:
        assert (waits.next_trial_at - waits.since).total_seconds() > 0.5
    share(harness, 0.0)
    until(lambda: circuit(harness).circuit is Circuit.CLOSED)
    harness.running()
    status = harness.status()
    assert status.restarts == 0, "trials cost no restarts"
    told = [str(line["message"]) for line in harness.log()]
    assert [t for t in told if t.startswith("circuit breaker open")]
    assert not [t for t in told if "killed" in t], "the running batch was let end"


def test_an_operator_opens_and_closes_the_breaker(harness):
    share(harness, 0.0)
    harness.start("share", breaker=QUICK_BREAKER)
    harness.running()
    moved = move_breaker(harness.run, Circuit.OPEN, why="maintenance", now=NOW)
    assert moved.asked
    until(lambda: harness.status().observed is Observed.BREAKER_OPEN)
    time.sleep(0.6)
    assert circuit(harness).held, "no trial is made"
    assert "maintenance" in read_breaker(harness.run).state.reason
    move_breaker(harness.run, Circuit.CLOSED, why="", now=NOW)
    harness.running()


def test_a_stop_ends_an_open_breaker_and_the_next_start_tries_first(harness):
    share(harness, 1.0)
    supervisor = harness.start("share", breaker=QUICK_BREAKER | {"cool_down_seconds": 600})
    until(lambda: harness.status().observed is Observed.BREAKER_OPEN)
    supervisor.terminate()
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    assert harness.status().observed is Observed.STOPPED
    share(harness, 0.0)
    harness.run.remove(StopRequest)
    harness.start("share", breaker=QUICK_BREAKER | {"cool_down_seconds": 600})
    until(lambda: circuit(harness).circuit is Circuit.CLOSED)
    assert harness.running().attempt == 2, "the trial, and then the job"


def test_failed_batches_open_it_too(harness):
    harness.start(
        "fail-in-batch", breaker=QUICK_BREAKER | {"failed_batches": 2, "cool_down_seconds": 600}
    )
    until(lambda: harness.status().observed is Observed.BREAKER_OPEN)
    assert circuit(harness).reason == "2 batches failed in 5 s"
    assert harness.status().attempt == 2
