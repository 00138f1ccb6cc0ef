"""The processes of the driver and the disks that the job writes to."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from streamctl.checkpoint.tree.files import local_path
from streamctl.job.launcher import session_members


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The driver's session: Python, the JVM, Python workers.

    Attributes:
        resident_bytes: memory of all of them; pages that they share count more than once.
        cpu_seconds: user and system time of those that live.
        count: how many.
        frozen: whether the driver is stopped by a signal (SIGSTOP, or a debugger).
    """

    resident_bytes: int
    cpu_seconds: float
    count: int
    frozen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One place that is written to.

    Attributes:
        place: checkpoint, output or logs.
    """

    place: str
    path: str
    free_bytes: int
    total_bytes: int


def look_at_processes(driver_pid: int | None) -> Processes | None:
    """The driver and what it started; None when there is none."""
    if driver_pid is None:
        return None
    resident, cpu, count, frozen = 0, 0.0, 0, False
    for pid in session_members(driver_pid):
        try:
            process = psutil.Process(pid)
            times = process.cpu_times()
            resident += process.memory_info().rss
            frozen = frozen or process.status() == psutil.STATUS_STOPPED
        except psutil.Error:
            continue  # ended while we looked
        cpu += times.user + times.system
        count += 1
    if not count:
        return None
    return Processes(resident_bytes=resident, cpu_seconds=cpu, count=count, frozen=frozen)


def look_at_disks(places: Iterable[tuple[str, str]]) -> list[Disk]:
    """Free space of each (name, location) that is a local path, whether it exists yet or not."""
    found = []
    for place, location in places:
        if (path := local_path(location)) is None:
            continue
        at = Path(path)
        there = next(parent for parent in (at, *at.parents) if parent.exists())
        usage = shutil.disk_usage(there)
        disk = Disk(place=place, path=path, free_bytes=usage.free, total_bytes=usage.total)
        found.append(disk)
    return found
