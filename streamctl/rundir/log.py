"""The job's log: one JSON object a line."""

from typing import Any

LOG_FILE = "job.jsonl"
_SHOWN_APART = {"at", "level", "from", "message", "event", "run_id", "run", "attempt", "detail"}


def readable(fields: dict[str, Any]) -> str:
    """A line of the log for a person: time, level, message, then what else it says."""
    more = [f"{name}={value}" for name, value in fields.items() if name not in _SHOWN_APART]
    message = fields.get("message") or fields.get("event", "")
    head = f"{fields.get('at', '')} {fields.get('level', 'INFO'):5} {message}"
    return " ".join([head, *more]).strip()
