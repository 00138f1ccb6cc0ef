"""The state of a query by its history, rule by rule; and rates and times from it."""

from datetime import UTC, datetime, timedelta

import pytest

from streamctl.lag.model import State
from streamctl.lag.positions import Positions, Step
from streamctl.lag.rates import rates
from streamctl.lag.rules import judge, position_at

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def positions(*ends, every=10, ended_ago=1, planned_ago=None):
    """Batches that ended at these offsets, `every` seconds apart, the last `ended_ago`."""
    steps = []
    for index, end in enumerate(ends):
        at = NOW - timedelta(seconds=ended_ago + every * (len(ends) - 1 - index))
        held = end if isinstance(end, dict) else {0: end}
        steps.append(
            Step(
                batch_id=index,
                planned_at=at - timedelta(seconds=every),
                committed_at=at,
                ends={"t": held},
            )
        )
    planned_at = None if planned_ago is None else NOW - timedelta(seconds=planned_ago)
    return Positions(
        steps=tuple(steps), planned=None, planned_batch_id=len(ends), planned_at=planned_at
    )


MOVING = (0, 100, 200, 300)


@pytest.mark.parametrize(
    ("history", "lag", "lags", "state", "rule"),
    [
        (positions(0, 100, 90), 500, [], State.REWOUND, 1),  # worst first: even behind a lag
        (positions({0: 5, 1: 9}, {0: 6, 1: 8}), 0, [], State.REWOUND, 1),
        (positions(*MOVING), None, [], State.UNKNOWN, 0),
        (positions(), 0, [], State.OK, 2),  # nothing to read is well, however short the history
        (positions(*MOVING, ended_ago=9999), 0, [], State.OK, 2),
        (positions(), 7, [], State.UNKNOWN, 0),
        (positions(100), 7, [], State.UNKNOWN, 0),  # one batch shows no movement
        (positions(*MOVING, ended_ago=41), 7, [], State.STOPPED, 3),
        (positions(*MOVING, ended_ago=39), 7, [], State.OK, 6),  # the window is 40 s long
        (positions(*MOVING, ended_ago=41, planned_ago=30), 7, [], State.OK, 6),  # a long batch
        (positions(*MOVING, ended_ago=99, planned_ago=41), 7, [], State.STOPPED, 3),
        (positions(5, 6, every=0.1, ended_ago=9), 7, [], State.OK, 6),  # a window is 10 s at least
        (positions(300, 300, 300), 7, [], State.STALLED, 4),
        (positions(*MOVING), 900, [100, 500, 900], State.LAGGING, 5),
        (positions(*MOVING), 900, [0, 500, 900], State.OK, 6),  # it was at the end in between
        (positions(*MOVING), 500, [100, 900, 500], State.OK, 6),  # it catches up
        (positions(*MOVING), 900, [900], State.OK, 6),
    ],
)
def test_rules(history, lag, lags, state, rule):
    found = judge(history, lag_records=lag, lags=lambda: lags, now=NOW)
    assert (found.state, found.rule) == (state, rule), found.reason
    assert found.reason


def test_completeness_is_the_share_of_the_wanted_history():
    assert judge(positions(*range(5)), lag_records=0, lags=list, now=NOW).completeness == 0.25
    assert judge(positions(*range(40)), lag_records=0, lags=list, now=NOW).completeness == 1


def test_position_at_a_past_moment():
    history = positions(*MOVING)
    assert position_at(history, NOW - timedelta(seconds=15)) == {"t": {0: 100}}
    assert position_at(history, NOW - timedelta(seconds=99)) == {"t": {0: 0}}
    assert position_at(history, NOW) == {"t": {0: 300}}


def test_eta_from_rates():
    found = rates(positions(*MOVING), arriving=4.0, lag_records=300, moves=True)
    assert (found.processing, found.eta_seconds) == (10.0, 50.0)
    assert (found.eta_low_seconds, found.eta_high_seconds) == (50.0, 50.0)


def test_the_spread_is_that_of_the_batches():
    found = rates(positions(0, 50, 200, 250), arriving=0.0, lag_records=100, moves=True)
    assert found.eta_low_seconds < found.eta_seconds < found.eta_high_seconds


@pytest.mark.parametrize(("arriving", "moves"), [(10.0, True), (None, True), (0.0, False)])
def test_there_is_no_eta_when_it_is_not_shrinking(arriving, moves):
    found = rates(positions(*MOVING), arriving=arriving, lag_records=300, moves=moves)
    assert found.eta_seconds is None
    if not moves:
        assert found.processing == 0


def test_without_lag_it_is_reached():
    assert rates(positions(*MOVING), arriving=99.0, lag_records=0, moves=True).eta_seconds == 0
