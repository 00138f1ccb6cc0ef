from array import array
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamctl.errors import Malformed, NotFound, Refused
from streamctl.produce.ledger import LedgerHeader, LedgerWriter, read_header
from streamctl.produce.ledger_entries import Delivery, read_end, read_ledger, summarise_ledger
from streamctl.produce.mix import Mix
from streamctl.produce.run import simulated_clock
from streamctl.produce.telemetry import Telemetry

START = datetime(2026, 3, 1, tzinfo=UTC)


def written(path: Path, *, end: bool = True) -> Telemetry:
    """Three batches of ten; record 3 fails, 25 to 29 get no report, reports come out of order."""
    telemetry = Telemetry(
        Mix(flaws={"missing": 0.3}, late_share=0.1, devices=4, seed=1),
        clock=simulated_clock(START, records_per_second=10),
    )
    header = LedgerHeader(
        run_id="r1", topic="t", bootstrap_servers="b:1", seed=1, devices=4,
        reasons=tuple(telemetry.reasons), started_at=START,
    )  # fmt: skip
    with LedgerWriter(path, header) as ledger:
        for _ in range(3):
            ledger.sending(telemetry.batch(10))
        for sequences in ([20, 0, 21, 1, 2], [4, 5, 6, 7, 8, 9, *range(10, 20), 22, 23, 24]):
            partitions = array("i", [n % 2 for n in sequences])
            offsets = array("q", [n * 10 for n in sequences])
            ledger.delivered(array("q", sequences), partitions, offsets)
        ledger.delivered(array("q", [3]), array("i", [-1]), array("q", [-192]))
        ledger.delivered(array("q"), array("i"), array("q"))  # nothing to say writes nothing
        if end:
            ledger.end({"sent_records": 30})
    return telemetry


def test_entries_come_in_order_with_their_delivery(tmp_path: Path) -> None:
    telemetry = written(tmp_path / "l")
    entries = list(read_ledger(tmp_path / "l"))
    assert [entry.sequence for entry in entries] == list(range(30))
    again = Telemetry(
        Mix(flaws={"missing": 0.3}, late_share=0.1, devices=4, seed=1),
        clock=simulated_clock(START, records_per_second=10),
    ).batch(30)
    for entry in entries:
        n = entry.sequence
        assert (entry.reason or "") == telemetry.reasons[again.reasons[n]]
        assert entry.device.encode() == again.keys[n]
        assert entry.created_ms == again.created_ms[n]
        if n == 3:
            assert (entry.delivery, entry.partition) == (Delivery.FAILED, None)
        elif n >= 25:
            assert (entry.delivery, entry.offset) == (Delivery.UNKNOWN, None)
        else:
            assert (entry.partition, entry.offset) == (n % 2, n * 10)


def test_the_summary_counts_everything(tmp_path: Path) -> None:
    written(tmp_path / "l")
    summary = summarise_ledger(tmp_path / "l")
    assert summary.complete
    assert read_end(tmp_path / "l") == {"sent_records": 30}
    assert summary.sent_records == 30
    assert summary.failed_records == 1
    assert summary.unknown_records == 5
    assert summary.acknowledged_records == 24
    assert summary.partitions == {0: 13, 1: 11}
    assert summary.valid_records + sum(summary.reasons_records.values()) == 30
    entries = list(read_ledger(tmp_path / "l"))
    valid = [entry for entry in entries if entry.reason is None]
    assert summary.valid_records == len(valid)
    assert summary.late_records == sum(e.event_ms != e.created_ms for e in valid)
    assert summary.first_event_ms == min(e.event_ms or 0 for e in valid)


def test_a_killed_run_reads_up_to_its_last_whole_frame_at_every_length(tmp_path: Path) -> None:
    written(tmp_path / "l")
    whole = (tmp_path / "l").read_bytes()
    head = len(whole) - len((tmp_path / "l").read_bytes().partition(b"SCL1")[2])
    torn = tmp_path / "torn"
    sizes = set()
    first_frame = whole.index(b"SCL1", head)
    for length in range(first_frame, len(whole)):
        torn.write_bytes(whole[:length])
        summary = summarise_ledger(torn)
        assert not summary.complete
        sizes.add(summary.sent_records)
    assert sizes == {0, 10, 20, 30}


def test_damage_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    written(tmp_path / "l")
    content = bytearray((tmp_path / "l").read_bytes())
    second = content.index(b"SCL1", 10)
    content[second + 30] ^= 0xFF
    (tmp_path / "l").write_bytes(content)
    with pytest.raises(Malformed):
        list(read_ledger(tmp_path / "l"))


def test_other_files_are_no_ledgers(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a text that is long enough to be a frame's head")
    with pytest.raises(Malformed):
        read_header(tmp_path / "x")
    (tmp_path / "empty").touch()
    with pytest.raises(Malformed):
        read_header(tmp_path / "empty")
    with pytest.raises(NotFound):
        read_header(tmp_path / "none")


def test_a_ledger_is_never_overwritten(tmp_path: Path) -> None:
    written(tmp_path / "l")
    with pytest.raises(Refused):
        written(tmp_path / "l")
