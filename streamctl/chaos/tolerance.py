"""Whether a probe's answer is within its tolerance, by Chaos Toolkit's rules.

| tolerance | holds when the answer |
|---|---|
| a number, text or truth | equals it; of a process or request, its `status` does |
| a list | of a process or request: has a `status` that is one of its items |
| a list of two numbers | of any other probe: lies between, both included |
| any other list | is one of its items |
| `{"type": "range", "range": [low, high]}` | is a number between, both included; text may tell it |
| `{"type": "regex", "pattern": ...}` | has a match |
| `{"type": ..., "target": "body"}` | the same, for that part of the answer |

Source: experiment API reference of Chaos Toolkit, and `hypothesis.py` of chaostoolkit-lib, which
judges a status by the items of a list even when there are two.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from streamctl.errors import Malformed, Unsupported


def check_tolerance(tolerance: Any) -> None:
    """Look whether answers can be judged by it, before anything is done to a system.

    Raises:
        Unsupported: a kind of tolerance that is not known.
        Malformed: it lacks a part, or has one that is none.
    """
    if not isinstance(tolerance, Mapping):
        return
    judge = _judge(tolerance)
    try:
        judge(tolerance, "0")
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise Malformed(
            f'the tolerance {dict(tolerance)} is none of type "{tolerance["type"]}": {error}'
        ) from error


def is_within(tolerance: Any, answer: Any) -> bool:
    """Judge an answer.

    Raises:
        Unsupported: a kind of tolerance that is not known.
    """
    if tolerance is None:
        return True
    if isinstance(tolerance, Mapping):
        target = tolerance.get("target")
        part = answer.get(target) if target and isinstance(answer, Mapping) else answer
        return _judge(tolerance)(tolerance, part)
    has_status = isinstance(answer, Mapping) and "status" in answer
    value = answer["status"] if has_status else answer
    if not isinstance(tolerance, list):
        return isinstance(value, bool) == isinstance(tolerance, bool) and bool(value == tolerance)
    if not has_status and _are_bounds(tolerance):
        return _is_between(tolerance, value)
    return value in tolerance


def _are_bounds(items: list[Any]) -> bool:
    return len(items) == 2 and all(_is_number(item) for item in items)  # noqa: PLR2004 - low, high


def _is_number(value: Any) -> bool:
    """A truth is no number, though Python counts with it."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_between(bounds: list[Any], value: Any) -> bool:
    low, high = bounds
    return _is_number(value) and bool(low <= value <= high)


def _in_range(tolerance: Mapping[str, Any], value: Any) -> bool:
    bounds = [float(bound) for bound in tolerance["range"]]  # one of the environment is text
    return _is_between(bounds, _told(value) if isinstance(value, str) else value)


def _told(text: str) -> float | None:
    """The number that a program has written."""
    try:
        return float(text)
    except ValueError:
        return None


def _matches(tolerance: Mapping[str, Any], value: Any) -> bool:
    pattern = re.compile(tolerance["pattern"])
    return value is not None and pattern.search(str(value)) is not None


_JUDGES: dict[str, Callable[[Mapping[str, Any], Any], bool]] = {
    "range": _in_range,
    "regex": _matches,
}


def _judge(tolerance: Mapping[str, Any]) -> Callable[[Mapping[str, Any], Any], bool]:
    kind = str(tolerance.get("type"))
    if kind not in _JUDGES:
        raise Unsupported(
            f'no tolerance of type "{kind}"',
            hint="There are values, lists, range and regex; "
            "a `process` probe that runs `jq` takes JSON apart.",
        )
    return _JUDGES[kind]
