"""Reads the job's log: supervisor, driver and Spark in one stream of JSON lines."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from streamctl.errors import JobNotFound
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.files import read_line
from streamctl.rundir.log import LOG_FILE, rank, readable


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line.

    Attributes:
        text: for a person.
        fields: as it was written.
    """

    text: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which lines to show.

    Attributes:
        level: this one and those above it.
        since: not older than this.
        query: of this query; empty for all.
        pattern: a regular expression that the line must match somewhere.
    """

    level: str = "DEBUG"
    since: datetime | None = None
    query: str = ""
    pattern: str = ""

    def admits(self, fields: dict[str, Any]) -> bool:
        """Whether to show the line."""
        if rank(fields.get("level", "INFO")) < rank(self.level):
            return False
        if self.query and fields.get("query") != self.query:
            return False
        if self.since and not _not_before(fields.get("at"), self.since):
            return False
        return not self.pattern or bool(re.search(self.pattern, json.dumps(fields)))


def _not_before(at: object, since: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(at)) >= since
    except ValueError:
        return True


def read_log(
    run: RunDirectory, wanted: Filter, *, last: int | None = None, follow: bool = False
) -> Iterator[LogLine]:
    """Lines, oldest first.

    Args:
        run: of the job.
        wanted: which lines.
        last: at most so many from the end; None for all.
        follow: go on with new ones until interrupted.

    Raises:
        JobNotFound: no log was written yet.
    """
    path = run.logs / LOG_FILE
    files = [*_rotated(path), *([path] if path.exists() else [])]
    if not files:
        raise JobNotFound(
            f'there is no log in "{path.parent}"', hint="`streamctl start` starts a job."
        )
    position = path.stat().st_size if path.exists() else 0
    lines = [line for file in files for line in _lines(file.read_bytes(), wanted)]
    yield from lines if last is None else lines[len(lines) - min(last, len(lines)) :]
    if follow:
        yield from _follow(path, wanted, position)


def _rotated(path: Path) -> list[Path]:
    """Rotated files, the oldest first."""
    found = path.parent.glob(f"{path.name}.*")
    numbered = [file for file in found if file.suffix[1:].isdigit()]
    return sorted(numbered, key=lambda file: -int(file.suffix[1:]))


def _lines(data: bytes, wanted: Filter) -> Iterator[LogLine]:
    for line in data.splitlines():
        fields = read_line(line)
        if fields is not None and wanted.admits(fields):
            yield LogLine(text=readable(fields), fields=fields)


def _follow(path: Path, wanted: Filter, position: int) -> Iterator[LogLine]:
    rest = b""
    while True:
        if path.exists():
            if path.stat().st_size < position:  # rotated
                position, rest = 0, b""
            with path.open("rb") as file:
                file.seek(position)
                data = rest + file.read()
                position = file.tell()
            whole, _, rest = data.rpartition(b"\n")
            yield from _lines(whole, wanted)
        time.sleep(0.2)
