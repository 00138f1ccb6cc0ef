"""Dead letters as a file: one JSON object a line, whole enough to make the records again.

A line has `partition`, `offset` and `at` (of the letter), `key`, `value` (text; where they are no
UTF-8 `key_base64`, `value_base64` stand instead; null is null), `headers` (the original's, each
with `name` and `value` or `value_base64`), and `origin` (null without our headers).
"""

import base64
import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamctl.dlq.letters import Letter
from streamctl.errors import ExitCode, Refused, StreamctlError
from streamctl.reports import Event, OnEvent, Verdict, as_json, ignore
from streamctl.resilience.dead_letter import without_origin

_EVERY = 10_000


class FileThere(Refused):
    """A file is never overwritten."""

    exit_code = ExitCode.NOT_EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file that was written."""

    verdict: Verdict
    topic: str
    file: Path
    letters: int
    size_bytes: int


def export(
    letters: Iterable[Letter], file: Path, *, topic: str, on_event: OnEvent = ignore
) -> Exported:
    """Write letters beside, flush, and give them their name: the file is whole or not there.

    Raises:
        FileThere: the file exists.
        StreamctlError: it cannot be written.
    """
    if file.exists():
        raise FileThere(f'"{file}" exists', hint="Give another name.")
    beside = file.with_name(f".{file.name}.{uuid.uuid4().hex}.tmp")
    count = 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8") as lines:
            for letter in letters:
                lines.write(json.dumps(as_line(letter), ensure_ascii=False) + "\n")
                count += 1
                if count % _EVERY == 0:
                    on_event(Event(message="exported", done=count))
            lines.flush()
            os.fsync(lines.fileno())
        beside.rename(file)
    except OSError as error:
        raise StreamctlError(f'cannot write "{file}": {error.strerror}') from error
    finally:
        beside.unlink(missing_ok=True)
    return Exported(
        verdict=Verdict.OK,
        topic=topic,
        file=file,
        letters=count,
        size_bytes=file.stat().st_size,
    )


def as_line(letter: Letter) -> dict[str, Any]:
    """One letter as JSON."""
    record = letter.record
    return {
        "partition": record.partition,
        "offset": record.offset,
        "at": as_json(letter.at),
        **_bytes("key", record.key),
        **_bytes("value", record.value),
        "headers": [
            {"name": name, **_bytes("value", value)}
            for name, value in without_origin(record.headers)
        ],
        "origin": as_json(letter.origin),
    }


def _bytes(name: str, data: bytes | None) -> dict[str, str | None]:
    """Text under its name where it is text, else base64 under a name that says so."""
    if data is None:
        return {name: None}
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}
