"""Follows `progress.jsonl`: which queries run, and which of them are ready."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamctl.rundir.files import read_line, whole_bytes


class ProgressTail:
    """Reads the lines that were added since the last look.

    Args:
        path: `progress.jsonl`; lines that are there already are passed over.
        on_batch: is told of each finished batch, with its line.
        on_line: is told of each line.

    Attributes:
        queries: names in this attempt, empty until the driver has built them.
        committed: those that have finished a batch.
        idle: those that have only found nothing to read.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_batch: Callable[[dict[str, Any]], None] = lambda _: None,
        on_line: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        self._on_batch, self._on_line = on_batch, on_line
        self._path = path
        self._offset = whole_bytes(path)
        self._inode = path.stat().st_ino if path.exists() else None
        self.queries: list[str] = []
        self.committed: set[str] = set()
        self.idle: set[str] = set()

    def begin_attempt(self) -> None:
        """Forget what the last attempt said."""
        self.queries, self.committed, self.idle = [], set(), set()

    @property
    def is_ready(self) -> bool:
        """Whether every query has shown that it works."""
        return bool(self.queries) and (self.committed | self.idle).issuperset(self.queries)

    def read(self) -> None:
        """Take in new lines; a line that is still being written waits."""
        try:
            with self._path.open("rb") as file:
                if self._path.stat().st_ino != self._inode:
                    self._offset, self._inode = 0, self._path.stat().st_ino
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._offset += len(line)
                    if (found := read_line(line)) is not None:
                        self._take(found)
                        self._on_line(found)
        except FileNotFoundError:
            return

    def _take(self, line: dict[str, Any]) -> None:
        if line["kind"] == "launched":
            self.queries = list(line["queries"])
        elif line["kind"] == "progress":
            self.committed.add(line["query"])
            self.idle.discard(line["query"])
            self._on_batch(line)
        elif line["kind"] == "idle" and line["query"] not in self.committed:
            self.idle.add(line["query"])
