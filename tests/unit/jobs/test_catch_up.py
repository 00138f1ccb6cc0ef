"""The bound of a batch while the job is behind."""

import pytest
import structlog

from jobs.catch_up import Bound, CatchUp, backlog_of, next_bound
from streamctl.settings.model import CatchUpSettings

SETTINGS = CatchUpSettings(enabled=True, target_batch_seconds=10, max_records=16_000)


def bound(records, steady=1000):
    return Bound(records=records, steady_records=steady)


@pytest.mark.parametrize(
    ("before", "read", "seconds", "backlog", "after"),
    [
        (1000, 1000, 2, 50_000, 2000),  # fast, full, and far behind: it grows
        (1000, 1000, 5, 50_000, 2000),  # half the target is fast enough to double
        (1000, 1000, 6, 50_000, 1000),  # twice as much might not fit into the target
        (2000, 1000, 2, 50_000, 2000),  # was planned before the bound grew: wait for a full one
        (12_000, 12_000, 2, 50_000, 16_000),  # never above the largest
        (16_000, 16_000, 2, 50_000, 16_000),
        (8000, 8000, 20, 50_000, 4000),  # too slow: in proportion
        (4000, 8000, 20, 50_000, 4000),  # a batch planned before that does not shrink it again
        (8000, 8000, 1000, 50_000, 1000),  # never under the steady one
        (8000, 8000, 2, 1000, 1000),  # what is left fits into a steady batch
        (8000, 8000, 100, 0, 1000),
        (1000, 1000, 2, 1000, 1000),
        (8000, 8000, 2, 1001, 16_000),
    ],
)
def test_next_bound(before, read, seconds, backlog, after):
    found = next_bound(
        bound(before), SETTINGS, input_records=read, batch_seconds=seconds, backlog_records=backlog
    )
    assert found == bound(after)


def test_a_steady_bound_above_the_largest_is_left_alone():
    large = bound(50_000, steady=50_000)
    for seconds in (0.1, 100):
        found = next_bound(
            large,
            SETTINGS,
            input_records=50_000,
            batch_seconds=seconds,
            backlog_records=10**6,
        )
        assert found == large


def test_backlog_is_summed_over_sources_and_partitions():
    first = {"end_offset": {"a": {"0": 5, "1": 9}}, "latest_offset": {"a": {"0": 10, "1": 9}}}
    new_partition = {"end_offset": {"b": {"0": 1}}, "latest_offset": {"b": {"0": 1, "1": 7}}}
    assert backlog_of([first, new_partition]) == 12
    assert backlog_of([first, {"end_offset": 3, "latest_offset": None}]) is None


def line(*, rows, backlog, batch_ms=1000):
    source = {"end_offset": {"t": {"0": rows}}, "latest_offset": {"t": {"0": rows + backlog}}}
    return {
        "query": "q",
        "input_rows": rows,
        "duration_ms": {"triggerExecution": batch_ms},
        "sources": [source],
    }


def catch_up(sent, *, settings=SETTINGS, takes=True):
    def set_limit(query, records):
        sent.append((query, records))
        return takes

    return CatchUp(
        settings, steady_records=1000, set_limit=set_limit, log=structlog.stdlib.get_logger()
    )


def test_a_run_ramps_up_and_falls_back():
    sent = []
    kept = catch_up(sent)
    for rows, backlog in [(1000, 9000), (2000, 7000), (4000, 3000), (3000, 0), (10, 0)]:
        kept.after(line(rows=rows, backlog=backlog))
    assert sent == [("q", 2000), ("q", 4000), ("q", 8000), ("q", 1000)]
    assert kept.bound("q") == kept.bound("other") == bound(1000)


def test_a_query_that_takes_no_bound_stays_steady():
    sent = []
    kept = catch_up(sent, takes=False)
    kept.after(line(rows=1000, backlog=9000))
    assert kept.bound("q") == bound(1000)


def test_nothing_is_set_while_it_is_off():
    sent = []
    kept = catch_up(sent, settings=CatchUpSettings())
    kept.after(line(rows=1000, backlog=9000))
    assert sent == []
