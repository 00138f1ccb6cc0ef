"""What `verify` does while a checkpoint changes under it, and what the judge cannot show."""

import errno
import io
import os
import shutil
from pathlib import Path

import pytest

from streamctl.checkpoint.tree.files import Files, Unreadable
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.tree.start import holes, plan_start
from streamctl.checkpoint.verify import verify as verify_module
from streamctl.checkpoint.verify.findings import finding, forecast
from streamctl.checkpoint.verify.kinds import Effect, Severity
from streamctl.checkpoint.verify.logs import look
from streamctl.checkpoint.verify.offsets import Topics, check_kafka
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


def refuse(monkeypatch, path, number=errno.EACCES):
    """Let storage refuse one file or directory; with EIO, where bytes of it are read."""
    for name in ("entries", "open", "read", "read_start"):
        real = getattr(Files, name)

        def refused(self, at="", *args, real=real, name=name, **kwargs):
            if at != path:
                return real(self, at, *args, **kwargs)
            error = OSError(number, os.strerror(number))
            if name == "open" and number == errno.EIO:
                return Broken(error)
            raise Unreadable(at, error.strerror)

        monkeypatch.setattr(Files, name, refused)


class Broken(io.RawIOBase):
    """A file that opens, and whose storage fails when it is read."""

    def __init__(self, error):
        self._error = error

    def read(self, *_):
        raise self._error

    readinto = readline = read


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO], ids=["refused", "broken"])
@pytest.mark.parametrize("level", [Level.FAST, Level.DEEP])
@pytest.mark.parametrize(
    "pattern",
    [
        "metadata",
        "offsets/*",
        "commits/*",
        "state/0/_metadata/metadata",
        "state/0/0/*.snapshot",
        "offsets",
        "commits",
        "state",
        "state/0/1",
        "state/0/0/_metadata/schema",
    ],
)
def test_what_storage_refuses_is_unknown_and_the_rest_is_told(
    place, monkeypatch, pattern, level, number
):
    """Never an ok, and never an end of the look."""
    last = max((p for p in place.glob(pattern) if p.name[0] != "."), key=lambda p: (len(p.name), p))
    path = str(last.relative_to(place))
    logs_known = path not in {"offsets", "commits"}
    if logs_known:
        (place / "offsets" / ".99999.crc").write_bytes(b"crc\0")
    refuse(monkeypatch, path, number)
    report = verify(Checkpoint.open(str(place)), level=level, sleep=lambda _: None)
    found = {item.code: item for item in report.findings}
    assert found["unreadable"].verdict is Verdict.UNKNOWN
    assert path.startswith(found["unreadable"].path)
    assert report.verdict is not Verdict.OK
    assert report.forecast in {Effect.UNKNOWN, Effect.FAILS}
    assert ("sidecar-blocks" in found) is logs_known


def test_permission_denied_is_unknown_and_says_how_to_read_it(place):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (place / "metadata").chmod(0)
    report = verify(Checkpoint.open(str(place)), sleep=lambda _: None)
    assert codes(report) == {"unreadable"}
    assert report.verdict is Verdict.UNKNOWN


def test_the_deep_look_outlives_what_the_query_purges(place, monkeypatch):
    """A query that purges faster than it is read: what it left is judged, and the look ends."""
    read, opened = Files.read, Files.open
    needed = {p.name for p in (place / "offsets").iterdir()}
    newest = max(int(name) for name in needed if name.isdigit())

    def purging(real):
        def run(self, path, *args, **kwargs):
            folder, _, name = path.rpartition("/")
            old = name.split(".")[0].isdigit() and int(name.split(".")[0]) < newest - 3
            if old and (place / path).exists() and folder != "sources/0":
                (place / path).unlink()
                raise FileNotFoundError(path)
            return real(self, path, *args, **kwargs)

        return run

    damaged = max(place.glob("state/0/1/*.snapshot"), key=lambda p: int(p.stem))
    monkeypatch.setattr(Files, "read", purging(read))
    monkeypatch.setattr(Files, "open", purging(opened))
    report = verify(Checkpoint.open(str(place)), level=Level.DEEP, sleep=lambda _: None)
    assert damaged.exists()
    assert report.verdict is Verdict.OK, report.findings
    assert not (place / "offsets" / str(min(int(n) for n in needed if n.isdigit()))).exists()


def test_a_file_without_its_checksum_is_a_note_where_those_around_it_have_one(place):
    """Spark reads it unchecked. Of the first and the last it may be between the two writes."""
    numbers = sorted(int(p.name) for p in (place / "offsets").iterdir() if p.name.isdigit())
    (place / "offsets" / f".{numbers[-1]}.crc").unlink()
    (place / "offsets" / f".{numbers[0]}.crc").unlink()
    assert verify(Checkpoint.open(str(place)), sleep=lambda _: None).findings == ()
    (place / "offsets" / f".{numbers[2]}.crc").unlink()
    delta = sorted(place.glob("state/0/1/*.delta"), key=lambda p: int(p.stem))[1]
    delta.with_name(f".{delta.name}.crc").unlink()
    report = verify(Checkpoint.open(str(place)), level=Level.DEEP, sleep=lambda _: None)
    assert report.verdict is Verdict.OK
    assert {(f.code, f.path) for f in report.findings} == {
        ("sidecar-missing", f"offsets/{numbers[2]}"),
        ("sidecar-missing", f"state/0/1/{delta.name}"),
    }


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


