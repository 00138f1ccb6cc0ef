"""When Spark takes state of one schema for state of another.

Follows `StateSchemaCompatibilityChecker.schemasCompatible`, which asks
`DataType.equalsIgnoreNameAndCompatibleNullability`: types must be the same, names need not, and a
column that was never null must not become nullable. Works on the JSON of Spark's types.
"""

from typing import Any


def fits(new: Any, stored: Any) -> bool:
    """True when Spark reads rows of the stored type as the new one."""
    if not isinstance(new, dict) or not isinstance(stored, dict):
        return bool(new == stored)
    if new.get("type") != stored.get("type"):
        return False
    match new.get("type"):
        case "struct":
            pairs = list(zip(new["fields"], stored["fields"], strict=False))
            same_width = len(new["fields"]) == len(stored["fields"])
            return same_width and all(_field_fits(one, other) for one, other in pairs)
        case "array":
            nulls = stored["containsNull"] or not new["containsNull"]
            return nulls and fits(new["elementType"], stored["elementType"])
        case "map":
            nulls = stored["valueContainsNull"] or not new["valueContainsNull"]
            keys = fits(new["keyType"], stored["keyType"])
            return nulls and keys and fits(new["valueType"], stored["valueType"])
        case _:
            return bool(new == stored)


def _field_fits(new: Any, stored: Any) -> bool:
    nulls = stored["nullable"] or not new["nullable"]
    return nulls and fits(new["type"], stored["type"])


def names(schema: Any) -> list[str]:
    """The names of all fields, depth first: where these differ, a column has another meaning."""
    found: list[str] = []
    if isinstance(schema, dict):
        for field in schema.get("fields", ()):
            found += [field["name"], *names(field["type"])]
        for part in ("elementType", "keyType", "valueType"):
            found += names(schema.get(part))
    return found


def window_column(key: Any) -> str | None:
    """The column of a key that holds a window: a struct of the times `start` and `end`."""
    for field in key.get("fields", ()) if isinstance(key, dict) else ():
        inner = field["type"].get("fields", ()) if isinstance(field["type"], dict) else ()
        if [(f["name"], f["type"]) for f in inner] == [
            ("start", "timestamp"),
            ("end", "timestamp"),
        ]:
            return str(field["name"])
    return None
