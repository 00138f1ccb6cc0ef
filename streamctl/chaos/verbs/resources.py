"""Faults of the machine: a full disk, too little memory, too few descriptors, busy processors."""

import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from streamctl.chaos.experiment import Part
from streamctl.chaos.operated import Operated
from streamctl.chaos.subject import Subject
from streamctl.chaos.verbs import writes
from streamctl.chaos.verbs.verb import action
from streamctl.errors import NotFound, Refused, Unsupported

_FILLER = "filler"
_DISK_IMAGE = "disk.img"
_PIECE_BYTES = 1 << 20
_WRITES = Path("/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device")
_LIMITS = {"files": resource.RLIMIT_NOFILE, "memory": resource.RLIMIT_AS}
_PLACES = {"data": "data", "logs": ".streamctl/default/logs"}
"""Checkpoint and output, or logs: name -> below the project."""


def small_disk(
    subject: Subject, megabytes: int = 64, place: str = "data", or_hook: bool = False
) -> str:
    """Mount a small file system under the job's data or logs, before the job is started.

    Args:
        subject: whose job.
        megabytes: its size.
        place: data, which is checkpoint and output; or logs.
        or_hook: where mounting is not allowed, let Spark's own hook refuse all writes of the
            checkpoint when the disk is to be full (see `writes.py`); files of the output and what
            streamctl itself writes are not concerned.

    Raises:
        Unsupported: mounting is not allowed here, or no such place.
        JarsUnavailable: nor can Spark's hook be had.
    """
    at = _place(subject.project, place)
    at.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(at)]
    try:
        _run(command, "a file system cannot be mounted here")
    except Unsupported:
        if not or_hook or place != "data":
            raise
        writes.hook(subject)
        return writes.HOOK
    return f"a file system of {megabytes} MiB"


def disk_device(subject: Subject, megabytes: int = 256) -> None:
    """Mount a disk of its own, a file, under the job's data: each write waits for it; needs root.

    Raises:
        Unsupported: not allowed here.
    """
    place, image = _place(subject.project, "data"), _image(subject)
    place.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    _run(["mkfs.ext4", "-q", "-F", str(image)], "a file system cannot be made here")
    command = ["mount", "-o", "loop,sync", str(image), str(place)]
    _run(command, "a file system cannot be mounted here")


def remove_disk(subject: Subject, **_more: Any) -> None:
    """Unmount it, if it is mounted."""
    end_disk(subject.project)


def end_disk(project: Path) -> bool:
    """Unmount a job's own disks and remove them; whether there was one.

    Raises:
        Unsupported: one cannot be unmounted.
    """
    mounted = [at for name in _PLACES if (at := _place(project, name)).is_mount()]
    image = project / _DISK_IMAGE
    if image.exists() and _place(project, "data") in mounted:
        with suppress(Unsupported):  # where no disk can be slowed, none was
            # a limit is of the device's number, which the next disk will have
            _throttle(_place(project, "data"), 0)
    for at in mounted:
        _run(["umount", "--lazy", str(at)], "the file system cannot be unmounted")
    image.unlink(missing_ok=True)
    return bool(mounted)


def _place(project: Path, name: str) -> Path:
    if name not in _PLACES:
        raise Unsupported(f'no disk for "{name}"', hint=f"There are: {', '.join(_PLACES)}.")
    return project / _PLACES[name]


def slow_disk(subject: Subject, per_second: int = 60) -> str:
    """Let the job's own disk do so many writes a second; needs root and the blkio controller.

    Raises:
        Refused: the disk is not one of ours.
        Unsupported: the kernel has no such limit here.
    """
    place = subject.project / "data"
    if not _image(subject).exists() or not place.is_mount():
        raise Refused("only a disk of ours is slowed", hint="Use disk.device first.")
    return _throttle(place, per_second)


def free_slow_disk(subject: Subject, **_more: Any) -> None:
    """Let the disk be as fast as it is."""
    place = subject.project / "data"
    if place.is_mount():
        _throttle(place, 0)