def topics(kept, *, began_with="a", now="a"):
    def watermarks(topic):
        assert topic == "t"
        if isinstance(kept, Exception):
            raise kept
        return kept

    known = {"t": began_with} if began_with else {}
    return Topics(watermarks=watermarks, topic_id=lambda _: now, began_with=known)


WHOLE = {0: (0, 99), 1: (0, 99)}


@pytest.mark.parametrize(
    ("committed", "kept", "expected", "why"),
    [
        (True, {0: (0, 99), 1: (20, 20)}, set(), "all there, to the record"),
        (True, {0: (21, 99), 1: (0, 99)}, {"kafka-lost"}, "begins after the position"),
        (False, {0: (15, 99), 1: (0, 99)}, {"kafka-lost"}, "the batch in flight begins at 10"),
        (True, {0: (0, 19), 1: (0, 99)}, {"kafka-past-end"}, "made anew"),
        (False, {0: (0, 19), 1: (0, 99)}, {"kafka-past-end"}, "the batch in flight ends at 20"),
        (False, {0: (0, 99)}, {"kafka-partition-gone"}, "of the batch in flight"),
        (True, {0: (0, 99)}, {"kafka-partition-gone"}, "a partition less"),
        (True, {0: (0, 99), 1: (0, 99), 2: (0, 9)}, {"kafka-partition-new"}, "a partition more"),
        (True, TopicNotFound("no topic"), {"kafka-partition-gone"}, "no topic"),
        (True, BrokerUnreachable("down"), {"kafka-unreachable"}, "no answer is not an ok"),
    ],
)
def test_kafka(tmp_path, committed, kept, expected, why):  # noqa: ARG001  for the reader
    found = check_kafka(kafka_checkpoint(tmp_path, committed=committed), topics(kept))
    assert {item.code for item in found} == expected
    verdicts = {item.verdict for item in found}
    if "kafka-unreachable" in expected:
        assert verdicts == {Verdict.UNKNOWN}


def test_a_topic_made_anew_is_found_whatever_it_holds(tmp_path):
    """It may have grown past the position. Where nobody noted its id, that is said."""
    logs = kafka_checkpoint(tmp_path, committed=True)
    (found,) = check_kafka(logs, topics(WHOLE, now="b"))
    assert (found.code, found.verdict) == ("kafka-topic-anew", Verdict.PROBLEM)
    for unknown in (topics(WHOLE, began_with=""), topics(WHOLE, now=None)):
        (found,) = check_kafka(logs, unknown)
        assert (found.code, found.verdict) == ("kafka-not-compared", Verdict.OK)
        assert "was made anew" in found.detail


@pytest.mark.parametrize(
    ("sources", "kept", "expected"),
    [
        ({"0": '{"t":{"0":5,"1":5}}'}, WHOLE, {}),
        ({"0": '{"t":{"0":5,"1":5}}'}, {0: (6, 99), 1: (0, 99)}, {"kafka-lost": "problem"}),
        ({"0": '{"t":{"0":5,"1":5}}'}, {0: (0, 9), 1: (0, 99)}, {"kafka-past-end": "problem"}),
        ({}, WHOLE, {"kafka-not-compared": "unknown"}),
        (
            {},
            {0: (0, 9), 1: (0, 99)},
            {"kafka-not-compared": "unknown", "kafka-past-end": "problem"},
        ),
        ({"0": "damaged"}, WHOLE, {"kafka-not-compared": "unknown"}),
    ],
    ids=["whole", "begin gone", "end gone", "begin unknown", "only the end known", "damaged"],
)
def test_the_first_batch_in_flight_begins_where_the_source_says(tmp_path, sources, kept, expected):
    for name in ("offsets", "commits"):
        (tmp_path / name).mkdir()
    (tmp_path / "offsets/0").write_text(f'v1\n{META}\n{{"t":{{"0":10,"1":10}}}}')
    for number, text in sources.items():
        (tmp_path / "sources" / number).mkdir(parents=True)
        (tmp_path / "sources" / number / "0").write_bytes(b"\0v1\n" + text.encode())
    found = check_kafka(look(Files(str(tmp_path))), topics(kept))
    assert {item.code: item.verdict.value for item in found} == expected


def test_where_nothing_reads_kafka_that_is_said(place):
    (found,) = check_kafka(look(Files(str(place))), topics({}))
    assert (found.code, found.verdict) == ("kafka-not-compared", Verdict.OK)


def test_a_lost_entry_before_the_planned_one_leaves_the_position_unknown(tmp_path):
    kafka_checkpoint(tmp_path, committed=False)
    (tmp_path / "offsets/0").unlink()
    (found,) = check_kafka(look(Files(str(tmp_path))), topics(WHOLE))
    assert (found.code, found.verdict) == ("kafka-not-compared", Verdict.UNKNOWN)


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
