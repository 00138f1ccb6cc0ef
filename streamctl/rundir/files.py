"""A dataclass as a file of JSON, of which nobody ever sees half."""

import dataclasses
import errno
import json
import os
import types
import typing
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from streamctl.errors import Malformed

T = TypeVar("T")
_BLOCK_BYTES = 1 << 16


def replace_file(path: Path, text: str) -> None:
    """Write beside, flush to disk, rename: a reader sees the old text or the new."""
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def append_whole(path: Path, text: str, *, flush: bool = False) -> None:
    """Append, all or nothing: the next line would be glued to a part of one.

    A full disk takes a part. Of a writer that is killed the kernel has taken the pages so far,
    which its successor cuts off here. For a file with one writer at a time.

    Args:
        path: of the file, made when it is not there.
        text: whole lines.
        flush: to disk, before it returns.

    Raises:
        OSError: nothing was appended.
    """
    data = text.encode()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        before = _whole(descriptor)
        if before < os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, before)
        if os.write(descriptor, data) < len(data):
            os.ftruncate(descriptor, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        if flush:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def whole_bytes(path: Path) -> int:
    """Bytes of a file up to its last newline, behind which the next line will be; 0 without it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        return _whole(descriptor)
    finally:
        os.close(descriptor)


def _whole(descriptor: int) -> int:
    size = end = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return size
    while end:
        begin = max(0, end - _BLOCK_BYTES)
        newline = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        end = begin
    return 0


def read_line(line: bytes | str) -> dict[str, Any] | None:
    """One line of JSON; None where it is cut, by where reading began or by its writer's end."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def read_file(path: Path, kind: type[T]) -> T | None:
    """Read a dataclass that `replace_file` wrote as JSON; None when there is no such file.

    Raises:
        Malformed: not JSON, or not the fields of `kind`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return build(kind, json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(
            f'cannot read "{path}": {error}',
            hint="It is damaged or of another release; move it away and run the command again.",
        ) from error


def build(kind: type[T], fields: dict[str, Any]) -> T:
    """Build a flat dataclass from JSON: times and enums come back as such; more fields are let go.

    Raises:
        ValueError, TypeError, KeyError: the fields are not those of `kind`.
    """
    hints = typing.get_type_hints(kind)
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _value(hints[name], fields[name]) for name in fields if name in known})


def _value(hint: Any, value: Any) -> Any:
    if isinstance(hint, types.UnionType):
        if value is None:
            return None
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if hint is datetime:
        return datetime.fromisoformat(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value
