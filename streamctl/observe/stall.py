"""How long a query may be silent before it is taken to be stalled."""

import re

_MARGIN = 3
_UNITS = {"milli": 0.001, "sec": 1, "min": 60, "hour": 3600, "day": 86400}


def stall_window(usual_seconds: float | None, *, at_least: float, trigger: str) -> float:
    """The window in seconds: never shorter than three triggers and three usual batches.

    So a slow job, or one with a rare trigger, is not taken for a dead one.

    Args:
        usual_seconds: of a batch; None when not known.
        at_least: the shortest window, in seconds.
        trigger: of the query, a Spark interval.
    """
    return max(at_least, _MARGIN * (interval_seconds(trigger) + (usual_seconds or 0)))


def interval_seconds(text: str) -> float:
    """A Spark interval such as `1 minute 30 seconds`; 0 for what is none, such as `once`."""
    parts = re.findall(r"([\d.]+)\s*(milli|sec|min|hour|day)", text.lower())
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
