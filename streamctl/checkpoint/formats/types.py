"""Spark's types as JSON: whether Spark would read them back, and how a person reads them.

Follows `DataType.fromJson`, which takes each object with exactly its own keys, and names of types
as they stand in `DataType.nameToType`.
"""

import re
from typing import Any

from streamctl.errors import Malformed, Unsupported

_NAMED = (
    r"(void|null|boolean|byte|short|integer|long|float|double|string|binary|date|timestamp"
    r"|timestamp_ntz|calendarinterval|interval|variant|decimal"
    r"|decimal\(\s*\d+\s*,\s*-?\d+\s*\)|(char|varchar)\(\s*\d+\s*\)|string collate \w+"
    r"|interval (year|month|day|hour|minute|second)( to (month|hour|minute|second))?"
    r"|time\(\d+\)|(geometry|geography)\([^)]*\))\Z"
)
_KEYS = {
    "array": frozenset({"type", "elementType", "containsNull"}),
    "map": frozenset({"type", "keyType", "valueType", "valueContainsNull"}),
    "struct": frozenset({"type", "fields"}),
}
_FIELD_KEYS = frozenset({"name", "type", "nullable"})


def check_struct(value: Any, *, name: str) -> None:
    """Look at the schema of a row.

    Args:
        value: parsed JSON.
        name: the file, for messages.

    Raises:
        Malformed: Spark would not read it.
        Unsupported: a type that this release does not know.
    """
    if not isinstance(value, dict) or value.get("type") != "struct":
        raise Malformed(f'"{name}" has a schema that is no struct')
    _check(value, name=name)


def _check(value: Any, *, name: str) -> None:
    if isinstance(value, str):
        if not re.match(_NAMED, value):
            raise Unsupported(f'"{name}" has the type "{value[:60]}"')
        return
    if not isinstance(value, dict):
        raise Malformed(f'"{name}" has a type of another shape')
    kind = value.get("type")
    if kind == "udt":
        return
    if kind not in _KEYS or value.keys() != _KEYS[kind]:
        raise Malformed(f'"{name}" has a type with other keys than Spark writes')
    for part in ("elementType", "keyType", "valueType"):
        if part in value:
            _check(value[part], name=name)
    for field in value.get("fields", ()):
        _check_field(field, name=name)


def _check_field(field: Any, *, name: str) -> None:
    if not isinstance(field, dict) or field.keys() - {"metadata"} != _FIELD_KEYS:
        raise Malformed(f'"{name}" has a column with other keys than Spark writes')
    if not isinstance(field["name"], str) or not isinstance(field["nullable"], bool):
        raise Malformed(f'"{name}" has a column of another shape')
    _check(field["type"], name=name)


def describe(schema: Any) -> str:
    """A schema as an operator would write it: `window struct<...>, key bigint`."""
    if not isinstance(schema, dict) or schema.get("type") != "struct":
        return _type(schema)
    return ", ".join(f"{field['name']} {_type(field['type'])}" for field in schema["fields"])


def _type(schema: Any) -> str:
    if not isinstance(schema, dict):
        return str(schema)
    match schema.get("type"):
        case "struct":
            inside = ", ".join(f"{f['name']}: {_type(f['type'])}" for f in schema["fields"])
            return f"struct<{inside}>"
        case "array":
            return f"array<{_type(schema['elementType'])}>"
        case "map":
            return f"map<{_type(schema['keyType'])}, {_type(schema['valueType'])}>"
        case other:
            return str(other)
