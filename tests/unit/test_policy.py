"""What is restarted, what is not, and how long it waits."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamctl.rundir.records import Failure, FailureClass, Observed
from streamctl.settings.model import SuperviseSettings
from streamctl.supervisor.policy import End, Exit, Restart, after_exit, backoff_seconds

SETTINGS = SuperviseSettings(jitter=0)


def failure(kind: FailureClass) -> Failure:
    return Failure(at=datetime.now(UTC), failure_class=kind, condition="X", message="y")


def ended(*, code=1, kind=None, ran=1.0, stop=False) -> Exit:
    return Exit(
        code=code,
        failure=failure(kind) if kind else None,
        ran_seconds=ran,
        stop_requested=stop,
    )


@pytest.mark.parametrize(
    ("exit_", "left", "expected"),
    [
        (ended(stop=True), 3, Observed.STOPPED),  # asked: whatever the code
        (ended(code=0), 3, Observed.FINISHED),  # a bounded job came to its end
        (ended(kind=FailureClass.CODE), 3, Observed.FAILED),  # would fail again
        (ended(kind=FailureClass.DATA), 3, Observed.FAILED),
        (ended(kind=FailureClass.CONFIGURATION), 3, Observed.FAILED),
        (ended(kind=FailureClass.INFRASTRUCTURE), 0, Observed.FAILED),  # budget spent
        (ended(kind=FailureClass.CODE, ran=9999), 3, Observed.FAILED),  # stable, still code
    ],
)
def test_ends(exit_, left, expected):
    decision = after_exit(exit_, attempts_left=left, settings=SETTINGS, chance=0)
    assert isinstance(decision, End)
    assert decision.observed is expected


@pytest.mark.parametrize(
    ("exit_", "left", "wait", "left_after"),
    [
        (ended(kind=FailureClass.INFRASTRUCTURE), 3, 1, 2),  # first
        (ended(kind=FailureClass.INFRASTRUCTURE), 2, 2, 1),  # factor 2
        (ended(kind=FailureClass.INFRASTRUCTURE), 1, 4, 0),
        (ended(code=-9), 3, 1, 2),  # killed: says nothing
        (ended(code=137), 3, 1, 2),
        (ended(code=-9, ran=300), 0, 1, 2),  # a stable run refills the budget
    ],
)
def test_restarts(exit_, left, wait, left_after):
    decision = after_exit(exit_, attempts_left=left, settings=SETTINGS, chance=0)
    assert decision == Restart(wait_seconds=wait, attempts_left=left_after, why=decision.why)


@given(used=st.integers(0, 50), chance=st.floats(0, 0.999), jitter=st.floats(0, 1))
def test_backoff_grows_to_its_cap_and_jitter_only_adds(used, chance, jitter):
    settings = SuperviseSettings(jitter=jitter)
    plain = backoff_seconds(used, settings=SETTINGS, chance=0)
    assert plain == min(2.0**used, 60)
    assert plain <= backoff_seconds(used, settings=settings, chance=chance) <= plain * 2
