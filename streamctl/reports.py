"""What operations answer with: a verdict and facts. JSON is derived from the dataclass.

Field names carry their unit (`_records`, `_seconds`, `_ms`, `_bytes`); times are ISO 8601 in UTC.
Fields may be added, never renamed or dropped.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum, StrEnum
from functools import cache
from pathlib import PurePath
from typing import Any


class Verdict(StrEnum):
    """What is true. Unknown is never shown or counted as ok."""

    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Combine verdicts: one problem is a problem; otherwise one unknown is unknown."""
    seen = set(verdicts)
    if Verdict.PROBLEM in seen:
        return Verdict.PROBLEM
    return Verdict.UNKNOWN if Verdict.UNKNOWN in seen else Verdict.OK


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what was looked at, in one or two words.
        verdict: ok, problem, or unknown when it could not be looked at.
        detail: what was seen, one line.
        hint: a full sentence with the way out; empty when ok.
    """

    name: str
    verdict: Verdict
    detail: str
    hint: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A step of long work, for whoever watches it.

    Attributes:
        message: what happened or begins, one lower-case line.
        done: units finished so far; None when it cannot be counted.
        total: units in all; None when not known.
        in_bytes: units are bytes.
    """

    message: str
    done: int | None = None
    total: int | None = None
    in_bytes: bool = False


OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Watch nothing."""
    del event


_PLAIN = {type(None), bool, int, str}


def as_json(value: Any) -> Any:
    """Turn reports into what `json.dumps` takes.

    Dataclasses become objects, times ISO 8601 in UTC with a `Z`, paths strings, enums their value;
    a number that is not finite, which JSON has no form for, becomes null.

    Raises:
        TypeError: for a type that has no agreed form.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(kind):
        return {name: as_json(getattr(value, name)) for name in _field_names(kind)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


@cache
def _field_names(kind: type) -> list[str]:
    """A report may have thousands of rows of one kind."""
    return [field.name for field in dataclasses.fields(kind)]


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond, with a `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
