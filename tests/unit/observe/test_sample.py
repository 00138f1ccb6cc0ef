"""What is worked out from what was seen."""

from datetime import timedelta

import pytest

from streamctl.observe.batches import Batches, Story
from streamctl.observe.machine import look_at_disks, look_at_processes
from streamctl.observe.sample import compose, not_processing_seconds
from streamctl.observe.sizes import measure_size
from tests.samples import NOW, lag, progress_line, status


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def composed(path, *lines: bytes, now=NOW, **more):
    (path / "progress.jsonl").write_bytes(b"".join(lines))
    batches = Batches(path / "progress.jsonl")
    batches.read()
    given = {
        "lag": None,
        "lag_problem": "",
        "sizes": {},
        "disks": [],
        "processes": None,
        "stall_seconds": 60.0,
        "trigger": "0 seconds",
    } | more
    return compose(status(), batches, now=now, **given).queries[0]


def test_rates_are_those_of_the_last_minute(tmp_path):
    query = composed(
        tmp_path,
        progress_line(0, at=NOW - seconds(61), input_rows=10_000),
        progress_line(1, at=NOW - seconds(59)),
        progress_line(2, at=NOW - seconds(2)),
    )
    assert query.input_per_second == 2.0
    assert query.output_per_second == 0.2
    assert query.rejected_per_minute == {"invalid_json": 6}
    assert query.rejected_share == 0.05
    assert query.commit_age_seconds == 2.0
    assert query.usual_seconds == 0.8
    assert query.watermark_delay_seconds == 602.0


def test_what_is_not_known_is_none_and_not_zero(tmp_path):
    query = composed(tmp_path)
    assert query.input_per_second is None
    assert query.rejected_share is None
    assert query.commit_age_seconds is None
    assert query.not_processing_seconds is None
    query = composed(tmp_path, progress_line(0, at=NOW, output_rows=None, watermark=None))
    assert query.output_per_second is None
    assert query.watermark_delay_seconds is None


def test_lag_and_sizes_go_to_their_query(tmp_path):
    assert composed(tmp_path, lag=lag(5)).lag.lag_records == 5


@pytest.mark.parametrize(
    ("idle", "active", "began", "expected", "why"),
    [
        (False, None, None, None, "never started"),
        (False, None, 40, 40, "an attempt that has not committed anything yet"),
        (False, 7, 40, 7, "its last batch"),
        (False, 40, 7, 7, "a restart begins anew"),
        (True, 29, 500, 0, "it says that there is nothing to read"),
        (True, 31, 500, 31, "it has stopped saying so: it says so every ten seconds"),
    ],
)
def test_not_processing(idle, active, began, expected, why):
    def before(age):
        return None if age is None else NOW - seconds(age)

    story = Story(active_at=before(active), idle=idle)
    assert not_processing_seconds(story, began=before(began), now=NOW) == expected, why


def test_sizes_are_counted_by_kind(tmp_path):
    for name in (
        "offsets/0",
        "commits/0",
        "state/0/0/1.delta",
        "state/0/0/_metadata/x",
        "metadata",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"12345")
    found = {usage.kind: (usage.files, usage.size_bytes) for usage in measure_size(str(tmp_path))}
    assert found == {
        "offsets": (1, 5),
        "commits": (1, 5),
        "state": (2, 10),
        "other": (1, 5),
    }


def test_the_disk_of_a_place_that_is_not_there_yet(tmp_path):
    disks = look_at_disks([("checkpoint", str(tmp_path / "a" / "b")), ("output", "s3://b/o")])
    assert [disk.place for disk in disks] == ["checkpoint"]
    assert disks[0].free_bytes > 0


def test_no_driver_is_not_a_driver_without_memory():
    assert look_at_processes(None) is None
    assert look_at_processes(2**22 + 1) is None
