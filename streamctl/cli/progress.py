"""Shows long work on stderr: a line that is rewritten on a terminal, plain lines off it."""

import json as json_format
import sys
import time
from collections.abc import Callable

from streamctl.reports import Event, OnEvent

_STEADY_SECONDS = 2.0
"""Before that the pace says nothing."""


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
    done = _count(event.done, event)
    if not event.total:
        return f"{event.message}: {done}"
    total = _count(event.total, event)
    return f"{event.message}: {done} of {total} ({event.done / event.total:.0%})"


def _count(number: int, event: Event) -> str:
    from streamctl.cli.checkpoint_views import size_text

    return size_text(number) if event.in_bytes else f"{number:,}"


class _Line:
    """One line on a terminal: counted steps rewrite it, other messages stay.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._open = False
        self._clock = clock
        self._work, self._began, self._from = "", 0.0, 0

    def __call__(self, event: Event) -> None:
        if self._open:
            sys.stderr.write("\r\x1b[K")
            self._open = False
        if event.message:
            counted = event.done is not None
            line = _bar(event) + _text(event) + self._left(event)
            sys.stderr.write(line + ("" if counted else "\n"))
            self._open = counted
        sys.stderr.flush()

    def _left(self, event: Event) -> str:
        """How long the rest takes at the pace so far."""
        from streamctl.cli.lag_views import span

        done, now = event.done or 0, self._clock()
        if event.message != self._work or done < self._from:
            self._work, self._began, self._from = event.message, now, done
        gained, spent = done - self._from, now - self._began
        if not event.total or gained <= 0 or spent < _STEADY_SECONDS or done >= event.total:
            return ""
        return f", {span(spent * (event.total - done) / gained)} left"


def _bar(event: Event, width: int = 20) -> str:
    if not event.total or event.done is None:
        return ""
    filled = min(width, width * event.done // event.total)
    return "━" * filled + "─" * (width - filled) + " "
