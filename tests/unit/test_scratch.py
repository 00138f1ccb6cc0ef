"""Temporary files go with their process, and what nobody could remove is found by its note."""

import tempfile
from pathlib import Path

import pytest

from streamctl.job.scratch import Scratch, noted, sweep


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_it_is_noted_until_it_is_removed(temporary: Path, tmp_path: Path) -> None:
    notes = tmp_path / "run" / "temporary"
    one, other = Scratch(notes), Scratch(notes)
    Path(one.environ["TMPDIR"], "left").write_text("x")
    assert len(list(notes.iterdir())) == len(list(temporary.iterdir())) == 2
    one.remove()
    one.remove()
    [left] = temporary.iterdir()
    assert str(left) == other.environ["STREAMCTL_SCRATCH"]
    (left / "blocks").mkdir()
    sweep(noted(notes))
    assert [*temporary.iterdir(), *notes.iterdir()] == []


def test_a_note_of_something_else_removes_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "streamctl-spark-x").symlink_to(tmp_path / "mine")
    (tmp_path / "streamctl-spark-y").write_text("no link")
    (tmp_path / "streamctl-spark-z").symlink_to(tmp_path / "gone" / "streamctl-spark-z")
    sweep(noted(tmp_path))
    assert noted(tmp_path / "no such place") == []
    assert (tmp_path / "mine").is_dir()
    assert noted(tmp_path) == [tmp_path / "streamctl-spark-y"]


def test_without_a_place_for_notes_it_is_made_all_the_same(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    scratch = Scratch(tmp_path / "file")
    assert len(list(temporary.iterdir())) == 1
    scratch.remove()
    assert list(temporary.iterdir()) == []


def test_a_directory_that_went_away_is_looked_for_again(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary.rmdir()
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "other"))
    assert Path(Scratch().environ["TMPDIR"]).parent == tmp_path / "other"
