"""Temporary files of one driver or child, in a directory of their own that goes when it is gone.

Spark deletes what it keeps in the machine's temporary directory when its JVM ends in order. A JVM
that is killed leaves all of it: blocks of shuffles, working copies of state, native libraries.
A job that is restarted again and again would fill the disk with that.
"""

import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

_PREFIX = "streamctl-spark-"


class Scratch:
    """One directory, below the machine's own for temporary files.

    Args:
        notes: where a link to it stands until it is removed, see `noted`; None where nobody
            would look.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, notes: Path | None = None) -> None:
        self._path = _make()
        self._note = notes / self._path.name if notes else None
        if self._note is not None:
            with suppress(OSError):  # on a full disk a job runs rather than that all is tidy
                self._note.parent.mkdir(parents=True, exist_ok=True)
                self._note.symlink_to(self._path)

    @property
    def environ(self) -> Mapping[str, str]:
        """What the process must have in its environment, see `jobs.temporary`."""
        return {"TMPDIR": str(self._path), "STREAMCTL_SCRATCH": str(self._path)}

    def remove(self) -> None:
        """Remove it and all in it, once no process uses it any more; again is no error."""
        shutil.rmtree(self._path, ignore_errors=True)
        if self._note is not None and not self._path.exists():
            with suppress(OSError):
                self._note.unlink()


def noted(notes: Path) -> list[Path]:
    """The links there now: before a driver is started, of those that died with their supervisor."""
    return list(notes.glob(f"{_PREFIX}*"))


def sweep(links: list[Path]) -> None:
    """Remove what they name; a link stays where that does not succeed."""
    for link in links:
        with suppress(OSError):
            place = link.readlink()
            if place.name == link.name and place.exists():
                shutil.rmtree(place)
            link.unlink()


def aside(work: Callable[[], None]) -> None:
    """Do it in a thread: gigabytes on a slow disk take their time, and a lease is to be renewed."""
    try:
        threading.Thread(target=work).start()
    except RuntimeError:  # there is no thread to be had
        work()


def _make() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=_PREFIX))
    except FileNotFoundError:  # what TMPDIR named at the start is gone, as with a login session
        tempfile.tempdir = None
        return Path(tempfile.mkdtemp(prefix=_PREFIX))
