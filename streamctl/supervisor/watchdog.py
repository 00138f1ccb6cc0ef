"""Notices a driver that lives and gets nothing done, by what its queries write about themselves.

Every batch is a line of `progress.jsonl`, and so is every look that finds nothing to read. The
silence is counted in looks of the supervisor, not by a clock: a machine that was suspended, or a
container that was paused, was silent as a whole.
"""

import time
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from streamctl.observe.stall import stall_window
from streamctl.settings.model import SuperviseSettings

_LONGEST_LOOK_SECONDS = 1.0
_BATCHES = 10


class Watchdog:
    """Counts the silence of each query of an attempt.

    Args:
        settings: when a driver is hung; with `hung_seconds` 0, never.
    """

    def __init__(self, settings: SuperviseSettings) -> None:
        self._after = settings.hung_seconds
        self._took: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_BATCHES))
        self._triggers: Mapping[str, str] = {}
        self.begin_attempt()

    def begin_attempt(self) -> None:
        """Begin to count, for a driver that has named no query yet."""
        self._silent = {"": 0.0}
        self._looked = time.monotonic()

    def wait(self) -> None:
        """Count from nought again, for the same queries."""
        self._silent = dict.fromkeys(self._silent, 0.0)

    @property
    def silent_seconds(self) -> float:
        """The longest silence now, which is no sign of a stable run; 0 if nobody is to judge it."""
        return max(self._silent.values(), default=0.0) if self._after else 0.0

    def hear(self, line: Mapping[str, Any]) -> None:
        """Take in a line of this attempt."""
        kind, query = line["kind"], line.get("query", "")
        if kind == "launched":
            self._silent = dict.fromkeys(line["queries"], 0.0)
            self._triggers = line.get("triggers", {})
        elif kind == "terminated":
            self._silent.pop(query, None)
        elif query in self._silent:
            self._silent[query] = 0.0
        if kind == "progress":
            self._took[query].append((line["duration_ms"].get("triggerExecution") or 0) / 1000)

    def look(self) -> str:
        """Why the driver is hung, in words; empty while it is not."""
        now = time.monotonic()
        step, self._looked = min(now - self._looked, _LONGEST_LOOK_SECONDS), now
        for query in self._silent:
            self._silent[query] += step
        late = [(query, silent) for query, silent in self._silent.items() if self._is_late(query)]
        if not self._after or not late:
            return ""
        query, silent = late[0]
        who = f"query {query} has said nothing" if query else "the driver has started no query"
        return f"{who} for {silent:.0f} s"

    def _is_late(self, query: str) -> bool:
        window = stall_window(
            max(self._took[query], default=0.0),
            at_least=self._after,
            trigger=self._triggers.get(query, ""),
        )
        return self._silent[query] > window
