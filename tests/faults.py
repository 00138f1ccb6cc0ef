"""Kill or break a piece of work at every point where it changes a file, enumerated.

The seam is the interpreter's own: audit events for open-to-write, rename, remove, mkdir, rmdir,
link and truncate below the watched roots, and `os.fsync` on top. No product code knows of it, so
no write can be forgotten. A piece of work runs in a fork, so imports cost nothing per point.

Typical use:
    points = count_points(work, roots=[tmp_path])
    for point in range(points):
        outcome = run_forked(work, roots=[copy], fault=Kill(at=point))
"""

import errno
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CHANGES = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "shutil.rmtree",
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """SIGKILL just before change number `at`; `torn` halves the file first when it is a flush."""

    at: int
    torn: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """An `OSError` instead of change number `at`, and of all later ones when `lasting`."""

    at: int
    code: int = errno.ENOSPC
    lasting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a forked piece of work ended.

    Attributes:
        killed: whether the fault killed it.
        value: what it returned, None when it raised or was killed.
        error: type name and text of what it raised, empty otherwise.
        traceback: of that error.
        points: changes it came to, in order: `event path`.
    """

    killed: bool
    value: Any = None
    error: str = ""
    traceback: str = ""
    points: list[str] = field(default_factory=list)


def points_of(work: Callable[[], Any], *, roots: Sequence[Path]) -> list[str]:
    """All changes of an undisturbed run, in order. The run must succeed."""
    outcome = run_forked(work, roots=roots)
    assert not outcome.error, outcome.traceback
    return outcome.points


def run_forked(
    work: Callable[[], Any], *, roots: Sequence[Path], fault: Kill | Fail | None = None
) -> Outcome:
    """Run `work` in a child of this process, with a fault or without."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _in_child(work, roots=roots, fault=fault, writer=writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"ended by signal {os.WTERMSIG(status)}"
        return Outcome(killed=True)
    return Outcome(killed=False, **pickle.loads(told))  # noqa: S301 - from our own child


def _in_child(
    work: Callable[[], Any], *, roots: Sequence[Path], fault: Kill | Fail | None, writer: int
) -> None:
    watch = _Watch(roots=[os.path.realpath(root) for root in roots], fault=fault)
    told: dict[str, Any] = {}
    try:
        with watch:
            told["value"] = work()
    except BaseException as error:  # noqa: BLE001 - told to the parent, whatever it is
        told["error"] = f"{type(error).__name__}: {error}"
        told["traceback"] = traceback.format_exc()
    told["points"] = watch.points
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(pickle.dumps(told))
    os._exit(0)


class _Watch:
    """Counts changes below the roots, and strikes at the chosen one."""

    def __init__(self, *, roots: list[str], fault: Kill | Fail | None) -> None:
        self._roots = roots
        self._fault = fault
        self._on = False
        self.points: list[str] = []

    def __enter__(self) -> None:
        sys.addaudithook(self._hear)
        self._fsync = os.fsync
        os.fsync = self._flush
        self._on = True

    def __exit__(self, *_: object) -> None:
        self._on = False
        os.fsync = self._fsync

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            _, _, flags = arguments
            if not isinstance(flags, int) or not flags & _WRITES:
                return
        elif event not in _CHANGES:
            return
        self._come_to(event, arguments[0])

    def _flush(self, descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        self._come_to("os.fsync", Path(f"/proc/self/fd/{number}").readlink(), number)
        self._fsync(descriptor)

    def _come_to(self, event: str, where: Any, descriptor: int | None = None) -> None:
        if not isinstance(where, str | bytes | os.PathLike):
            return
        path = os.path.realpath(os.fsdecode(where))
        if not any(path == root or path.startswith(f"{root}/") for root in self._roots):
            return
        number = len(self.points)
        self.points.append(f"{event} {path}")
        match self._fault:
            case Kill(at=at, torn=torn) if at == number:
                self._on = False
                if descriptor is not None and torn and Path(path).is_file():
                    os.truncate(path, Path(path).stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            case Fail(at=at, code=code, lasting=lasting) if at == number or (
                lasting and number > at
            ):
                raise OSError(code, os.strerror(code), path)
