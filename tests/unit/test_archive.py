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
    jar, own = tmp_path / "a.jar", tmp_path / "own.jar"
    jar.write_text("classes")
    own.write_text("classes")
    lib = tmp_path / "lib" / "one.jar"
    lib.parent.mkdir()
    lib.write_text("classes")

    def place(class_path: str = f"{own}:/conf:{tmp_path}/lib/*") -> Path | None:
        return archive.locate(tmp_path / "c", java=java, jars=[jar], class_path=class_path)

    seen = {place()}
    assert seen == {place()} != {None}
    for file in (jar, own, lib):
        os.utime(file, (1, 1))
        seen.add(place())
    seen.add(place(""))
    assert len(seen) == 5
    jar.unlink()
    assert place() is None


def test_those_used_last_are_kept_and_what_killed_ones_left_goes(tmp_path: Path) -> None:
    for age, name in enumerate(["a.jsa", "b.jsa", "c.jsa", "d.jsa", "e.jsa.7.new"]):
        (tmp_path / name).write_text("classes")
        os.utime(tmp_path / name, (100 - age, 100 - age))
    assert archive.use(tmp_path / "d.jsa")
    assert not archive.use(tmp_path / "z.jsa")
    made, fresh = tmp_path / "f.jsa.8.new", tmp_path / "g.jsa.9.new"
    made.write_text("classes")
    fresh.write_text("half")
    archive.keep(tmp_path / "f.jsa", made)
    kept = {"a.jsa", "d.jsa", "f.jsa", "g.jsa.9.new"}
    assert {path.name for path in tmp_path.iterdir()} == kept
    archive.throw_away(fresh)
    archive.throw_away(fresh)
    archive.keep(tmp_path / "h.jsa", tmp_path / "not-made")
    assert {path.name for path in tmp_path.iterdir()} == kept - {"g.jsa.9.new"}


def test_a_file_system_that_is_only_read_is_no_trouble(tmp_path: Path, java: Java) -> None:
    """An archive that another has left there is used; none is made."""
    (tmp_path / "class-archives").write_text("no directory can be made here")
    assert archive.locate(tmp_path, java=java, jars=[]) is None
    assert archive.use(Path(sys.executable))
    archive.keep(tmp_path / "no directory" / "a.jsa", tmp_path / "class-archives")
    archive.throw_away(Path("/proc/version"))
