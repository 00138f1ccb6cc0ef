"""What of a trial's journal comes into its verdict."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from streamctl.chaos.experiment import Experiment, Role
from streamctl.chaos.journal import Ended, Journal, Step
from streamctl.chaos.trial import seen
from streamctl.chaos.verdict import judge
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def step(error: str, role: Role = Role.ACTION) -> Step:
    return Step(name="s", role=role, started_at=NOW, ended_at=NOW, error=error)


@pytest.mark.parametrize(
    ("place", "ended", "invariant", "verdict"),
    [
        ("rollbacks", Ended.COMPLETED, "changed back", Verdict.PROBLEM),
        ("method", Ended.ABORTED, "steady state", Verdict.UNKNOWN),
        ("steady_before", Ended.NOT_STEADY, "steady state", Verdict.UNKNOWN),
    ],
)
def test_a_step_that_could_not_be_done_comes_into_the_verdict(
    tmp_path, place, ended, invariant, verdict
):
    journal = Journal(
        experiment="e", title="E", started_at=NOW, ended=ended, **{place: [step("no"), step("")]}
    )
    subject = SimpleNamespace(run=RunDirectory(tmp_path), query="q", crashed=False)
    watch = SimpleNamespace(samples=[], crashes=0)
    experiment = Experiment(name="e", title="E")
    found = {
        each.name: each
        for each in judge(seen(subject, experiment, journal, watch, rate=1.0)).invariants
    }
    assert found[invariant].verdict is verdict
    assert found[invariant].detail.endswith("s: no")
