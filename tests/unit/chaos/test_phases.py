"""A phase is seen by the files that Spark writes, in their order."""

from pathlib import Path

import pytest

from streamctl.chaos.verbs.phases import PHASES
from streamctl.chaos.verbs.wait import newest, until
from streamctl.errors import DeadlinePassed

WRITES = [
    ("base/offsets/7", {"offsets"}),
    ("base/state/0/1/.8.changelog.uuid.tmp", {"offsets", "state"}),
    ("base/state/0/1/8.changelog", {"offsets", "state"}),
    ("out/part-00000.parquet", {"offsets", "state"}),
    ("out/_spark_metadata/.7.uuid.tmp", {"offsets", "state", "sink"}),
    ("out/_spark_metadata/7", {"offsets", "state", "sink", "commit"}),
]
"""In the order of Spark's writes: the file, and the phases that are reached with it."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("base/offsets/6", "base/state/0/1/7.changelog", "out/_spark_metadata/6"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_each_phase_is_seen_when_its_file_is_there(place):
    looks = {name: make(place / "base", place / "out", 7) for name, make in PHASES.items()}
    assert not any(look() for look in looks.values())
    for name, reached in WRITES:
        (place / name).touch()
        assert {phase for phase, look in looks.items() if look()} == reached


def test_a_compacted_entry_of_the_sink_counts_too(place):
    (place / "out" / "_spark_metadata" / "7.compact").touch()
    assert PHASES["commit"](place / "base", place / "out", 7)()
    assert PHASES["sink"](place / "base", place / "out", 7)()


def test_the_newest_entry_of_a_log(place):
    (place / "base" / "offsets" / ".7.crc").touch()
    assert newest(place / "base" / "offsets") == 6
    assert newest(place / "none") == -1


def test_waiting_ends():
    with pytest.raises(DeadlinePassed, match=r"it did not come within 0\.05 s"):
        until(lambda: False, seconds=0.05, what="it did not come", pause=0.01)
