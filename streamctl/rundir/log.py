"""The job's log: one JSON object a line."""

from typing import Any

LOG_FILE = "job.jsonl"
LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")
_SHOWN_APART = {"at", "level", "from", "message", "event", "run_id", "run", "attempt", "detail"}


def rank(level: object) -> int:
    """Place of a level among all, the least first; one that is not known counts as the worst."""
    name = str(level).upper()
    return LEVELS.index(name) if name in LEVELS else len(LEVELS)


def readable(fields: dict[str, Any]) -> str:
    """A line of the log for a person: time, level, message, then what else it says."""
    more = [f"{name}={value}" for name, value in fields.items() if name not in _SHOWN_APART]
    message = fields.get("message") or fields.get("event", "")
    head = f"{fields.get('at', '')} {fields.get('level', 'INFO'):5} {message}"
    return " ".join([head, *more]).strip()
