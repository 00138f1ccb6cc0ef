"""Temporary files of a driver or child, in a directory of its own that goes when it is gone.

Spark deletes what it keeps in the machine's temporary directory when its JVM ends in order. A JVM
that is killed leaves all of it: blocks of shuffles, working copies of state, native libraries.
A job that is restarted again and again would fill the disk with that.
"""

import shutil
import tempfile
from collections.abc import Mapping

_PREFIX = "streamctl-driver-"


class Scratch:
    """One directory, below the machine's own for temporary files."""

    def __init__(self) -> None:
        self._directory = tempfile.mkdtemp(prefix=_PREFIX)

    @property
    def environ(self) -> Mapping[str, str]:
        """What the process must have in its environment.

        `STREAMCTL_SCRATCH` is for one whose supervisor died: it removes the directory itself.
        """
        return {"TMPDIR": self._directory, "STREAMCTL_SCRATCH": self._directory}

    def remove(self) -> None:
        """Remove it and all in it, once no process uses it any more; again is no error."""
        shutil.rmtree(self._directory, ignore_errors=True)
