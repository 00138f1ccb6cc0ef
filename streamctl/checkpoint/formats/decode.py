"""Text and JSON of Spark's small files, read as strictly as Spark reads them.

Follows `MetadataVersionUtil.validateVersion` and `scala.io.Source.getLines`. Whatever the bytes,
the outcome is a value, `Malformed` or `Unsupported`.
"""

import json
import re
from typing import Any

from streamctl.errors import Malformed, Unsupported

_LINE_END = re.compile(r"\r\n|\n|\r")
_VERSION = re.compile(r"v(\d{1,9})\Z", re.ASCII)


class Trailing(Malformed):
    """A whole value and then something that does not belong there. Spark reads the value."""


def lossy(data: bytes) -> str:
    """Text as Java's `InputStreamReader` reads it: what is not UTF-8 becomes a mark."""
    return data.decode("utf-8", "replace")


def lines(data: bytes, *, name: str) -> list[str]:
    """Split UTF-8 text as Spark does; one line end at the end of the file adds no line.

    Raises:
        Malformed: not UTF-8.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f'"{name}" is not UTF-8 text') from error
    found = _LINE_END.split(text)
    if found[-1] == "":
        found.pop()
    return found


def version(line: str, *, newest: int, name: str) -> int:
    """The number of a version line such as `v1`.

    Raises:
        Malformed: not a version line.
        Unsupported: newer than this release knows.
    """
    match = _VERSION.match(line)
    number = int(match[1]) if match else 0
    if number < 1:
        raise Malformed(f'"{name}" does not begin with a version line, but with "{clip(line)}"')
    if number > newest:
        raise Unsupported(
            f'"{name}" has version {number}, and the newest known is {newest}',
            hint="Upgrade streamctl: the checkpoint was written by a newer Spark.",
        )
    return number


def json_value(text: str, *, name: str) -> Any:
    """Parse one JSON text.

    Raises:
        Trailing: JSON, and then something else, which Spark does not look at.
        Malformed: not JSON, or nested or long beyond any sense.
    """
    text = text.lstrip(" \t\r\n")
    try:
        value, end = _JSON.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f'"{name}" holds text that is not JSON: "{clip(text)}"') from error
    if text[end:].strip(" \t\r\n"):
        raise Trailing(f'"{name}" goes on after its JSON: "{clip(text[end:])}"')
    return value


def json_object(text: str, *, name: str) -> dict[str, Any]:
    """Parse one JSON object.

    Raises:
        Malformed: not a JSON object.
    """
    value = json_value(text, name=name)
    if not isinstance(value, dict):
        raise Malformed(f'"{name}" holds JSON that is not an object: "{clip(text)}"')
    return value


def take_int(fields: dict[str, Any], key: str, *, name: str, default: int | None = None) -> int:
    """A whole number of 64 bits from a JSON object.

    Raises:
        Malformed: absent without a default, or another type.
    """
    value = fields.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise Malformed(f'"{name}" has no whole number for "{key}"')
    return value


def take_str(fields: dict[str, Any], key: str, *, name: str) -> str:
    """A string from a JSON object.

    Raises:
        Malformed: absent, or another type.
    """
    value = fields.get(key)
    if not isinstance(value, str):
        raise Malformed(f'"{name}" has no text for "{key}"')
    return value


def compact(value: Any) -> str:
    """JSON as Spark writes it: no spaces, no escapes beyond what JSON needs."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def clip(text: str, *, width: int = 60) -> str:
    """The beginning of a text, on one line, for a message."""
    shown = text if len(text) <= width else text[: width - 3] + "..."
    return "".join(char if char.isprintable() else "?" for char in shown)


def _refuse_constant(text: str) -> Any:
    raise ValueError(text)


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)