def _throttle(place: Path, per_second: int) -> str:
    """Bound the writes of the block device under a path; 0 for no bound (blk-throttle)."""
    number = place.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    try:
        _WRITES.write_text(f"{device} {per_second}\n", "ascii")
    except OSError as error:
        raise Unsupported(
            f"a disk cannot be slowed here: {error}",
            hint="It needs root, and the blkio controller of cgroups, version 1.",
        ) from error
    return device


def _image(subject: Subject) -> Path:
    return subject.project / _DISK_IMAGE


def fill_disk(subject: Subject, leave_kilobytes: int = 0, place: str = "data") -> dict[str, Any]:
    """Fill the job's small disk, but for so much; by what it is full, and the bytes written.

    Raises:
        Refused: the disk is not one of ours.
    """
    at = _place(subject.project, place)
    if not at.is_mount() and place == "data" and not leave_kilobytes and writes.is_hooked(subject):
        writes.fail(subject, paths=".*")
        return {"by": writes.HOOK, "bytes": 0}
    if not at.is_mount():
        raise Refused("only a small disk of ours is filled", hint="Use disk.small first.")
    return {"by": "a small file system", "bytes": _fill(at / _FILLER, leave_kilobytes * 1024)}


def _fill(filler: Path, leave_bytes: int) -> int:
    for piece in (_PIECE_BYTES, 1024):
        with filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(piece))
    size = filler.stat().st_size
    with filler.open("rb+") as file:
        file.truncate(max(0, size - leave_bytes))
    return size


def free_disk(subject: Subject, place: str = "data", **_more: Any) -> None:
    """Give the space back."""
    (_place(subject.project, place) / _FILLER).unlink(missing_ok=True)
    writes.heal(subject)


def limit(subject: Operated, what: str, more: int = 0) -> dict[str, int]:
    """Allow the driver's JVM so many files, or bytes of memory, more than it has now."""
    if what not in _LIMITS:
        raise Unsupported(f'no limit "{what}"', hint=f"There are: {', '.join(_LIMITS)}.")
    found: dict[str, int] = {}
    for process in _jvm(subject):
        has = int(process.num_fds() if what == "files" else process.memory_info().vms)
        _, most = process.rlimit(_LIMITS[what])
        process.rlimit(_LIMITS[what], (has + more, most))
        found[str(process.pid)] = has + more
    subject.crashed = True  # it may end at any point
    return found


def free_limit(subject: Operated, what: str, **_more: Any) -> None:
    """Lift the limit, if that driver still lives."""
    with suppress(NotFound, psutil.Error):
        for process in _jvm(subject):
            _, most = process.rlimit(_LIMITS[what])
            process.rlimit(_LIMITS[what], (most, most))


def burn(subject: Operated, seconds: float = 15.0, processes: int = 4) -> None:
    """Keep the processors busy with other work; it ends by itself."""
    del subject
    code = f"import time\nend = time.time() + {seconds}\nwhile time.time() < end: pass"
    workers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(processes)]
    for worker in workers:
        worker.wait()


def _jvm(subject: Operated) -> list[psutil.Process]:
    processes = [psutil.Process(pid) for pid in subject.driver_processes()]
    found = [process for process in processes if Path(process.exe()).name == "java"]
    if not found:
        raise NotFound("no driver runs")
    return found


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise Unsupported(f"{what}: {words}", hint="It needs root, as in a container of its own.")


VERBS = {
    "disk.small": action(small_disk, Part.ASIDE, undo="disk.remove"),
    "disk.remove": action(remove_disk, Part.ASIDE),
    "disk.device": action(disk_device, Part.ASIDE, undo="disk.remove"),
    "disk.slow": action(slow_disk, Part.FAULT, undo="disk.fast"),
    "disk.fast": action(free_slow_disk, Part.LIFT),
    "disk.fill": action(fill_disk, Part.FAULT, undo="disk.free"),
    "disk.free": action(free_disk, Part.LIFT),
    "limit.set": action(limit, Part.FAULT, undo="limit.free", on_target=True),
    "limit.free": action(free_limit, Part.LIFT, on_target=True),
    "cpu.burn": action(burn, Part.FAULT, on_target=True),
}
