"""An archive is found again for the same JVM and jars only, and old ones do not pile up."""

import os
import sys
from pathlib import Path

import pytest

from streamctl.java import Java
from streamctl.job import archive


@pytest.fixture
def java(tmp_path: Path) -> Java:
    return Java(home=tmp_path, executable=Path(sys.executable), version="17", major=17)


def test_a_jar_that_was_written_again_needs_another_archive(tmp_path: Path, java: Java) -> None:
    jar = tmp_path / "a.jar"
    jar.write_text("classes")

    def path() -> Path:
        return archive.archive_path(tmp_path, java=java, jars=[jar])

    first = path()
    assert path() == first
    os.utime(jar, (1, 1))
    assert path() != first


def test_those_used_last_are_kept_and_what_killed_ones_left_goes(tmp_path: Path) -> None:
    for age, name in enumerate(["a.jsa", "b.jsa", "c.jsa", "d.jsa", "e.jsa.7.new"]):
        (tmp_path / name).write_text("classes")
        os.utime(tmp_path / name, (100 - age, 100 - age))
    assert archive.use(tmp_path / "d.jsa")
    assert not archive.use(tmp_path / "z.jsa")
    made, fresh = tmp_path / "f.jsa.8.new", tmp_path / "g.jsa.9.new"
    made.write_text("classes")
    fresh.write_text("half")
    assert archive.keep(tmp_path / "f.jsa", made)
    kept = {"a.jsa", "d.jsa", "f.jsa", "g.jsa.9.new"}
    assert {path.name for path in tmp_path.iterdir()} == kept
    assert not archive.keep(tmp_path / "h.jsa", tmp_path / "not-made")
