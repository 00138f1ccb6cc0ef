"""The circuit breaker as a machine of states."""

from datetime import timedelta

import pytest

from streamctl.resilience import breaker
from streamctl.resilience.breaker import Circuit, Window
from streamctl.settings.model import BreakerSettings
from tests.samples import NOW

SETTINGS = BreakerSettings(
    threshold=0.5,
    minimum_records=100,
    window_seconds=60,
    failed_batches=2,
    cool_down_seconds=10,
    cool_down_factor=2,
    max_cool_down_seconds=35,
)


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def window(*batches, failures=()):
    made = Window(SETTINGS)
    for seconds, query, records, rejected in batches:
        made.batch(query, records=records, rejected=rejected, at=at(seconds))
    for seconds in failures:
        made.failed(at(seconds))
    return made


@pytest.mark.parametrize(
    ("seen", "trouble", "why"),
    [
        (window(), "", "nothing happened"),
        (window((0, "q", 100, 50)), "", "at the threshold is not above it"),
        (window((0, "q", 100, 51)), "51% of 100 records of q were rejected", "above"),
        (window((0, "q", 99, 99)), "", "too few to judge by"),
        (window((0, "q", 60, 60), (5, "q", 60, 60)), "100% of 120", "batches add up"),
        (window((-60, "q", 999, 999), (5, "q", 100, 0)), "", "too long ago"),
        (window((0, "a", 100, 0), (0, "b", 100, 60)), "60% of 100 records of b", "each by itself"),
        (window(failures=(0,)), "", "one failure is none"),
        (window(failures=(0, 5)), "2 batches failed in 60 s", "as many as set"),
        (window(failures=(-60, 5)), "", "one of them too long ago"),
    ],
)
def test_trouble(seen, trouble, why):
    told = seen.trouble(at(10))
    assert told.startswith(trouble), why
    assert bool(told) == bool(trouble), why


def test_cool_downs_grow_up_to_a_cap_and_begin_anew_after_closing():
    state, waits = breaker.closed(NOW), []
    for _ in range(4):
        state = breaker.opened(state, "bad", settings=SETTINGS, now=NOW)
        assert state.next_trial_at is not None
        waits.append((state.next_trial_at - NOW).total_seconds())
        state = breaker.half_open(state, NOW)
    assert waits == [10, 20, 35, 35]
    good = window((0, "q", 10, 0))
    state = breaker.after_trial(state, good, settings=SETTINGS, now=NOW)
    assert state == breaker.closed(NOW)


@pytest.mark.parametrize(
    ("seen", "circuit", "opened", "why"),
    [
        (window((0, "q", 10, 5)), Circuit.CLOSED, 0, "few records are enough for a trial"),
        (window((0, "q", 10, 6)), Circuit.OPEN, 2, "bad again"),
        (window(failures=(0,)), Circuit.OPEN, 2, "its batch failed"),
        (window(), Circuit.OPEN, 1, "nothing came: not proven either way, and not counted"),
        (window((0, "q", 0, 0)), Circuit.OPEN, 1, "a batch without records proves nothing"),
    ],
)
def test_a_trial_decides(seen, circuit, opened, why):
    before = breaker.half_open(
        breaker.opened(breaker.closed(NOW), "bad", settings=SETTINGS, now=NOW), NOW
    )
    after = breaker.after_trial(before, seen, settings=SETTINGS, now=at(3))
    assert (after.circuit, after.opened) == (circuit, opened), why


def test_what_an_operator_opened_has_no_trial():
    state = breaker.held_open("me", "why not", NOW)
    assert state.held
    assert state.next_trial_at is None
    assert state.reason == "opened by me: why not"
