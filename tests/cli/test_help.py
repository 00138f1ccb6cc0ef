"""Every command's help, and what help must not cost."""

import subprocess
import sys
from pathlib import Path

import pytest

import streamctl as streamctl_module
from streamctl.cli.app import Root
from tests.readme import root


def commands(group=None, path=()):
    group = group or root()
    for name, found in sorted(group.commands.items()):
        if hasattr(found, "commands"):
            yield (*path, name)
            yield from commands(found, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", [(), *commands()], ids=" ".join)
def test_help(streamctl, snapshot, path):
    result = streamctl(*path, "--help")
    assert result.exit_code == 0
    assert result.stdout == snapshot
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_root_help_fits_one_screen(streamctl):
    assert len(streamctl("--help").stdout.splitlines()) <= 50


@pytest.mark.parametrize("entry", Root.entries, ids=lambda entry: entry.name)
def test_the_root_s_help_says_what_the_command_s_own_help_says(entry):
    found = root().commands[entry.name]
    assert (found.name, (found.help or "").splitlines()[0]) == (entry.name, entry.help)


HEAVY = ("pyspark", "confluent_kafka", "fsspec", "psutil", "jobs")
PROBE = """
import sys
from streamctl.__main__ import main
sys.argv = ["streamctl", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print([name for name in sys.modules if name.split(".")[0] in %r], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["status", "-o", "json"], ["start", "--help"], ["logs"]],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments, tmp_path):
    """Typer itself imports pydantic where an option is read; the root's help needs none."""
    heavy = HEAVY if len(arguments) > 1 or arguments == ["logs"] else (*HEAVY, "pydantic")
    child = subprocess.run(
        [sys.executable, "-c", PROBE % (heavy,), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert child.stderr.splitlines()[-1] == "[]"


def test_version_is_the_same_both_ways(streamctl):
    fast = subprocess.run(
        [sys.executable, "-c", "from streamctl.__main__ import main; main()", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(streamctl_module.__file__).parent.parent,
    )
    assert streamctl("--version").stdout == fast.stdout
    assert fast.stdout.startswith("streamctl ")


def test_no_command_shows_help_and_is_a_usage_error(streamctl):
    result = streamctl()
    assert result.exit_code == 2
    assert "Usage" in result.stdout + result.stderr


def test_completion_script(streamctl, monkeypatch):
    monkeypatch.setenv("_STREAMCTL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "streamctl sta")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert {"start", "status"} <= set(streamctl().stdout.split())
