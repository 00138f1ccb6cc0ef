"""Bisection: every record that is at fault, no other one, and few trials."""

import math

from hypothesis import given
from hypothesis import strategies as st

from streamctl.poison.search import Error, Fault, OutOfTime, search, without

BOOM = Error(condition="BOOM", message="it broke")
NEVER = 10**6


def trial_of(poison, *, size=NEVER, calls=None):
    """A batch that fails on some records, and on so many at once."""

    def trial(spans):
        if calls is not None:
            calls.append(spans)
        shown = {number for start, end in spans for number in range(start, end)}
        return BOOM if shown & poison or len(shown) >= size else None

    return trial


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_all_poison_is_found_and_nothing_else(case):
    size, poison = case
    found = search(size, trial_of(poison), most=size)
    assert set(found.records) == poison
    assert found.fault is (Fault.RECORDS if poison else Fault.NONE)
    assert found.trials <= 3 + len(poison) * (2 * math.ceil(math.log2(size)) + 1)


@given(st.integers(0, 999))
def test_one_record_costs_log2_of_the_batch(poison):
    assert search(1000, trial_of({poison}), most=10).trials <= 3 + 2 * math.ceil(math.log2(1000))


@given(
    st.integers(2, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(2, n))),
)
def test_a_batch_that_only_fails_as_a_whole_is_no_records_fault(case):
    size, too_many = case
    found = search(size, trial_of(set(), size=too_many), most=size)
    assert found.fault is Fault.TOGETHER
    assert not found.records
    start, end = found.range
    assert too_many <= end - start  # the smallest range that was seen to fail


def test_a_fault_of_the_code_is_told_without_looking_at_records():
    found = search(1000, lambda _: BOOM, most=10)
    assert (found.fault, found.trials, found.records) == (Fault.NO_RECORD, 2, {})


def test_more_records_than_may_be_set_aside_end_the_search():
    found = search(1000, trial_of(set(range(1000))), most=5)
    assert found.fault is Fault.TOO_MANY
    assert found.trials < 40


def test_what_still_fails_without_the_found_records_is_told():
    pair = {3, 7}

    def trial(spans):
        shown = {number for start, end in spans for number in range(start, end)}
        return BOOM if 1 in shown or pair <= shown else None

    found = search(10, trial, most=10)
    assert found.fault is Fault.TOGETHER


def test_when_time_is_over_what_was_found_stays():
    calls: list[object] = []
    inner = trial_of({0, 900}, calls=calls)

    def trial(spans):
        if len(calls) > 15:
            raise OutOfTime
        return inner(spans)

    found = search(1000, trial, most=10)
    assert found.fault is Fault.NOT_KNOWN
    assert set(found.records) == {0}


@given(st.integers(1, 50).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_what_is_left_without_some_records(case):
    size, records = case
    left = [number for start, end in without(size, records) for number in range(start, end)]
    assert left == [number for number in range(size) if number not in records]
