"""What `verify` does while a checkpoint changes under it, and what the judge cannot show."""

import shutil
from pathlib import Path

import pytest

from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.tree.start import holes, plan_start
from streamctl.checkpoint.verify import verify as verify_module
from streamctl.checkpoint.verify.findings import finding, forecast
from streamctl.checkpoint.verify.kinds import Effect, Severity
from streamctl.checkpoint.verify.logs import look
from streamctl.checkpoint.verify.offsets import check_kafka
from streamctl.checkpoint.verify.verify import Level, verify
from streamctl.errors import BrokerUnreachable, StreamctlError, TopicNotFound
from streamctl.reports import Verdict
from tests.goldens import golden

META = '{"batchWatermarkMs":0,"batchTimestampMs":9,"conf":{}}'


@pytest.fixture
def place(tmp_path):
    shutil.copytree(golden("4.2.0", "hdfs-aggregation"), tmp_path / "cp")
    return tmp_path / "cp"


def codes(report):
    return {item.code for item in report.findings}


def test_what_is_gone_at_the_second_look_was_never_wrong(place):
    orphan = place / "offsets" / ".3.crc"
    orphan.write_bytes(b"crc\0")
    report = verify(Checkpoint.open(str(place)), sleep=lambda _: orphan.unlink(missing_ok=True))
    assert report.verdict is Verdict.OK
    assert report.looks == 2


def test_what_comes_new_with_every_look_is_never_reported(place):
    count = iter(range(1, 9))

    def churn(_):
        for path in (place / "offsets").glob(".0*.crc"):
            path.unlink()
        (place / "offsets" / f".00{next(count)}.crc").write_bytes(b"crc\0")

    churn(0)
    report = verify(Checkpoint.open(str(place)), sleep=churn)
    assert report.verdict is Verdict.OK


def test_what_stays_is_reported_after_two_looks(place):
    (place / "metadata").unlink()
    report = verify(Checkpoint.open(str(place)), sleep=lambda _: None)
    assert codes(report) == {"metadata-missing", "sidecar-orphan"}
    assert report.looks == 2
    assert report.forecast is Effect.FAILS


def test_files_that_keep_vanishing_are_an_error_not_an_ok(place, monkeypatch):
    def gone(_self, path, **_):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Files, "read", gone)
    with pytest.raises(StreamctlError, match="vanishing"):
        verify(Checkpoint.open(str(place)), sleep=lambda _: None)


def test_deep_finds_old_damage_that_no_start_meets(place):
    oldest = min((p for p in (place / "state/0/1").glob("*.delta")), key=lambda p: int(p.stem))
    oldest.write_bytes(b"LZ4Block")
    checkpoint = Checkpoint.open(str(place))
    assert verify(checkpoint, sleep=lambda _: None).verdict is Verdict.OK
    report = verify(checkpoint, level=Level.DEEP, sleep=lambda _: None)
    assert report.verdict is Verdict.PROBLEM
    assert report.forecast is Effect.STARTS
    assert {f.path for f in report.findings} == {f"state/0/1/{oldest.name}"}


def test_an_unreadable_directory_is_an_error_not_an_ok(place, monkeypatch):
    entries = Files.entries

    def refused(self, path="", **kwargs):
        if path == "commits":
            raise StreamctlError('cannot read "commits": Permission denied')
        return entries(self, path, **kwargs)

    monkeypatch.setattr(Files, "entries", refused)
    with pytest.raises(StreamctlError, match="Permission denied"):
        verify(Checkpoint.open(str(place)), sleep=lambda _: None)


@pytest.mark.parametrize(
    ("planned", "committed", "batch", "again"),
    [
        ([0], [], 0, True),
        ([0, 1], [0], 1, True),
        ([0, 1], [0, 1], 2, False),
        ([0, 1], [0, 1, 2], 1, True),
        ([5, 6, 7], [5], 7, True),
    ],
    ids=["first batch", "in flight", "at rest", "commit ahead", "commit behind by two"],
)
def test_where_the_next_start_resumes(planned, committed, batch, again):
    start = plan_start(planned, committed)
    assert (start.batch_id, start.runs_again) == (batch, again)


