"""The one primitive: told by inodes, its own inverse, in one system call or three renames."""

import os
from pathlib import Path

import pytest

from streamctl.checkpoint.change import exchange, stage
from streamctl.checkpoint.change.exchange import Disturbed, Side, between, carry_out, reverse, side
from streamctl.checkpoint.change.walk import walk
from tests.faults import Kill, points_of, run_forked


@pytest.fixture(params=["one call", "three renames"])
def _way(request, monkeypatch):
    if request.param == "three renames":
        monkeypatch.setattr(exchange, "_renameat2", lambda: None)


def tree(path: Path, text: str) -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text(text)
    return path


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("there", ["both", "place", "slot"])
def test_an_exchange_is_its_own_inverse(tmp_path: Path, there: str) -> None:
    """Either side may be absent; done twice it changes nothing more."""
    place, slot = tmp_path / "place", tmp_path / "trash/0"
    slot.parent.mkdir()
    if there != "slot":
        tree(place, "old")
    if there != "place":
        tree(slot, "new")
    act = between(str(place), str(slot))
    for _ in range(2):
        carry_out([act])
        assert side(act) is Side.AFTER
    assert place.exists() is (there != "place")
    assert not place.exists() or (place / "file").read_text() == "new"
    reverse([act])
    assert side(act) is Side.BEFORE
    assert slot.exists() is (there != "place")


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("way_on", [carry_out, reverse])
def test_killed_between_it_is_finished_or_reversed(tmp_path: Path, way_on) -> None:
    """At every point, from either direction."""
    tree(tmp_path / "count/place", "old")
    tree(tmp_path / "count/slot", "new")
    act = between(str(tmp_path / "count/place"), str(tmp_path / "count/slot"))
    total = len(points_of(lambda: carry_out([act]), roots=[tmp_path]))
    assert total >= 2
    for point in range(total):
        root = tmp_path / str(point)
        tree(root / "place", "old")
        tree(root / "slot", "new")
        act = between(str(root / "place"), str(root / "slot"))
        run_forked(lambda act=act: carry_out([act]), roots=[root], fault=Kill(at=point))
        way_on([act])
        wanted = "new" if way_on is carry_out else "old"
        assert (root / "place/file").read_text() == wanted
        assert (root / "slot/file").read_text() != wanted
        assert sorted(path.name for path in root.iterdir()) == ["place", "slot"]


def test_what_somebody_else_moved_is_not_touched(tmp_path: Path) -> None:
    """Neither side is what it was: nothing is guessed."""
    act = between(str(tree(tmp_path / "place", "old")), str(tree(tmp_path / "slot", "new")))
    (tmp_path / "place").rename(tmp_path / "elsewhere")
    tree(tmp_path / "place", "other")
    with pytest.raises(Disturbed, match="replaced by somebody else"):
        carry_out([act])
    assert (tmp_path / "place/file").read_text() == "other"


def test_a_directory_that_cannot_be_listed_stops_a_copy(tmp_path: Path, monkeypatch) -> None:
    """A tree that silently lacked a directory would be taken for whole."""
    tree(tmp_path / "source/inside", "x")
    listing = os.scandir

    def refuse(path):
        if str(path).endswith("inside"):
            raise PermissionError(13, "no", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        list(walk(str(tmp_path / "source")))


def test_where_there_are_no_links_files_are_copied(tmp_path: Path, monkeypatch) -> None:
    """Bytes, mode and time as they were."""
    source = tree(tmp_path / "source", "x")
    os.utime(source / "file", (1, 1))
    (source / "link").symlink_to("file")

    def refuse(*_args, **_more):
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    stage.build(
        str(source), str(tmp_path / "new"), without=frozenset(), written={}, beat=lambda: None
    )
    copy = tmp_path / "new/file"
    assert (copy.read_text(), copy.stat().st_mtime, copy.stat().st_nlink) == ("x", 1, 1)
    assert (tmp_path / "new/link").is_symlink()
