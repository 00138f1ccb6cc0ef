"""A control group of our own, which bounds the processor time of some processes.

Version 2 has `cpu.max` for it, version 1 `cpu.cfs_quota_us`; both in microseconds of a period. The
group is made where its processes were: below their group, or in version 2 beside it, because there
a group with processes has no controlled groups below.

Source: the kernel's `admin-guide/cgroup-v2.rst`, `scheduler/sched-bwc.rst`.
"""

import json
import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamctl.errors import StreamctlError, Unsupported
from streamctl.reports import as_json
from streamctl.rundir.files import read_file, replace_file

_PERIOD_US = 100_000
_REMOVE_SECONDS = 5.0
_SYSTEM = Path("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group that was made, or is about to be.

    Attributes:
        made: its directory.
        home: that of the group which its processes were in.
    """

    made: str
    home: str

    @property
    def path(self) -> Path:
        """Its directory."""
        return Path(self.made)


def bound_processors(
    pids: Iterable[int], processors: float, *, note: Path, system: Path = _SYSTEM
) -> None:
    """Let processes together use as much as of so many processors.

    Args:
        pids: all in one group now; what they start is bound too.
        processors: for instance 0.5.
        note: written before anything is made, so that `free_processors` finds the group.
        system: has `proc` and `sys`; another one in tests.

    Raises:
        Unsupported: not allowed here, or no such controller; nothing is bound.
    """
    numbers = list(pids)
    group = _group_for(numbers[0], system)
    note.parent.mkdir(parents=True, exist_ok=True)
    replace_file(note, json.dumps(as_json(group)) + "\n")
    try:
        group.path.mkdir()
        _limit(group.path, round(processors * _PERIOD_US))
        for pid in numbers:
            _move(pid, group.path)
    except OSError as error:
        free_processors(note)
        raise Unsupported(
            f"processor time cannot be bounded here: {error}",
            hint="It needs root, and the cpu controller of cgroups.",
        ) from error


def free_processors(note: Path) -> bool:
    """Lift the bound, bring the processes back to where they were; whether a group was noted.

    Raises:
        StreamctlError: the group cannot be removed; nothing is bound by it any more.
    """
    group = read_file(note, Group)
    if group is None:
        return False
    if group.path.exists():
        _limit(group.path, None)
        _remove(group)
    note.unlink()
    return True


def _remove(group: Group) -> None:
    deadline = time.monotonic() + _REMOVE_SECONDS
    while True:  # until none of them has started another meanwhile
        try:
            for pid in (group.path / "cgroup.procs").read_text("ascii").split():
                _move(int(pid), Path(group.home))
            group.path.rmdir()
        except OSError as error:
            if time.monotonic() > deadline:
                raise StreamctlError(f"a control group cannot be removed: {error}") from error
            time.sleep(0.02)
        else:
            return


def _move(pid: int, to: Path) -> None:
    with suppress(ProcessLookupError):  # it has ended
        (to / "cgroup.procs").write_text(f"{pid}\n", "ascii")


def _limit(group: Path, microseconds: int | None) -> None:
    """Bound a group; None for no bound."""
    if (group / "cpu.max").exists():
        (group / "cpu.max").write_text(f"{microseconds or 'max'} {_PERIOD_US}\n", "ascii")
        return
    (group / "cpu.cfs_period_us").write_text(f"{_PERIOD_US}\n", "ascii")
    (group / "cpu.cfs_quota_us").write_text(f"{microseconds or -1}\n", "ascii")


def _group_for(pid: int, system: Path) -> Group:
    """Where a group for this process is to be made, by proc(5): `ID:CONTROLLERS:PATH` a line."""
    root, name = system / "sys" / "fs" / "cgroup", f"streamctl-{secrets.token_hex(3)}"
    try:
        lines = (system / "proc" / str(pid) / "cgroup").read_text("utf-8").splitlines()
    except OSError as error:
        raise Unsupported(f"processor time cannot be bounded here: {error}") from error
    groups = {controllers: path for _, controllers, path in (e.split(":", 2) for e in lines)}
    for controllers, path in groups.items():
        if "cpu" in controllers.split(","):
            home = root / controllers / os.path.relpath(path, "/")
            return Group(made=str(home / name), home=str(home))
    home = root / os.path.relpath(groups.get("", "/"), "/")
    above = home if home == root else home.parent
    return Group(made=str(above / name), home=str(home))
