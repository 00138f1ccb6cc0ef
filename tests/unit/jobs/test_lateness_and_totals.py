"""Late records are counted exactly, or said to be unknown; totals go on over restarts."""

import json

import pytest

from jobs.lateness import BINS, late_records
from jobs.progress import ProgressFile, was_skipped
from jobs.totals import Totals, read_totals


def observed(*bins: tuple[float, float]) -> dict[str, object]:
    return {
        "records": sum(int(y) for _, y in bins),
        "first_window_end_ms": min((int(x) for x, _ in bins), default=None),
        "window_ends_ms": [{"x": x, "y": y} for x, y in bins],
    }


@pytest.mark.parametrize(
    ("seen", "watermark_ms", "late"),
    [
        pytest.param(observed((60.0, 3), (120.0, 4)), 0, 0, id="no watermark yet"),
        pytest.param(observed((60.0, 3), (120.0, 4)), 59, 0, id="below the first end"),
        pytest.param(observed((60.0, 3), (120.0, 4)), 60, 3, id="a window ends at the watermark"),
        pytest.param(observed((60.0, 3), (60.0, 2), (120.0, 4)), 60, 5, id="a bin of each task"),
        pytest.param(observed((60.0, 3), (120.0, 4)), 500, 7, id="all of them"),
        pytest.param(observed(), 500, 0, id="no valid record"),
        pytest.param(None, 500, None, id="not observed"),
        pytest.param(observed((60.0, 3)), None, None, id="the watermark is not known"),
        pytest.param(
            observed(*((60.0 * n, 1) for n in range(1, BINS + 1))), 60, None, id="too many windows"
        ),
        pytest.param(
            observed(*((60.0 * n, 1) for n in range(1, BINS + 1))), 59, 0, id="many, none late"
        ),
    ],
)
def test_late_records(seen, watermark_ms, late):
    assert late_records(seen, watermark_ms) == late


def add(totals: Totals, batch_id: int, late: int | None = 1) -> Totals:
    return totals.add(
        batch_id=batch_id, input_rows=10, late_rows=late, rejected={"invalid_json": 2}
    )


def test_totals_add_up():
    totals = add(add(Totals(), 0), 1)
    assert totals.as_fields() == {
        "input_rows": 20,
        "late_rows": 2,
        "rejected_rows": {"invalid_json": 4},
        "dead_letters": 0,
        "repaired_snapshots": 0,
        "uncounted_batches": 0,
    }


def test_an_unknown_count_stays_unknown():
    assert add(add(Totals(), 0, late=None), 1).late_rows is None


@pytest.mark.parametrize(("first", "then"), [(0, 2), (3, 3), (5, 2)])
def test_a_gap_or_a_rewind_makes_late_unknown(first, then):
    totals = add(add(Totals(batch_id=first - 1), first), then)
    assert totals.late_rows is None
    assert totals.uncounted_batches > 0


def progress(*, rows: int, start: dict | None, stores: int | None) -> dict:
    """As Spark tells a batch that ends at offset 9, of a query with so many state stores open."""
    source = {"startOffset": start, "endOffset": {"t": {"0": 9}}, "numInputRows": rows}
    operators = [] if stores is None else [{"numStateStoreInstances": stores}]
    return {"numInputRows": rows, "sources": [source], "stateOperators": operators}


@pytest.mark.parametrize(
    ("told", "skipped"),
    [
        pytest.param(
            progress(rows=0, start={"t": {"0": 4}}, stores=0), True, id="the sink had it"
        ),
        pytest.param(progress(rows=5, start={"t": {"0": 4}}, stores=2), False, id="it read"),
        pytest.param(progress(rows=0, start={"t": {"0": 9}}, stores=2), False, id="no data"),
        pytest.param(
            progress(rows=0, start={"t": {"0": 4}}, stores=2), False,
            id="it ran, and found only markers of transactions",
        ),
        pytest.param(
            progress(rows=0, start={"t": {"0": 4}}, stores=None), False, id="no state to tell by"
        ),
        pytest.param(progress(rows=0, start=None, stores=0), False, id="the first, empty"),
    ],
)  # fmt: skip
def test_a_batch_that_the_sink_had_is_not_run_again(told, skipped):
    assert was_skipped(told) is skipped


def test_what_a_skipped_batch_held_is_not_known():
    totals = add(Totals(), 0).add(
        batch_id=1, input_rows=0, late_rows=None, rejected={}, skipped=True
    )
    assert (totals.late_rows, totals.uncounted_batches) == (None, 1)
    assert add(totals, 2).uncounted_batches == 1


def test_totals_come_back_from_the_file(tmp_path):
    path = tmp_path / "progress.jsonl"
    for generation, batch in (("0001", 0), ("0001", 1), ("0002", 0)):
        file = ProgressFile(path, max_bytes=10**6, bound={"generation": generation})
        totals = Totals(batch_id=batch, input_rows=10 * (batch + 1))
        file.write("progress", query="q", batch_id=batch, totals=totals.as_fields())
    with path.open("a") as half:
        half.write('{"kind":"progress","query":"q"')
    assert read_totals(path, generation="0001")["q"].input_rows == 20
    assert read_totals(path, generation="0002")["q"].input_rows == 10
    assert read_totals(path, generation="0003") == {}


def test_a_full_progress_file_is_put_aside(tmp_path):
    path = tmp_path / "progress.jsonl"
    file = ProgressFile(path, max_bytes=200, bound={"generation": "0001"})
    for number in range(20):
        file.write("idle", query="q", number=number)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1]["number"] == 19
    assert path.stat().st_size < 400
    assert sorted(p.name for p in tmp_path.iterdir()) == ["progress.jsonl", "progress.jsonl.1"]
