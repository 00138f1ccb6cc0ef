"""How rates are searched, and what figures are made of."""

import pytest

from streamctl.chaos.evidence import Batch, Sample
from streamctl.chaos.load import latencies, percentile, search, slope


@pytest.mark.parametrize(
    ("capacity", "halvings", "found", "tried"),
    [
        (5000, 0, 4000, [1000, 2000, 4000, 8000]),
        (5000, 2, 5000, [1000, 2000, 4000, 8000, 6000, 5000]),
        (7900, 3, 7500, [1000, 2000, 4000, 8000, 6000, 7000, 7500]),
        (500, 2, None, [1000]),  # not even the first: nothing to halve
    ],
)
def test_the_highest_rate_is_found(capacity, halvings, found, tried):
    seen = []

    def attempt(rate: float) -> bool:
        seen.append(rate)
        return rate <= capacity

    assert search(attempt, first=1000, halvings=halvings) == found
    assert seen == tried


def test_the_growth_of_a_lag_is_the_slope_of_its_line():
    looks = [Sample(at=float(n), true_lag=100 + 20 * n + (n % 2)) for n in range(10)]
    assert slope(looks) == pytest.approx(20, abs=0.2)
    assert slope([Sample(at=1.0, true_lag=None), Sample(at=2.0, true_lag=5)]) == 0


def test_a_record_waits_at_most_from_the_begin_of_the_batch_before():
    made = [Batch(at=a, seconds=s, batch_id=n, records=1, attempt=1)
            for n, (a, s) in enumerate([(0, 1), (1, 2), (3, 1)])]  # fmt: skip
    assert latencies(made) == [3, 3]


@pytest.mark.parametrize(
    ("share", "expected"), [(50, 2), (95, 4), (100, 4), (25, 1), (1, 1)]
)  # fmt: skip
def test_percentiles_are_of_the_nearest_rank(share, expected):
    assert percentile([4, 1, 3, 2], share) == expected
    assert percentile([], share) is None
