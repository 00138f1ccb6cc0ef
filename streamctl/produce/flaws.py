"""Give a valid record exactly one flaw.

The rules are those of the telemetry job: a JSON type other than the schema's is a mismatch, a field
that is absent or null is missing, a number outside its range is out of range, a duration below
0 or above a day is invalid, and an event time more than five minutes after the record's CreateTime
lies in the future.
"""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from streamctl.produce.mix import DURATION_RANGE, NUMBER_RANGES

_HOUR_MS = 3_600_000
_NO_NUMBERS: tuple[Any, ...] = ("high", "87", True, [12.5], {"value": 12.5})
_NO_STRINGS: tuple[Any, ...] = (17, 12.5, False, ["a"], {"id": "a"})
_NO_TIMES: tuple[Any, ...] = ("yesterday", "24/11/2026 at noon", "", 1_795_488_016, ["now"])
Record = dict[str, Any]


def flawed_value(
    reason: str, record: Record, created_ms: int, rng: random.Random
) -> tuple[int | None, bytes]:
    """Render a record with one flaw.

    Args:
        reason: `flaw` or `flaw:field`.
        record: a valid record; it is changed.
        created_ms: its CreateTime and event time.
        rng: draws the kind of damage.

    Returns:
        The event time in milliseconds, None where none can be read; and the value.
    """
    flaw, _, field = reason.partition(":")
    if flaw == "invalid_json":
        return None, rng.choice(_DAMAGES)(_dump(record), rng)
    if flaw == "timestamp_in_future":
        ahead = created_ms + rng.randint(_HOUR_MS, 48 * _HOUR_MS)
        moment = datetime.fromtimestamp(ahead / 1000, UTC)
        record["event_timestamp"] = moment.isoformat(timespec="milliseconds")[:-6] + "Z"
        return ahead, _dump(record)
    if flaw == "missing" and rng.random() < 0.5:  # noqa: PLR2004 - half of them null
        del record[field]
    elif flaw == "missing":
        record[field] = None
    elif flaw == "schema_mismatch":
        record[field] = rng.choice(_WRONG_TYPES.get(field, _NO_NUMBERS))
    elif flaw == "out_of_range":
        record[field] = _outside(*NUMBER_RANGES[field], rng)
    else:
        record["duration_seconds"] = _outside(*DURATION_RANGE, rng)
    return None if field == "event_timestamp" else created_ms, _dump(record)


_WRONG_TYPES = {"device_id": _NO_STRINGS, "event_timestamp": _NO_TIMES}


def _dump(record: Record) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def _outside(low: float, high: float, rng: random.Random) -> float:
    """Return a number just outside, or far outside, on either side."""
    beyond = rng.choice((0.1, 1.0, round(rng.uniform(1, high - low), 1)))
    return round(high + beyond, 1) if rng.random() < 0.5 else round(low - beyond, 1)  # noqa: PLR2004


def _cut(value: bytes, rng: random.Random) -> bytes:
    """End it early: never a whole object, the last brace is missing."""
    return value[: rng.randint(1, len(value) - 1)]


def _lose_colon(value: bytes, rng: random.Random) -> bytes:
    del rng
    return value.replace(b":", b" ", 1)


def _other_text(value: bytes, rng: random.Random) -> bytes:
    del value
    return rng.choice((b"connection reset by peer", b"<telemetry/>", b"device_id=7;battery=90"))


_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (_cut, _lose_colon, _other_text)
