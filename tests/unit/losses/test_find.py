"""What a batch passed over: a table of cases, each with its reason."""

from datetime import UTC, datetime

import pytest

from streamctl.losses.find import Batch, skipped_by
from streamctl.rundir.losses import LossCause

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def batch(starts, ends, rows):
    return Batch(
        batch_id=7,
        starts={"t": starts},
        ends={"t": ends},
        rows=rows,
        planned_at=NOON,
        previous_at=NOON,
    )


@pytest.mark.parametrize(
    ("starts", "ends", "rows", "lows", "found"),
    [
        pytest.param({0: 10}, {0: 20}, 10, {0: 0}, [], id="all was there"),
        pytest.param({0: 10}, {0: 20}, None, {0: 10}, [], id="the log begins where it read"),
        pytest.param({0: 10}, {0: 20}, 6, {0: 14}, [(0, 10, 14, 4, True)], id="the beginning"),
        pytest.param({0: 10}, {0: 20}, 0, {0: 90}, [(0, 10, 20, 10, True)], id="the whole batch"),
        pytest.param({0: 10}, {0: 20}, 10, {0: 14}, [], id="deleted after it had read"),
        pytest.param({0: 10}, {0: 20}, 8, {0: 14}, [(0, 10, 14, 2, False)], id="while it read"),
        pytest.param(
            {0: 10}, {0: 20}, None, {0: 14}, [(0, 10, 14, 4, False)], id="nobody told its rows"
        ),
        pytest.param(
            {0: 10}, {0: 20}, 30, {0: 14}, [(0, 10, 14, 4, False)], id="a source read twice"
        ),
        pytest.param(
            {0: 0, 1: 0},
            {0: 5, 1: 5},
            3,
            {0: 3, 1: 4},
            [(0, 0, 3, 3, True), (1, 0, 4, 4, True)],
            id="each partition has its own",
        ),
        pytest.param({0: 1}, {0: 2, 1: 9}, 6, {0: 0, 1: 4}, [(1, 0, 4, 4, True)], id="added later"),
        pytest.param({0: 10}, {0: 10}, 0, {0: 90}, [], id="it was to read nothing of it"),
        pytest.param({0: 10}, {0: 20}, 0, {}, [], id="the partition is not there to be asked"),
        pytest.param({0: 50}, {0: 20}, 0, {0: 5}, [(0, 5, 20, None, False)], id="it went back"),
        pytest.param({0: 50}, {0: 20}, 0, {0: 30}, [(0, 20, 20, None, False)], id="to nothing"),
    ],
)
def test_what_was_passed_over(starts, ends, rows, lows, found):
    skipped = skipped_by(batch(starts, ends, rows), {"t": lows})
    assert [(s.partition, s.start, s.end, s.records, s.exact) for s in skipped] == found


def test_a_topic_made_anew_is_passed_over_up_to_the_old_position():
    """It is longer than the old one was: by offsets alone nothing would be seen."""
    (skipped,) = skipped_by(batch({0: 50}, {0: 80}, 30), {"t": {0: 0}}, anew={"t"})
    assert (skipped.start, skipped.end, skipped.cause) == (0, 50, LossCause.MADE_ANEW)
    assert skipped.records is None
