"""Which checkpoint a path means, where its sink is, and where its trash lies."""

from pathlib import Path

import pytest

from streamctl.checkpoint.change.area import area_of, target
from streamctl.checkpoint.location import generations
from streamctl.errors import Unsupported
from tests.unit.change.helpers import location, sink_of, small


def test_a_query_of_a_location(tmp_path: Path) -> None:
    """By the location or by its own path; the sink is found in the output of its generation."""
    location(tmp_path / "at")
    sink = sink_of(tmp_path / "out/0001/windows")
    for given in (tmp_path / "at", tmp_path / "at/0001/windows"):
        found = target(str(given), output=str(tmp_path / "out"))
        assert (found.query, found.generation, found.sink) == ("windows", "0001", str(sink))
        assert (found.area.location, found.sink_known) == (str(tmp_path / "at"), True)


def test_a_generation_may_have_an_output_of_its_own(tmp_path: Path) -> None:
    """Its record says where; that counts for more than the settings."""
    from dataclasses import replace

    area = location(tmp_path / "at")
    sink = sink_of(tmp_path / "elsewhere/0001/windows")
    made = replace(
        generations.read(area.store, "0001"), output_location=str(tmp_path / "elsewhere")
    )
    generations.record(area.store, made)
    assert target(str(tmp_path / "at"), output=str(tmp_path / "out")).sink == str(sink)


def test_a_bare_checkpoint_has_its_area_beside_it(tmp_path: Path) -> None:
    """Never inside; and whether it has a sink is not known."""
    path = small(tmp_path / "checkpoint")
    found = target(str(path))
    assert found.area.trash == str(tmp_path / ".checkpoint.streamctl/_streamctl/trash")
    assert (found.query, found.sink, found.sink_known) == ("", "", False)


def test_an_object_store_has_no_rename() -> None:
    """Said before anything else is looked at."""
    import fsspec

    fsspec.filesystem("memory").pipe_file("/bare/offsets/0", b"v1\n{}\n{}")
    with pytest.raises(Unsupported, match="no tree can be exchanged"):
        target("memory://bare")
    assert not area_of("memory://bare").has_generations
