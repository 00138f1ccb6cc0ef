"""Reading, counting, showing, exporting and purging dead letters."""

import base64
import json
from datetime import timedelta

import pytest

from streamctl.checkpoint.location import journal
from streamctl.checkpoint.location.store import Store
from streamctl.dlq.export import FileThere, export
from streamctl.dlq.letters import Wanted, read_letters
from streamctl.dlq.peek import peek_letters
from streamctl.dlq.purge import plan_purge, purge
from streamctl.dlq.stats import count_letters
from streamctl.reports import Verdict
from tests.unit.dlq.cluster import DLQ, NOON, NOON_MS, Cluster

MINUTE_MS = 60_000


@pytest.fixture
def cluster():
    """Three records in four letters, ten minutes apart, of two devices."""
    made = Cluster()
    made.letter(1, reasons=("missing:a", "out_of_range:b"), at_ms=NOON_MS)
    made.letter(1, reasons=("missing:a", "out_of_range:b"), at_ms=NOON_MS + 10 * MINUTE_MS)
    made.letter(2, reasons=("missing:c",), at_ms=NOON_MS + 20 * MINUTE_MS, key=b"d2")
    made.letter(1, partition=1, reasons=("invalid_json",), at_ms=NOON_MS, value=b"\xff{")
    return made


def letters(cluster, **wanted):
    return list(read_letters(cluster, DLQ, Wanted(**wanted)))


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ({}, [(0, 0), (0, 1), (0, 2), (1, 0)]),
        ({"reason": "missing"}, [(0, 0), (0, 1), (0, 2)]),
        ({"reason": "missing:c"}, [(0, 2)]),
        ({"reason": "miss"}, []),
        ({"partition": 1}, [(1, 0)]),
        ({"partition": 0, "offset": 1}, [(0, 0), (0, 1)]),
        ({"start": NOON + timedelta(minutes=1)}, [(0, 1), (0, 2)]),
        ({"end": NOON + timedelta(minutes=10)}, [(0, 0), (1, 0)]),
        ({"start": NOON + timedelta(hours=1)}, []),
    ],
)
def test_which_letters_are_wanted(cluster, wanted, places):
    found = [
        (letter.record.partition, letter.record.offset) for letter in letters(cluster, **wanted)
    ]
    assert found == places


def test_records_are_counted_apart_from_their_letters(cluster):
    report = count_letters(letters(cluster), topic=DLQ, devices=1)
    assert (report.records, report.letters, report.verdict) == (3, 4, Verdict.OK)
    reasons = {count.name: (count.records, count.letters) for count in report.by_reason}
    assert reasons == {
        "missing:a": (1, 2),
        "out_of_range:b": (1, 2),
        "missing:c": (1, 1),
        "invalid_json": (1, 1),
    }
    assert (report.devices, [(c.name, c.records) for c in report.by_device]) == (2, [("d1", 2)])
    assert (report.first_at, report.last_at) == (NOON, NOON + timedelta(minutes=20))


@pytest.mark.parametrize(
    ("minutes", "step", "rows"),
    [
        ([0, 10, 23], 1, 3),  # a row of each minute fits
        ([0, 10, 24], 5, 3),
        ([0, 14, 15, 100], 5, 4),
        ([0, 24 * 60 * 400], 24 * 60, 2),  # nothing fits: days
    ],
)
def test_the_step_of_time_fits_a_screen(minutes, step, rows):
    cluster = Cluster()
    for offset, minute in enumerate(minutes):
        cluster.letter(offset, at_ms=NOON_MS + minute * MINUTE_MS)
    report = count_letters(letters(cluster), topic=DLQ, devices=0)
    assert (report.step_minutes, len(report.by_time)) == (step, rows)
    assert sum(part.records for part in report.by_time) == len(minutes)


def test_letters_without_our_headers_are_unknown(cluster):
    cluster.add(DLQ, 0)
    report = count_letters(letters(cluster), topic=DLQ, devices=1)
    assert (report.foreign_letters, report.letters, report.records) == (1, 5, 3)
    assert report.verdict is Verdict.UNKNOWN


def test_peek_reads_no_more_than_it_shows(cluster):
    endless = (letter for letter in [*letters(cluster), None])
    shown = peek_letters(endless, topic=DLQ, limit=4, limit_bytes=1)
    last = shown.letters[-1]
    assert (last.origin, last.reasons) == ("t:1:1", ("invalid_json",))
    assert (last.value, last.value_bytes, last.cut) == ("0xff", 2, True)


def test_an_export_holds_every_byte(cluster, tmp_path):
    cluster.add(DLQ, 0, key=None, value=None, headers=[("h", b"\xfe"), ("n", None)])
    file = tmp_path / "new" / "letters.jsonl"
    report = export(letters(cluster), file, topic=DLQ)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert report.letters == len(lines) == 5
    assert base64.b64decode(lines[4]["value_base64"]) == b"\xff{"
    assert lines[0]["value"] == "{}"
    assert lines[0]["origin"]["offset"] == 1
    assert lines[0]["headers"] == []
    assert (lines[3]["key"], lines[3]["value"], lines[3]["origin"]) == (None, None, None)
    assert lines[3]["headers"] == [
        {"name": "h", "value_base64": "/g=="},
        {"name": "n", "value": None},
    ]
    assert list(file.parent.iterdir()) == [file]
    with pytest.raises(FileThere):
        export([], file, topic=DLQ)


def test_an_export_that_breaks_leaves_nothing(cluster, tmp_path):
    def broken():
        yield letters(cluster)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(broken(), tmp_path / "letters.jsonl", topic=DLQ)
    assert list(tmp_path.iterdir()) == []


def test_a_purge_keeps_what_is_young_and_a_copy_of_the_rest(cluster, tmp_path):
    store = Store.open(str(tmp_path / "checkpoint"))
    plan = plan_purge(cluster, DLQ, older_than=NOON + timedelta(minutes=15))
    assert (plan.before, plan.offsets) == ({0: 2, 1: 1}, 3)
    assert len(letters(cluster)) == 4
    report = purge(cluster, plan, file=tmp_path / "old.jsonl", store=store)
    assert [letter.record.offset for letter in letters(cluster)] == [2]
    assert report.exported_letters == len((tmp_path / "old.jsonl").read_text().splitlines()) == 3
    (entry,) = journal.entries(store)
    assert (entry.verb, entry.undo) == ("purge dead letters", None)


def test_nothing_is_purged_when_it_cannot_be_kept(cluster, tmp_path):
    plan = plan_purge(cluster, DLQ, older_than=NOON + timedelta(days=1))
    (tmp_path / "old.jsonl").touch()
    with pytest.raises(FileThere):
        purge(cluster, plan, file=tmp_path / "old.jsonl", store=Store.open(str(tmp_path)))
    assert len(letters(cluster)) == 4
