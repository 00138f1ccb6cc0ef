"""What counts as noticing a fault, and when the job was as before."""

import pytest

from streamctl.chaos.evidence import Batch, Evidence, Sample
from streamctl.chaos.timeline import caught_up_after, detections, usual_lag

BEGAN, ENDED = 10.0, 20.0
WELL = {
    "observed": "running", "verdict": "ok", "health": "ok", "ready": True, "attempt": 1,
    "alerts": [], "told_lag": 100, "true_lag": 100, "driver_lives": True,
}  # fmt: skip


def evidence(later: dict, *, before: dict | None = None, **more) -> Evidence:
    """Well for ten seconds, then otherwise for twenty; a look each second."""
    calm = WELL | (before or {})
    samples = [Sample(at=float(at), **(calm if at < BEGAN else calm | later)) for at in range(30)]
    given = {"touched": BEGAN, "began": BEGAN, "ended": ENDED, "samples": samples} | more
    return Evidence(
        experiment="e", title="E", ended_how="completed", deviated=False, crashed=False,
        rate=100.0, expects={}, **given,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("later", "noticed"),
    [
        pytest.param({}, set(), id="nothing shows"),
        pytest.param({"verdict": "problem"}, {"status"}, id="the status tells a problem"),
        pytest.param(
            {"verdict": "unknown", "observed": "starting", "health": "unknown"}, set(),
            id="a job that starts is none",
        ),
        pytest.param({"health": "problem"}, {"health"}, id="health"),
        pytest.param({"health": "silent"}, {"health"}, id="health that does not answer"),
        pytest.param({"alerts": ["lag"]}, {"alert"}, id="an alert"),
        pytest.param({"told_lag": 5000}, {"lag"}, id="a lag"),
        pytest.param({"told_lag": None}, {"lag"}, id="a lag that cannot be told"),
        pytest.param({"attempt": 2}, {"restart"}, id="a restart"),
    ],
)  # fmt: skip
def test_a_fault_is_noticed_by(later, noticed):
    assert detections(evidence(later)) == dict.fromkeys(noticed, 0.0)


@pytest.mark.parametrize(
    "shown", [{"verdict": "problem"}, {"health": "problem"}, {"alerts": ["lag"]}]
)
def test_what_showed_before_is_no_sign_of_the_fault(shown):
    assert detections(evidence({}, before=shown)) == {}


def test_a_backlog_that_was_waited_for_is_no_sign_and_not_usual():
    """The job was stopped first, and its input came on: the lag is the experiment's own."""
    waited = evidence({"told_lag": 2000, "true_lag": 2000}, began=15.0)
    assert usual_lag(waited) == 400.0
    assert detections(waited) == {}
    assert caught_up_after(waited) is None


def test_recovery_is_counted_from_the_end_of_the_fault():
    found = evidence({}, batches=[Batch(at=24.0, seconds=1.0, batch_id=1, records=1, attempt=1)])
    assert caught_up_after(found) == 0.0
