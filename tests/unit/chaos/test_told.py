"""Health and alerts against commits, lag and processes, moment by moment."""

from dataclasses import replace

import pytest

from streamctl.chaos.alarms import alerts_are_raised
from streamctl.chaos.evidence import Batch, Evidence, Letters, Sample
from streamctl.chaos.told import health_is_true
from streamctl.reports import Verdict

LAST = 60
SET_TO = {
    "http": {"enabled": True},
    "observe": {"stall_seconds": 10.0, "every_seconds": 2.0},
    "stream": {"trigger": "0 seconds"},
    "alerts": {"not_processing_seconds": 5.0, "lag_records": 5000.0, "average_seconds": 4.0},
}
WELL = {
    "observed": "running", "verdict": "ok", "health": "ok", "ready": True, "driver_lives": True,
    "driver_pid": 7, "alerts": [], "true_lag": 100,
}  # fmt: skip


def evidence(meanwhile: dict, *, seconds: float, commits: bool = True) -> Evidence:
    """A look each half second; a commit each two, but perhaps for a while from second 20 on."""

    def in_time(at: float) -> bool:
        return 20 <= at < 20 + seconds

    ends = [end for end in range(2, LAST, 2) if commits or not in_time(end - 1)]
    samples = []
    for at in (half / 2 for half in range(2 * LAST)):
        changed = meanwhile if in_time(at) else {}
        committed = sum(end <= at for end in ends)
        samples.append(Sample(at=at, committed=committed, **(WELL | changed)))
    return Evidence(
        experiment="e", title="E", ended_how="completed", deviated=False, began=20.0, ended=21.0,
        crashed=False, rate=100.0, expects={}, set_to=SET_TO, samples=samples,
        batches=[
            Batch(at=end - 2.0, seconds=2.0, batch_id=n, records=9, attempt=1)
            for n, end in enumerate(ends)
        ],
        letters=[Letters(at=end - 2.0, rejected=0, done=float(end)) for end in ends],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("meanwhile", "commits", "short", "long", "what"),
    [
        ({"driver_lives": False}, True, 5, 8, "ready without a driver"),
        ({"observed": "starting"}, True, 5, 8, "ready, and not running"),
        ({"observed": "starting", "ready": False}, True, 8, None, ""),
        ({}, False, 14, 20, "ready, and nothing is committed"),
        ({"ready": False}, False, 20, None, ""),
        ({"true_lag": 0}, False, 20, None, ""),
        ({"ready": False}, True, 5, 8, "not ready, and commits all the same"),
        ({"ready": None, "health": "silent"}, True, 20, None, ""),
    ],
)
def test_health_may_be_behind_what_is_so_for_some_seconds(meanwhile, commits, short, long, what):
    found = health_is_true(evidence(meanwhile, seconds=short, commits=commits))
    assert found.verdict is Verdict.OK, found
    if long is not None:
        found = health_is_true(evidence(meanwhile, seconds=long, commits=commits))
        assert (found.verdict, found.detail.rpartition(",")[0]) == (Verdict.PROBLEM, what)


@pytest.mark.parametrize(
    ("meanwhile", "seconds", "commits", "due"),
    [
        pytest.param({}, 10, False, None, id="the next look is yet to come"),
        pytest.param({}, 20, False, "not_processing", id="nothing was committed for long"),
        pytest.param({"true_lag": 0}, 20, False, None, id="there was nothing to do"),
        pytest.param({"alerts": None}, 20, False, None, id="nobody was there to look"),
        pytest.param({"true_lag": 9000}, 10, True, None, id="a lag for a short time"),
        pytest.param({"true_lag": 9000}, 25, True, "lag", id="a lag for long"),
        pytest.param(
            {"true_lag": 9000, "health": "unknown"}, 25, True, None, id="Kafka does not answer"
        ),
        pytest.param({"breaker": "open"}, 5, True, None, id="the breaker opened just now"),
        pytest.param({"breaker": "open"}, 12, True, "breaker", id="the breaker is open"),
    ],
)
def test_an_alert_that_is_due_may_wait_for_the_next_look(meanwhile, seconds, commits, due):
    found = alerts_are_raised(evidence(meanwhile, seconds=seconds, commits=commits))
    assert found.verdict is (Verdict.OK if due is None else Verdict.PROBLEM), found
    if due is not None:
        assert found.detail.startswith(f"{due} was due")
        told = {**meanwhile, "alerts": [due]}
        raised = alerts_are_raised(evidence(told, seconds=seconds, commits=commits))
        assert (raised.verdict, due in raised.detail) == (Verdict.OK, True)


def test_a_driver_is_given_time_from_the_moment_at_which_it_starts_its_queries():
    silent = evidence({}, seconds=20, commits=False)
    assert alerts_are_raised(silent).verdict is Verdict.PROBLEM
    assert alerts_are_raised(replace(silent, launched=[31.0])).verdict is Verdict.OK
