"""Jars are fetched once, whole, by one process at a time, and failures are told apart.

Ivy is played by a program that writes files as Ivy does and prints what Ivy prints.
"""

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamctl import jars
from streamctl.errors import ConnectorNotFound, JarsUnavailable
from streamctl.jars import (
    JarSet,
    cache_directory,
    connector_at_hand,
    connector_jars,
    resolve,
    spark_version,
)
from streamctl.java import Java
from streamctl.reports import Event

WANTED = JarSet(name="set-1", coordinates=("org.x:one:1", "org.x:two:2"), without=("base",))
FAKE = """#!{python}
import pathlib, sys, time
arguments = dict(zip(sys.argv[4::2], sys.argv[5::2]))
cache = pathlib.Path(arguments["-cache"])
cache.mkdir(parents=True, exist_ok=True)
with (cache / "calls").open("a") as calls:
    calls.write("x")
time.sleep({seconds})
print("\\tfound org.x#one;1 in central")
print("downloading https://mirror.example/one-1.jar ...")
for name in ("two-2.jar", "one-1.jar"):
    if not (cache / name).exists():
        (cache / name).write_bytes(b"jar of " + name.encode())
{more}
pathlib.Path(arguments["-cachepath"]).write_text(f"{{cache}}/two-2.jar:{{cache}}/one-1.jar")
"""
NOT_PUBLISHED = """\
print("\\t\\tmodule not found: org.x#one;1")
print("\\t\\t:: org.x#one;1: not found")
sys.exit(1)"""
OFFLINE = """\
print("\\t\\t:: org.x#one;1: not found")
print(":::: ERRORS")
print("\\tServer access error at url https://mirror.example/one-1.pom (Connection refused)")
sys.exit(1)"""
CHECKSUM = """\
print("\\t[FAILED     ] org.x#one;1!one.jar: invalid sha1: expected=1 computed=2 (10ms)")
sys.exit(1)"""


def java(tmp_path: Path, *, more: str = "", seconds: float = 0) -> Java:
    program = tmp_path / "java"
    program.write_text(FAKE.format(python=sys.executable, more=more, seconds=seconds))
    program.chmod(0o755)
    return Java(home=tmp_path, executable=program, version="17", major=17)


def calls(cache: Path) -> int:
    return (cache / "jars" / "ivy" / "calls").stat().st_size


def test_what_was_fetched_is_at_hand_and_nothing_is_fetched_for_it(tmp_path: Path) -> None:
    assert connector_at_hand(cache=tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_the_second_call_asks_nobody(tmp_path: Path) -> None:
    heard: list[Event] = []
    first = resolve(WANTED, cache=tmp_path / "c", java=java(tmp_path), on_event=heard.append)
    assert [path.name for path in first] == ["one-1.jar", "two-2.jar"]
    assert "downloading one-1.jar" in [event.message for event in heard]
    (tmp_path / "java").unlink()
    assert resolve(WANTED, cache=tmp_path / "c", java=java(tmp_path)) == first
    assert calls(tmp_path / "c") == 1


@pytest.mark.parametrize("damage", ["cut", "gone", "manifest", "other version"])
def test_what_is_not_whole_is_fetched_again(tmp_path: Path, damage: str) -> None:
    cache, program, wanted = tmp_path / "c", java(tmp_path), WANTED
    first = resolve(wanted, cache=cache, java=program)
    if damage == "cut":
        first[0].write_bytes(b"jar")
    elif damage == "gone":
        first[0].unlink()
    elif damage == "manifest":
        (cache / "jars" / "set-1.json").write_text('{"jars": [')
    else:
        wanted = JarSet(name="set-1", coordinates=("org.x:one:1.1",))
    assert resolve(wanted, cache=cache, java=program) == first
    assert first[0].read_bytes() == b"jar of one-1.jar"
    assert calls(cache) == 2


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (NOT_PUBLISHED, "not published: org.x#one;1"),
        (OFFLINE, "Server access error"),
        (CHECKSUM, "invalid sha1"),
        ("sys.exit(3)", "could not download"),
    ],
)
def test_failures_are_told_apart_and_leave_no_manifest(
    tmp_path: Path, said: str, words: str
) -> None:
    with pytest.raises(JarsUnavailable, match=words):
        resolve(WANTED, cache=tmp_path / "c", java=java(tmp_path, more=said))
    assert not list((tmp_path / "c" / "jars").glob("*.json"))
    assert not list((tmp_path / "c" / "jars").glob(".ivy-*"))


def test_a_spark_without_a_connector_is_unsupported_not_offline(tmp_path: Path) -> None:
    with pytest.raises(ConnectorNotFound, match=f"Spark {spark_version()}") as caught:
        connector_jars(cache=tmp_path / "c", java=java(tmp_path, more=NOT_PUBLISHED))
    assert "pyspark==" in caught.value.hint
    with pytest.raises(JarsUnavailable):
        connector_jars(cache=tmp_path / "c", java=java(tmp_path, more=OFFLINE))


def _resolve(cache: Path, home: Path) -> None:
    program = Java(home=home, executable=home / "java", version="17", major=17)
    assert len(resolve(WANTED, cache=cache, java=program)) == 2


def test_of_many_processes_one_downloads(tmp_path: Path) -> None:
    java(tmp_path, seconds=0.3)
    context = multiprocessing.get_context("spawn")
    several = [context.Process(target=_resolve, args=(tmp_path / "c", tmp_path)) for _ in range(3)]
    for process in several:
        process.start()
    for process in several:
        process.join(60)
    assert [process.exitcode for process in several] == [0, 0, 0]
    assert calls(tmp_path / "c") == 1


def test_a_companys_own_settings_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMCTL_IVY_SETTINGS", "/etc/company.xml")
    seen = 'print(arguments["-settings"]); sys.exit(3)'
    with pytest.raises(JarsUnavailable, match="company"):
        resolve(WANTED, cache=tmp_path / "c", java=java(tmp_path, more=seen))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"STREAMCTL_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/streamctl"),
        ({"STREAMCTL_CACHE": ""}, str(Path.home() / ".cache" / "streamctl")),
    ],
)
def test_where_the_cache_is(environ: dict[str, str], expected: str) -> None:
    assert str(cache_directory(environ)) == expected


def test_pyspark_is_looked_at_without_being_imported() -> None:
    """In a process of its own: other tests of this session import pyspark."""
    code = (
        "import sys; from streamctl import jars; print(jars.spark_version());"
        "assert 'scala-library' in set(jars._modules_of_pyspark());"
        "assert 'pyspark' not in sys.modules"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == spark_version()


def test_the_module_file_names_what_is_wanted_and_what_is_not() -> None:
    text = jars._module_xml(WANTED)
    assert '<dependency org="org.x" name="one" rev="1"' in text
    assert '<exclude module="base"/>' in text


def test_the_manifest_is_readable(tmp_path: Path) -> None:
    resolve(WANTED, cache=tmp_path, java=java(tmp_path))
    content = json.loads((tmp_path / "jars" / "set-1.json").read_text())
    assert content["coordinates"] == ["org.x:one:1", "org.x:two:2"]
    assert content["jars"][0]["size_bytes"] == os.stat(content["jars"][0]["path"]).st_size  # noqa: PTH116
