"""Record by record: each planted mistake is found, and nothing else."""

import json
from types import SimpleNamespace

import pytest

from streamctl.audit.ledger import Expected, compare, read_batches
from streamctl.audit.reads import Read, Reads
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.produce.ledger_entries import Delivery, LedgerEntry
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from tests.unit.dlq.cluster import NOON
from tests.written import Written

OK, PROBLEM, UNKNOWN = Verdict.OK, Verdict.PROBLEM, Verdict.UNKNOWN
MINUTE = 60_000


def entry(offset, *, minute=0, reason=None, device="d", partition=0):
    known = partition is not None
    return LedgerEntry(
        offset, reason, device, minute * MINUTE, 0,
        Delivery.ACKNOWLEDGED if known else Delivery.UNKNOWN, partition, offset if known else None,
    )  # fmt: skip


def batch(start, end, watermark_ms=0):
    return Read(starts={"t": {0: start}}, ends={"t": {0: end}}, watermark_ms=watermark_ms)


BATCHES = [batch(0, 3), batch(3, 6, 2 * MINUTE)]
ENTRIES = [
    entry(0), entry(1), entry(2, reason="bad"),
    entry(3, minute=1),  # its window ends at the watermark: late
    entry(4, minute=2), entry(5, minute=2, device="e"), entry(6),
]  # fmt: skip
ROWS = {(0, "d"): 2, (2, "d"): 1, (2, "e"): 1}
LETTERS = {("t", 0, 2): "bad"}


def judge(rows=None, letters=LETTERS, *, entries=ENTRIES, batches=BATCHES, read=6, hidden=()):
    must = Expected(reads=Reads(batches), window_ms=MINUTE, hidden=frozenset(hidden))
    for one in entries:
        must.add("t", one)
    shown = ({"key": [m * MINUTE, d], "records": n} for (m, d), n in (ROWS | (rows or {})).items())
    return compare(must, read=read, rows=shown, rejected=letters)


def test_all_is_as_it_must_be():
    found = judge()
    assert found.verdict is OK
    assert (found.records, found.counted, found.late, found.rejected, found.unread) == (
        7,
        4,
        1,
        1,
        1,
    )
    assert (found.lost, found.doubled, found.wrongly_judged, found.samples) == (0, 0, 0, [])


def test_a_record_that_was_hidden_from_the_job_is_missed_nowhere():
    found = judge({(2, "d"): 0}, hidden=[("t", 0, 4)])
    assert (found.verdict, found.set_aside, found.counted) == (OK, 1, 3)


@pytest.mark.parametrize(
    ("rows", "letters", "found"),
    [
        pytest.param({(2, "e"): 0}, LETTERS, (1, 0, 0), id="a window is lost"),
        pytest.param({(0, "d"): 4}, LETTERS, (0, 2, 0), id="a window is doubled"),
        pytest.param({(2, "e"): 0, (3, "e"): 1}, LETTERS, (1, 1, 0), id="in another window"),
        pytest.param({(1, "d"): 1}, LETTERS, (0, 1, 0), id="a late one was counted"),
        pytest.param({}, {}, (0, 0, 1), id="a letter is lost"),
        pytest.param({}, {("t", 0, 2): "worse"}, (0, 0, 1), id="for another reason"),
        pytest.param({}, LETTERS | {("t", 0, 1): "bad"}, (0, 0, 1), id="a good one was rejected"),
    ],
)
def test_what_is_wrong_is_counted_and_named(rows, letters, found):
    audit = judge(rows, letters)
    assert (audit.lost, audit.doubled, audit.wrongly_judged) == found
    assert audit.verdict is PROBLEM
    assert len(audit.samples) == sum(1 for count in found if count) or audit.samples


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        pytest.param({"letters": None}, UNKNOWN, id="letters were purged"),
        pytest.param({"entries": [*ENTRIES, entry(9, partition=None)]}, UNKNOWN, id="no answer"),
        pytest.param({"read": 8}, UNKNOWN, id="another producer's were read as well"),
        pytest.param({"read": 8, "rows": {(7, "z"): 2}}, UNKNOWN, id="and counted"),
        pytest.param({"read": 8, "rows": {(2, "e"): 0}}, PROBLEM, id="ours are lost all the same"),
    ],
)
def test_what_is_in_doubt(more, verdict):
    assert judge(**more).verdict is verdict


def test_where_the_watermark_is_not_known_a_record_may_be_either():
    batches = [BATCHES[0], batch(3, 6, None)]
    for rows in ({}, {(1, "d"): 1}, {(2, "d"): 0}):
        found = judge(rows, batches=batches)
        assert (found.verdict, found.unjudged, found.lost, found.doubled) == (UNKNOWN, 3, 0, 0)
    assert judge({(1, "d"): 2}, batches=batches).doubled == 1


def test_batches_by_the_log_and_before_it_by_what_was_told(tmp_path):
    """Spark keeps some hundred entries; the driver's lines go further back."""
    written = Written(tmp_path / "cp")
    for number in range(5):
        written.commit({"t": {0: 10 * number + 10}}, at=NOON)
    for number in range(3):
        (written.path / "offsets" / str(number)).unlink()
    run = RunDirectory(tmp_path)
    lines = [
        {
            "kind": "progress", "generation": "0001", "query": "q", "batch_id": number,
            "watermark": f"1970-01-01T00:0{number}:00.000Z",
            "sources": [{"end_offset": {"t": {"0": 10 * number + 10}}}],
        }
        for number in (0, 2, 3)
    ]  # fmt: skip
    run.progress_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    cut = SimpleNamespace(
        batch_id=3, query="q", starts={}, checkpoint=Checkpoint.open(str(written.path))
    )
    found = [(r.ends["t"][0], r.watermark_ms) for r in read_batches(cut, run, "0001")]
    assert found == [(10, 0), (30, None), (40, 2 * MINUTE)]