def test_a_stray_number_far_away_is_not_a_thousand_holes():
    assert holes([1, 2, 4]) == (3,)
    assert holes([1, 2, 10**12]) == ()


def test_the_forecast_is_the_worst_effect_and_notes_do_not_count():
    note = finding("foreign-file", "a", "b", effect=Effect.FAILS)
    warning = finding("offsets-hole", "a", "b")
    assert note.severity is Severity.NOTE
    assert forecast([note]) is Effect.STARTS
    assert forecast([note, warning, finding("state-ahead", "a", "b")]) is Effect.WRONG


def kafka_checkpoint(tmp_path, *, committed):
    for name, text in {
        "metadata": '{"id":"01234567-89ab-cdef-0123-456789abcdef"}',
        "offsets/0": f'v1\n{META}\n{{"t":{{"0":10,"1":10}}}}',
        "offsets/1": f'v1\n{META}\n{{"t":{{"0":20,"1":20}}}}',
        "commits/0": "v1\n{}",
        **({"commits/1": "v1\n{}"} if committed else {}),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return look(Files(str(tmp_path)))


@pytest.mark.parametrize(
    ("committed", "kept", "expected", "why"),
    [
        (True, {0: (0, 99), 1: (20, 20)}, set(), "all there, to the record"),
        (True, {0: (21, 99), 1: (0, 99)}, {"kafka-lost"}, "begins after the position"),
        (False, {0: (15, 99), 1: (0, 99)}, {"kafka-lost"}, "the batch in flight begins at 10"),
        (True, {0: (0, 19), 1: (0, 99)}, {"kafka-past-end"}, "made anew"),
        (True, {0: (0, 99)}, {"kafka-partition-gone"}, "a partition less"),
        (True, {0: (0, 99), 1: (0, 99), 2: (0, 9)}, {"kafka-partition-new"}, "a partition more"),
        (True, TopicNotFound("no topic"), {"kafka-partition-gone"}, "no topic"),
        (True, BrokerUnreachable("down"), {"kafka-unreachable"}, "no answer is not an ok"),
    ],
)
def test_kafka(tmp_path, committed, kept, expected, why):  # noqa: ARG001  for the reader
    def watermarks(topic):
        assert topic == "t"
        if isinstance(kept, Exception):
            raise kept
        return kept

    found = check_kafka(kafka_checkpoint(tmp_path, committed=committed), watermarks)
    assert {item.code for item in found} == expected
    verdicts = {item.verdict for item in found}
    if "kafka-unreachable" in expected:
        assert verdicts == {Verdict.UNKNOWN}


def test_a_large_file_is_counted_as_not_read_at_the_fast_level(place, monkeypatch):
    monkeypatch.setitem(verify_module._LIMIT_BYTES, Level.FAST, 10)
    checkpoint = Checkpoint.open(str(place))
    assert verify(checkpoint, sleep=lambda _: None).unread_files > 0
    assert verify(checkpoint, level=Level.DEEP, sleep=lambda _: None).unread_files == 0


@pytest.mark.parametrize(
    ("flavour", "folder"),
    [
        ("hdfs-deduplication-files", "{}/sources/0"),
        ("hdfs-aggregation", "{}-out/_spark_metadata"),
    ],
)
@pytest.mark.parametrize(("ahead", "blocks"), [(1, True), (0, False)])
def test_a_checksum_where_the_next_entry_goes_blocks_it(tmp_path, flavour, folder, ahead, blocks):
    """Real Spark said so of a file source: "Multiple streaming queries are concurrently using"."""
    for name in (flavour, f"{flavour}-out"):
        if golden("4.2.0", name).is_dir():
            shutil.copytree(golden("4.2.0", name), tmp_path / name)
    place = Path(folder.format(tmp_path / flavour))
    newest = max(int(p.name.split(".")[0]) for p in place.iterdir() if p.name[0] != ".")
    (place / f".{newest + ahead}.crc").write_bytes(b"crc\0\0\0\2\0")
    report = verify(
        Checkpoint.open(str(tmp_path / flavour)),
        sink=str(place.parent) if "-out" in folder else "",
        sleep=lambda _: None,
    )
    assert ("sidecar-blocks" in codes(report)) is blocks
