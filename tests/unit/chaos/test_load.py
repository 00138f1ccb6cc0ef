"""How rates are searched, and what figures are made of."""

import json

import pytest

from streamctl.chaos.evidence import Batch, Sample
from streamctl.chaos.load.measure import latencies, percentile, slope
from streamctl.chaos.load.model import LoadReport, Recovery, Step, read_load
from streamctl.chaos.load.notes import Notes, unfinished
from streamctl.chaos.load.search import search
from streamctl.chaos.report.load_page import curves, load_page, recovery_curves
from streamctl.errors import NotFound
from streamctl.reports import Verdict, as_json


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


def step(rate: float, *, sustained: bool) -> Step:
    return Step(
        rate=rate, sent_rate=rate, sustained=sustained, lag_growth=0 if sustained else 900,
        batch_p50_seconds=0.5, batch_p95_seconds=1.0, latency_p50_seconds=0.8,
        latency_p95_seconds=None, processor_share=0.4, memory_bytes=2**29, checkpoint_bytes=2**20,
    )  # fmt: skip


def test_a_load_run_is_read_again_and_drawn(tmp_path):
    report = LoadReport(
        verdict=Verdict.OK, started_at="2026-01-01T00:00:00.000Z", sustained_rate=2000,
        directory=tmp_path, steps=[step(2000, sustained=True), step(4000, sustained=False)],
        recovery=Recovery(state_store="rocksdb", state_rows=1200, seconds=8.1),
        recoveries=[
            Recovery(state_store=store, state_rows=rows, seconds=seconds)
            for store, rows, seconds in
            (("rocksdb", 90_000, 9.0), ("rocksdb", 1000, 8.0), ("hdfs", 1000, 8.5))
        ],
    )  # fmt: skip
    with pytest.raises(NotFound):
        read_load(tmp_path)
    (tmp_path / "load.json").write_text(json.dumps(as_json(report)))
    assert read_load(tmp_path) == report
    html = load_page(report, command="streamctl load run")
    assert "2,000 records/s are sustained." in html
    assert "1,200 rows in rocksdb" in html
    assert {plot.band for plot in curves(report)} == {(4000, 4000)}
    assert "<script" not in html
    rocksdb, hdfs = recovery_curves(report)
    assert rocksdb.points == [(1000, 8.0), (90_000, 9.0)]
    assert "hdfs" in hdfs.title


def test_an_interrupted_run_is_gone_on_with_when_the_same_is_asked(tmp_path):
    asked = {"plan": {"first": 1000}}
    notes = Notes(directory=tmp_path / "1", asked=asked, started_at="2026-01-01T00:00:00.000Z")
    notes.steps.append(step(1000, sustained=True))
    notes.save()
    found = unfinished(tmp_path, asked)
    assert found == notes
    assert found.known(1000).sustained
    assert found.known(2000) is None
    assert unfinished(tmp_path, {"plan": {"first": 2000}}) is None
    (tmp_path / "1" / "load.json").write_text("{}")
    assert unfinished(tmp_path, asked) is None  # it has come to its end
