"""The state of a query by its history, rule by rule; and rates and times from it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from streamctl.lag.history import outages, since_outage, window
from streamctl.lag.model import State
from streamctl.lag.past import position_at
from streamctl.lag.positions import Positions, Step
from streamctl.lag.rates import rates
from streamctl.lag.rules import judge

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


class Looks:
    """The lag at the moments that are asked for, one after the other."""

    def __init__(self, *lags, unread_seconds=10**6):
        self.lags, self.unread_seconds = list(lags), unread_seconds

    def lag_at(self, _moment):
        return self.lags.pop(0) if self.lags else 0

    def unread_before(self, moment):
        return (NOW - moment).total_seconds() < self.unread_seconds


def gaps(*seconds, ended_ago=1, rows=100):
    """Batches so many seconds apart, of so many records each, the last one `ended_ago`."""
    at = NOW - timedelta(seconds=ended_ago + sum(seconds))
    steps = []
    for index, gap in enumerate((0, *seconds)):
        at += timedelta(seconds=gap)
        planned_at = at - timedelta(seconds=1)
        steps.append(
            Step(
                batch_id=index,
                planned_at=planned_at,
                committed_at=at,
                ends={"t": {0: rows * index}},
            )
        )
    return Positions(steps=tuple(steps), planned=None, planned_batch_id=len(steps), planned_at=None)


EIGHT_HOURS = 8 * 3600
DOWN = (*[10] * 14, EIGHT_HOURS, *[10] * 4)  # five batches since


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
        (positions(*MOVING), 900, [100, 500], State.LAGGING, 5),
        (positions(*MOVING), 900, [0, 500], State.OK, 6),  # it was at the end in between
        (positions(*MOVING), 500, [100, 900], State.OK, 6),  # it catches up
        (gaps(*DOWN, ended_ago=201), 7, [], State.STOPPED, 3),  # 20 times 10 s, not 8 h
        (gaps(*DOWN, ended_ago=199), 7, [], State.OK, 6),
        (gaps(*[600] * 19, ended_ago=600), 7, [], State.OK, 6),  # the trigger is no outage
        (gaps(*[600] * 19, ended_ago=12001), 7, [], State.STOPPED, 3),
    ],
)
def test_rules(history, lag, lags, state, rule):
    found = judge(history, lag_records=lag, past=Looks(*lags), now=NOW)
    assert (found.state, found.rule) == (state, rule), found.reason
    assert found.reason


def test_completeness_is_the_share_of_the_wanted_history():
    assert judge(positions(*range(5)), lag_records=0, past=Looks(), now=NOW).completeness == 0.25
    assert judge(positions(*range(40)), lag_records=0, past=Looks(), now=NOW).completeness == 1


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


def test_a_record_that_came_just_now_is_no_evidence_of_a_death():
    """A query without records is silent; it has a whole window for the first one that comes."""
    silent = positions(*MOVING, ended_ago=9999)
    for unread_seconds, state in ((39, State.OK), (41, State.STOPPED)):
        past = Looks(unread_seconds=unread_seconds)
        assert judge(silent, lag_records=1, past=past, now=NOW).state is state


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        (DOWN, [15]),
        ((*[10] * 17, EIGHT_HOURS, 10), [18]),  # two batches came since
        ((*[10] * 18, EIGHT_HOURS), []),  # the only one since may be the first of many
        ((10, EIGHT_HOURS, 10), []),  # too few to say what is usual
        ((EIGHT_HOURS, 10, 10, 10), [1]),
        ((*[10] * 5, EIGHT_HOURS, *[10] * 4, 7200, *[10] * 4), [6, 11]),
        ((*[1] * 15, EIGHT_HOURS, *[30] * 3), [16]),  # batches that catch up are longer
        ((*[10] * 9, 299, *[10] * 9), []),
        ((*[10] * 9, 301, *[10] * 9), [10]),
        ((*[60] * 9, 599, *[60] * 9), []),  # less than ten times as long
        ([600] * 19, []),  # a trigger of ten minutes
        ((*[600] * 10, EIGHT_HOURS, *[600] * 5), [11]),
        ([1, 599] * 9, []),  # each batch with data, and one without after it
        ([5, 5, 3600] * 6, []),  # a run of three batches, every hour
    ],
)
def test_outages(seconds, found):
    assert outages(gaps(*seconds).steps) == found


def test_the_history_since_an_outage_is_what_counts():
    steps = gaps(*DOWN).steps
    assert [step.batch_id for step in since_outage(steps)] == [15, 16, 17, 18, 19]
    assert window(steps) == timedelta(seconds=20 * 10)
    assert judge(gaps(*DOWN), lag_records=0, past=Looks(), now=NOW).completeness == 0.25
    assert list(since_outage(())) == []


def test_a_batch_that_was_planned_before_an_outage_makes_no_window_longer():
    first, *others = gaps(*[10] * 19).steps
    early = replace(first, planned_at=first.planned_at - timedelta(hours=8))
    assert window([early, *others]) == timedelta(seconds=200)


def test_an_eta_while_catching_up_is_by_the_pace_since_the_outage():
    found = rates(gaps(*DOWN), arriving=5.0, lag_records=1000, moves=True)
    assert (found.processing, found.eta_seconds) == (10.0, 200.0)


def test_what_grew_in_an_outage_and_shrinks_since_is_not_lagging():
    asked = []
    past = Looks()
    past.lag_at = lambda moment: asked.append(moment) or 900
    assert judge(gaps(*DOWN), lag_records=500, past=past, now=NOW).state is State.OK
    assert min(asked) == NOW - timedelta(seconds=41)  # the first commit since
