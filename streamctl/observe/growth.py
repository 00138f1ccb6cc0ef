"""How the checkpoint grew: its size once a minute over two hours, kept in the run directory.

So a command that looks only once can tell it too, and a restart of the supervisor forgets nothing.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from streamctl.observe.model import Sample
from streamctl.reports import as_json
from streamctl.rundir.files import build, replace_file

_EVERY = timedelta(minutes=1)
_KEPT = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """All queries' checkpoints of a generation at one moment.

    Attributes:
        place: checkpoint location and generation.
    """

    at: datetime
    place: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """From the oldest size known to now.

    Attributes:
        grown_bytes: negative when it shrank.
        seconds: over so long.
        sizes_bytes: oldest first.
    """

    grown_bytes: int
    seconds: float
    sizes_bytes: list[int]


class Sizes:
    """Keeps the sizes.

    Args:
        run: path of the run directory.
    """

    def __init__(self, run: Path) -> None:
        self._path = run / "sizes.json"
        self._sizes = self._read()

    def add(self, sample: Sample) -> None:
        """Take in a sample; written at most once a minute."""
        size = _size(sample)
        if size is None or (self._sizes and size.at - self._sizes[-1].at < _EVERY):
            return
        self._sizes = [*_comparable(self._sizes, size), size]
        replace_file(self._path, json.dumps(as_json(self._sizes)) + "\n")

    def growth(self, sample: Sample) -> Growth | None:
        """Up to a sample; None when its size, or any earlier one, is not known."""
        size = _size(sample)
        if size is None or not (before := _comparable(self._sizes, size)):
            return None
        return Growth(
            grown_bytes=size.size_bytes - before[0].size_bytes,
            seconds=(size.at - before[0].at).total_seconds(),
            sizes_bytes=[*(known.size_bytes for known in before), size.size_bytes],
        )

    def _read(self) -> list[Size]:
        try:
            return [build(Size, item) for item in json.loads(self._path.read_text("utf-8"))]
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return []  # it begins anew; nothing but this trend is in it


def _size(sample: Sample) -> Size | None:
    if sample.checkpoint_bytes is None:
        return None
    place = f"{sample.status.checkpoint_location}/{sample.status.generation}"
    return Size(at=sample.at, place=place, size_bytes=sample.checkpoint_bytes)


def _comparable(sizes: list[Size], now: Size) -> list[Size]:
    """Of the same place, and not too old."""
    oldest = now.at - _KEPT
    return [size for size in sizes if size.place == now.place and oldest <= size.at < now.at]
