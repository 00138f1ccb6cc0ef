"""A network namespace of our own: it comes whole or not at all, and goes without a trace."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamctl.chaos.namespace import make_namespace, read_namespace, remove_namespace
from streamctl.chaos.stage import Stage
from streamctl.chaos.verbs import network
from streamctl.errors import Refused, Unsupported


def fake_ip(folder: Path, monkeypatch, script: str) -> Path:
    """An `ip` that writes its words down, then does as the script says."""
    calls = folder / "calls"
    command = folder / "bin" / "ip"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\necho "$*" >> {calls}\n{script}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    return calls


def test_without_the_right_it_is_not_run_and_nothing_is_left(tmp_path, monkeypatch):
    fake_ip(tmp_path, monkeypatch, "echo 'Operation not permitted' >&2; exit 1")
    with pytest.raises(Unsupported, match="cannot be made here: Operation not permitted"):
        make_namespace(tmp_path / "note.json")
    assert not (tmp_path / "note.json").exists()


def test_what_was_made_before_a_step_failed_is_taken_away(tmp_path, monkeypatch):
    calls = fake_ip(tmp_path, monkeypatch, 'test "$1" != neighbour')
    with pytest.raises(Unsupported):
        make_namespace(tmp_path / "note.json")
    made = calls.read_text().splitlines()
    name = made[0].removeprefix("netns add ")
    assert made[-2:] == [
        f"link delete dev {name.replace('streamctl', 'sctl')}", f"netns delete {name}",
    ]  # fmt: skip


def test_without_the_program_it_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="no `ip`"):
        make_namespace(tmp_path / "note.json")
    assert list(tmp_path.iterdir()) == []


def test_only_the_end_in_the_namespace_is_set_down(tmp_path, monkeypatch):
    """With the host's end down, packets would go another way or fail at once."""
    calls = fake_ip(tmp_path, monkeypatch, "exit 0")
    made = make_namespace(tmp_path / "note.json")
    assert read_namespace(tmp_path / "note.json") == made
    made.cut()
    made.join()
    assert calls.read_text().splitlines()[-2:] == [
        f"-n {made.name} link set dev eth0 down", f"-n {made.name} link set dev eth0 up",
    ]  # fmt: skip
    assert f"link set dev {made.device} down" not in calls.read_text()
    assert len(made.device) <= 15  # IFNAMSIZ - 1
    remove_namespace(tmp_path / "note.json")
    remove_namespace(tmp_path / "note.json")  # twice is once
    assert not (tmp_path / "note.json").exists()


def test_only_a_link_of_our_own_is_cut(tmp_path):
    stage = Stage(tmp_path)
    with pytest.raises(Refused, match="only a link of our own"):
        network.cut(SimpleNamespace(stage=stage))
    stage.leave_namespace()  # there is none
    network.host(SimpleNamespace(stage=stage))
