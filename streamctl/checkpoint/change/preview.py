"""A checkpoint as it would be: the old one seen through a step. So a plan is verified unbuilt."""

import io
import posixpath
from collections.abc import Mapping
from typing import BinaryIO

from streamctl.checkpoint.change.plan import Step
from streamctl.checkpoint.tree.files import Entry, Files
from streamctl.checkpoint.tree.reader import Checkpoint


class Preview(Files):
    """The files at a location without some and with others written.

    Args:
        location: as `Files`.
        hidden: paths that are left out.
        written: paths that are replaced or added, with their text.
    """

    def __init__(
        self, location: str, *, hidden: frozenset[str], written: Mapping[str, str]
    ) -> None:
        super().__init__(location)
        self._hidden = hidden
        self._written = {path: text.encode() for path, text in written.items()}

    def entries(self, path: str = "", *, details: bool = True) -> list[Entry]:
        """As `Files.entries`, of what would be there."""
        found = {
            entry.name: entry
            for entry in super().entries(path, details=details)
            if posixpath.join(path, entry.name) not in self._hidden
        }
        for name, data in self._written.items():
            folder, _, last = name.rpartition("/")
            if folder == path:
                found[last] = Entry(last, is_directory=False, size_bytes=len(data))
        return list(found.values())

    def exists(self, path: str) -> bool:
        """As `Files.exists`, of what would be there."""
        return path in self._written or (path not in self._hidden and super().exists(path))

    def open(self, path: str) -> BinaryIO:
        """As `Files.open`, of what would be there."""
        if path in self._written:
            return io.BytesIO(self._written[path])
        if path in self._hidden:
            raise FileNotFoundError(path)
        return super().open(path)


def preview(step: Step) -> Files:
    """What a rebuilt tree will hold."""
    hidden = frozenset(item.path for item in step.removed)
    return Preview(step.place, hidden=hidden, written=step.written)


def checkpoint(step: Step) -> Checkpoint:
    """The checkpoint that a step will make."""
    return Checkpoint(location=step.place, files=preview(step))
