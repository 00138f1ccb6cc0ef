"""The fault enumerator itself: a check that cannot fail would prove nothing."""

import errno
import os
from pathlib import Path

import pytest

from tests.faults import Fail, Kill, points_of, run_forked


def _replace(folder: Path) -> str:
    beside = folder / "value.tmp"
    with beside.open("w") as file:
        file.write("new value")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / "value")
    return "done"


def test_every_change_is_a_point(tmp_path: Path) -> None:
    """Open, flush and rename of a careful write are three points; reads are none."""
    points = points_of(lambda: _replace(tmp_path), roots=[tmp_path])
    assert [point.split()[0] for point in points] == ["open", "os.fsync", "os.rename"]


@pytest.mark.parametrize("at", range(3))
def test_a_kill_leaves_what_was_done_before_it(tmp_path: Path, at: int) -> None:
    """The change at the point does not happen; a flush leaves half the file."""
    (tmp_path / "value").write_text("old")
    outcome = run_forked(lambda: _replace(tmp_path), roots=[tmp_path], fault=Kill(at=at))
    assert outcome.killed
    assert (tmp_path / "value").read_text() == "old"
    beside = tmp_path / "value.tmp"
    assert (beside.read_text() if beside.exists() else None) == [None, "new ", "new value"][at]


def test_a_failure_is_seen_by_the_work(tmp_path: Path) -> None:
    """The error reaches the code as its own call's error."""
    outcome = run_forked(
        lambda: _replace(tmp_path), roots=[tmp_path], fault=Fail(at=2, code=errno.EIO)
    )
    assert outcome.error.startswith("OSError: [Errno 5]")
    assert not (tmp_path / "value").exists()


def test_without_a_fault_the_value_comes_back(tmp_path: Path) -> None:
    """The control."""
    assert run_forked(lambda: _replace(tmp_path), roots=[tmp_path]).value == "done"
