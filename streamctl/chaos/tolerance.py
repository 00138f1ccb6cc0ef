"""Whether a probe's answer is within its tolerance, by Chaos Toolkit's rules.

| tolerance | holds when the answer |
|---|---|
| a number, text or truth | equals it; of a process or request, its `status` does |
| a list | is one of its items; of a process or request, its `status` is |
| `{"type": "range", "range": [low, high]}` | lies between, both included |
| `{"type": "regex", "pattern": ...}` | has a match |
| `{"type": ..., "target": "body"}` | the same, for that part of the answer |
"""

import re
from collections.abc import Mapping
from typing import Any

from streamctl.errors import Malformed, Unsupported


def is_within(tolerance: Any, answer: Any) -> bool:
    """Judge an answer.

    Raises:
        Unsupported: a kind of tolerance that is not known.
    """
    if tolerance is None:
        return True
    if isinstance(tolerance, Mapping):
        return _by_type(tolerance, answer)
    value = answer["status"] if isinstance(answer, Mapping) and "status" in answer else answer
    if isinstance(tolerance, list):
        return value in tolerance
    return isinstance(value, bool) == isinstance(tolerance, bool) and bool(value == tolerance)


def _by_type(tolerance: Mapping[str, Any], answer: Any) -> bool:
    target = tolerance.get("target")
    value = answer.get(target) if target and isinstance(answer, Mapping) else answer
    match tolerance.get("type"):
        case "range":
            low, high = map(float, tolerance["range"])
            return isinstance(value, int | float) and low <= value <= high
        case "regex":
            return re.search(tolerance["pattern"], str(value)) is not None
        case other:
            raise Unsupported(
                f'no tolerance of type "{other}"', hint="There are values, lists, range and regex."
            )


def check_tolerance(tolerance: Any) -> None:
    """Whether an answer can be judged by it, told before there is one.

    Raises:
        Unsupported: a kind of tolerance that is not known.
        Malformed: a range without two numbers, or a pattern that is none.
    """
    try:
        is_within(tolerance, 0)
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise Malformed(f"the tolerance {tolerance} is not of the known form: {error}") from error
