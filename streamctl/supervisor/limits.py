"""Stops the job in order before a disk that it writes to is full.

A full disk interrupts a batch wherever it is; a batch that is let end leaves nothing half-written.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from streamctl.checkpoint.tree.files import local_path
from streamctl.settings.model import Settings

_EVERY_SECONDS = 5.0


class DiskFloor:
    """Looks at the free space of checkpoint and output, not too often.

    Args:
        settings: the locations and the floor.
        free_bytes: of a directory's disk; another one in tests.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._floor = settings.limits.disk_floor_bytes
        locations = (settings.checkpoint.location, settings.output.location)
        self._places = [Path(path) for path in map(local_path, locations) if path]
        self._free_bytes, self._clock = free_bytes, clock
        self._looked = float("-inf")

    def reached(self) -> str:
        """The disk that has less free than the floor, in one phrase; empty when none has."""
        if not self._floor or self._clock() - self._looked < _EVERY_SECONDS:
            return ""
        self._looked = self._clock()
        for place in self._places:
            there = next(path for path in (place, *place.parents) if path.exists())
            free = self._free_bytes(there)
            if free < self._floor:
                return f'"{place}" has {free >> 20:,} MiB free, the floor is {self._floor >> 20:,}'
        return ""
