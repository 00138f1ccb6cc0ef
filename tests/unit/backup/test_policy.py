"""Which backups stay; rules as restic's, with our guards."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamctl.checkpoint.backup.policy import Candidate, Policy, choose

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday


def candidates(*hours_ago, **more):
    return [Candidate(id=f"{h:05}", at=NOON - timedelta(hours=h), **more) for h in hours_ago]


def stays(found):
    return [int(choice.id) for choice in found if choice.stays]


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (Policy(last=2), [0, 1]),
        (Policy(hourly=3), [0, 1, 5]),
        (Policy(daily=2), [0, 20]),
        (Policy(weekly=2), [0, 100]),
        (Policy(within=timedelta(hours=5)), [0, 1, 5]),
        (Policy(last=1, daily=3), [0, 20, 40]),
        (Policy(last=1, at_least=4), [0, 1, 5, 20]),
        (Policy(), [0, 1, 5, 20, 40, 100]),
    ],
)
def test_rules(policy, kept):
    assert stays(choose(candidates(0, 1, 5, 20, 40, 100), policy, now=NOON)) == kept


def test_guards():
    some = [*candidates(0, 1), *candidates(9, verified=True), *candidates(10, keep=True)]
    found = {choice.id: choice for choice in choose(some, Policy(last=1), now=NOON)}
    assert found["00009"].reasons == ("the newest that was found whole",)
    assert found["00010"].reasons == ("marked to be kept",)
    assert not found["00001"].stays


def test_a_clock_that_went_back_removes_nothing_young():
    future = [Candidate(id="f", at=NOON + timedelta(days=3))]
    assert choose(future, Policy(within=timedelta(hours=1)), now=NOON)[0].stays


SOME = st.tuples(st.integers(0, 3000), st.booleans(), st.booleans())
COUNTS = st.tuples(*[st.integers(0, 4)] * 4, st.integers(1, 5))


@given(st.lists(SOME, unique_by=lambda some: some[0]), COUNTS)
def test_every_one_is_decided_once_with_a_reason(some, counts):
    last, hourly, daily, weekly, at_least = counts
    them = [
        Candidate(id=f"{h}", at=NOON - timedelta(hours=h), verified=verified, keep=keep)
        for h, verified, keep in some
    ]
    policy = Policy(last=last, hourly=hourly, daily=daily, weekly=weekly, at_least=at_least)
    found = choose(them, policy, now=NOON)
    assert sorted(choice.id for choice in found) == sorted(c.id for c in them)
    assert all(bool(choice.reasons) == choice.stays for choice in found)
    kept = {choice.id for choice in found if choice.stays}
    assert len(kept) >= min(at_least, len(them))
    assert {c.id for c in them if c.keep} <= kept
    verified = [c for c in them if c.verified]
    if verified:
        assert max(verified, key=lambda c: (c.at, c.id)).id in kept
