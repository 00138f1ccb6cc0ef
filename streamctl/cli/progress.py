"""Shows long work on stderr: a line that is rewritten on a terminal, plain lines off it."""

import json as json_format
import sys

from streamctl.reports import Event, OnEvent


def watcher(*, json: bool) -> OnEvent:
    """A function that shows events. An empty message ends a rewritten line."""
    if json:
        return _as_json
    return _Line() if sys.stderr.isatty() else _plain


def _as_json(event: Event) -> None:
    if event.message:
        fields = {"event": event.message, "done": event.done, "total": event.total}
        sys.stderr.write(json_format.dumps(fields) + "\n")


def _plain(event: Event) -> None:
    """Counted steps come many a second: off a terminal only the first and last are written."""
    if event.message and (event.done in {None, 0} or event.done == event.total):
        sys.stderr.write(_text(event) + "\n")
        sys.stderr.flush()


def _text(event: Event) -> str:
    if event.done is None:
        return event.message
    if not event.total:
        return f"{event.message}: {event.done:,}"
    return f"{event.message}: {event.done:,} of {event.total:,} ({event.done / event.total:.0%})"


class _Line:
    """One line on a terminal: counted steps rewrite it, other messages stay."""

    def __init__(self) -> None:
        self._open = False

    def __call__(self, event: Event) -> None:
        if self._open:
            sys.stderr.write("\r\x1b[K")
            self._open = False
        if event.message:
            counted = event.done is not None
            sys.stderr.write(_bar(event) + _text(event) + ("" if counted else "\n"))
            self._open = counted
        sys.stderr.flush()


def _bar(event: Event, width: int = 20) -> str:
    if not event.total or event.done is None:
        return ""
    filled = min(width, width * event.done // event.total)
    return "━" * filled + "─" * (width - filled) + " "
