"""Two outputs, row against row, on real Spark."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.compare import compare

pytestmark = pytest.mark.integration
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCHEMA = "at TIMESTAMP, device STRING, records BIGINT, mean DOUBLE"


@pytest.fixture
def output(spark):
    def make(*rows):
        values = [(NOON + timedelta(minutes=at), *rest) for at, *rest in rows]
        return spark.createDataFrame(values, SCHEMA)

    return make


def judge(one, other, **more):
    return compare(one, other, **({"key": ("at", "device"), "time": "at", "samples": 2} | more))


def counts(found):
    return tuple(found[name] for name in ("equal", "different", "only_one", "only_other", "edge"))


ROWS = [(at, "a", 5, 0.1) for at in range(6)]


def test_equal_outputs_and_their_edges(output):
    found = judge(output(*ROWS), output(*ROWS))
    assert counts(found) == (4, 0, 0, 0, 2)
    assert found["repeated"] == 0
    assert not found["samples"]


def test_only_the_time_that_both_have_is_compared(output):
    history = [(at, "a", 5, 0.1) for at in range(-50, 4)]
    assert counts(judge(output(*ROWS), output(*history))) == (2, 0, 0, 0, 2)


def test_a_sum_in_another_order_is_equal_and_more_is_not(output):
    nearly = [(at, "a", 5, 0.1 + 1e-16) for at in range(6)]
    assert counts(judge(output(*ROWS), output(*nearly))) == (4, 0, 0, 0, 2)
    wrong = [*ROWS[:3], (3, "a", 5, 0.1001), *ROWS[4:]]
    found = judge(output(*ROWS), output(*wrong))
    assert counts(found) == (3, 1, 0, 0, 2)
    (sample,) = found["samples"]["different"]
    assert (sample["one"]["mean"], sample["other"]["mean"]) == (0.1, 0.1001)


def test_missing_and_nulls_are_told_apart(output):
    one = output(*ROWS, (2, "b", 1, None))
    other = output(*(row for row in ROWS if row[0] != 3), (2, "b", 1, None), (4, "c", 1, 1.0))
    found = judge(one, other)
    assert counts(found) == (4, 0, 1, 1, 2)
    assert found["samples"]["only_one"][0]["one"]["device"] == "a"
    assert found["samples"]["only_other"][0]["other"]["device"] == "c"


def test_a_repeated_key_is_told(output):
    assert judge(output(*ROWS), output(*ROWS, ROWS[2]))["repeated"] == 1


def test_nothing_shared_is_nothing_compared(output):
    later = [(at + 100, "a", 5, 0.1) for at in range(3)]
    found = judge(output(*ROWS), output(*later))
    assert counts(found) == (0, 0, 0, 0, 0)
    assert found["range"] is None


def test_without_key_and_time_whole_rows_are_compared(output):
    other = output(*ROWS[:5], (5, "a", 6, 0.1))
    assert counts(judge(output(*ROWS), other, key=(), time="")) == (5, 0, 1, 1, 0)
