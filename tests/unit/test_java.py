"""Java is found by JAVA_HOME, PATH and the usual places, and a wrong one is named."""

from pathlib import Path

import pytest

from streamctl import java
from streamctl.errors import JavaNotFound


@pytest.fixture(autouse=True)
def no_usual_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_USUAL_PLACES", ())


def made(home: Path, version: str, *, release: bool = True) -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.mark.parametrize(
    ("version", "major"), [("17.0.15", 17), ("1.8.0_392", 8), ("21", 21), ("22-ea", 22)]
)
@pytest.mark.parametrize("release", [True, False])
def test_versions_are_read_from_the_release_file_or_asked(
    tmp_path: Path, version: str, major: int, release: bool
) -> None:
    found = java.describe_java(made(tmp_path / "j", version, release=release))
    assert found is not None
    assert (found.version, found.major) == (version, major)


def test_java_home_comes_first_unless_it_is_of_another_version(tmp_path: Path) -> None:
    old, new = made(tmp_path / "old", "11.0.2"), made(tmp_path / "new", "21.0.1")
    other = made(tmp_path / "other", "17.0.1")
    path = {"PATH": str(other / "bin")}
    assert java.find_java(environ={"JAVA_HOME": str(new), **path}).home == new
    assert java.find_java(environ={"JAVA_HOME": str(old), **path}).home == other


def test_a_users_own_java_is_found(tmp_path: Path) -> None:
    home = made(tmp_path / ".sdkman" / "candidates" / "java" / "17.0.9-tem", "17.0.9")
    assert java.find_java(environ={"HOME": str(tmp_path), "PATH": ""}).home == home


def test_a_wrong_java_is_named_and_the_way_out_too(tmp_path: Path) -> None:
    home = made(tmp_path / "j", "25.0.1")
    with pytest.raises(JavaNotFound, match=r"17 or 21 .* Java 25\.0\.1") as caught:
        java.find_java(environ={"JAVA_HOME": str(home), "PATH": ""})
    assert "JAVA_HOME" in caught.value.hint


@pytest.mark.parametrize("what", ["nothing", "directory", "broken"])
def test_no_java(tmp_path: Path, what: str) -> None:
    if what == "directory":
        (tmp_path / "bin" / "java").mkdir(parents=True)
    if what == "broken":
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "java").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin" / "java").chmod(0o755)
    with pytest.raises(JavaNotFound, match="no Java 17 or 21"):
        java.find_java(environ={"JAVA_HOME": str(tmp_path), "PATH": ""})


def test_only_root_is_told_to_do_without_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, **_: name if name == "apt-get" else None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "`sudo apt-get install" in java._how_to_install()
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert "`apt-get install" in java._how_to_install()
