"""The logs of files: the file sink's `_spark_metadata`, and the file source's `sources/<i>`.

Follows `CompactibleFileStreamLog`, `FileStreamSinkLog` and `FileStreamSourceLog`: `<N>`, or
`<N>.compact`, which repeats everything before it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from streamctl.checkpoint.formats import decode
from streamctl.errors import Malformed

_NAME = re.compile(r"(\d{1,18})(\.compact)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file: its absolute URI and the rest of what the log says of it."""

    path: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChain:
    """Which log files a reader needs.

    Attributes:
        latest: the newest batch; None when the log is empty.
        needed: names in order: the last compaction and everything after it.
        missing: batches that should be there and are not.
    """

    latest: int | None
    needed: tuple[str, ...]
    missing: tuple[int, ...]


def parse_file_log(data: bytes, *, name: str) -> tuple[FileEntry, ...]:
    """One file of such a log.

    Raises:
        Malformed: empty, or a line that is not JSON with a path.
        Unsupported: a version newer than 1.
    """
    found = decode.lines(data, name=name)
    if not found:
        raise Malformed(f'"{name}" is empty')
    decode.version(found[0], newest=1, name=name)
    return tuple(_entry(line, name=name) for line in found[1:] if line)


def _entry(line: str, *, name: str) -> FileEntry:
    fields = decode.json_object(line, name=name)
    return FileEntry(path=decode.take_str(fields, "path", name=name), fields=fields)


def log_batch(name: str) -> tuple[int, bool] | None:
    """The batch of a name, and whether it is a compaction; None for other names."""
    match = _NAME.match(name)
    return (int(match[1]), match[2] is not None) if match else None


def chain(names: Iterable[str]) -> LogChain:
    """What a reader of the log needs, by names alone."""
    plain: set[int] = set()
    compact: set[int] = set()
    for name in names:
        found = log_batch(name)
        if found is not None:
            (compact if found[1] else plain).add(found[0])
    if not plain | compact:
        return LogChain(latest=None, needed=(), missing=())
    latest = max(plain | compact)
    base = max(compact, default=None)
    first = 0 if base is None else base + 1
    later = range(first, latest + 1)
    needed = [] if base is None else [f"{base}.compact"]
    return LogChain(
        latest=latest,
        needed=(*needed, *(str(n) for n in later if n in plain)),
        missing=tuple(n for n in later if n not in plain),
    )
