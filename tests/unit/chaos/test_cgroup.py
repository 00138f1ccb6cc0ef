"""Processor time is bounded by a group of our own, or by turns; nothing of either is left."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from streamctl.chaos.cgroup import Group, bound_processors, free_processors
from streamctl.chaos.verbs import cpu
from streamctl.errors import NotFound, SettingsInvalid, Unsupported
from streamctl.rundir.files import read_file

BUSY = [sys.executable, "-c", "while True: pass"]


@pytest.fixture
def busy() -> Iterator[psutil.Process]:
    with subprocess.Popen(BUSY) as child:
        yield psutil.Process(child.pid)
        child.kill()


def used_share(process: psutil.Process, seconds: float) -> float:
    """Of one processor."""

    def used() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    before, began = used(), time.monotonic()
    time.sleep(seconds)
    return (used() - before) / (time.monotonic() - began)


def group_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


def test_a_busy_process_gets_its_bound_and_no_more_and_goes_home(tmp_path, busy):
    note, home = tmp_path / "note.json", group_of(busy.pid)
    try:
        bound_processors([busy.pid], 0.1, note=note)
    except Unsupported:
        pytest.skip("processor time cannot be bounded here")
    group = read_file(note, Group)
    assert group
    assert group.path.name in group_of(busy.pid)
    assert used_share(busy, 1) < 0.3
    free_processors(note)
    assert group_of(busy.pid) == home
    assert not group.path.exists()
    assert not note.exists()
    free_processors(note)  # twice is once


def test_what_a_killed_run_left_goes_when_its_processes_have_ended(tmp_path, busy):
    try:
        bound_processors([busy.pid], 0.5, note=tmp_path / "note.json")
    except Unsupported:
        pytest.skip("processor time cannot be bounded here")
    group = read_file(tmp_path / "note.json", Group)
    busy.kill()
    busy.wait()
    free_processors(tmp_path / "note.json")
    assert group
    assert not group.path.exists()


@pytest.mark.parametrize(
    ("line", "place", "bound"),
    [
        ("4:cpu,cpuacct:/jobs", "cpu,cpuacct/jobs", ("cpu.cfs_quota_us", "25000\n")),
        ("0::/a.slice/b.service", "a.slice", ("cpu.max", "25000 100000\n")),
        ("0::/", "", ("cpu.max", "25000 100000\n")),
    ],
    ids=["version 1: below", "version 2: beside", "version 2: of the root, below"],
)
def test_where_the_group_is_made(tmp_path, monkeypatch, line, place, bound):
    file, text = bound
    (tmp_path / "proc" / "7").mkdir(parents=True)
    (tmp_path / "proc" / "7" / "cgroup").write_text(f"5:memory:/else\n{line}\n")
    root, make = tmp_path / "sys" / "fs" / "cgroup", Path.mkdir
    (root / place).mkdir(parents=True)

    def as_the_kernel(path: Path, *args, **more) -> None:
        make(path, *args, **more)
        if path.name.startswith("streamctl-"):
            for name in ("cgroup.procs", file):
                (path / name).touch()

    monkeypatch.setattr(Path, "mkdir", as_the_kernel)
    bound_processors([7], 0.25, note=tmp_path / "note.json", system=tmp_path)
    group = read_file(tmp_path / "note.json", Group)
    assert group
    assert group.path.parent == root / place
    assert group.home.endswith(line.split(":")[-1].rstrip("/"))
    assert (group.path / file).read_text() == text
    assert (group.path / "cgroup.procs").read_text() == "7\n"


def test_without_the_controller_turns_are_taken_and_ended(tmp_path, busy, monkeypatch):
    def refused(*_args, **_more) -> None:
        raise Unsupported("processor time cannot be bounded here: Permission denied")

    monkeypatch.setattr(cpu, "bound_processors", refused)
    monkeypatch.setattr(cpu.os, "cpu_count", lambda: 2)
    subject = SimpleNamespace(
        directory=tmp_path, background=[], driver_processes=lambda: [busy.pid]
    )
    assert cpu.limit(subject, processors=0.2)["by"] == "SIGSTOP and SIGCONT in turns"
    assert used_share(busy, 1) < 0.3
    cpu.free(subject)
    assert not any(thread.is_alive() for thread in subject.background)
    assert busy.status() != psutil.STATUS_STOPPED


def test_a_bound_is_some_time_of_a_driver_that_runs(tmp_path):
    subject = SimpleNamespace(directory=tmp_path, background=[], driver_processes=list)
    with pytest.raises(SettingsInvalid, match="above 0"):
        cpu.limit(subject, processors=0)
    with pytest.raises(NotFound, match="no driver"):
        cpu.limit(subject, processors=0.5)
    cpu.free(subject)
