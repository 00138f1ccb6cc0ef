"""Notices that a run which has an end has reached it.

A query has when its newest batch ends at or after every ending offset, or when it asked and found
nothing to read: the ending offsets existed when the run was planned. A trial ends with the first
batch of each query that had any record.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any


class Ending:
    """Which queries have read to the end.

    Args:
        ending_offsets: topic -> partition -> offset as JSON; empty for a run without an end.
        trial: whether one batch is all.
        on_reached: called whenever another query has.
    """

    def __init__(
        self, ending_offsets: str, *, on_reached: Callable[[], None], trial: bool = False
    ) -> None:
        self._trial = trial
        self._ends: dict[str, dict[str, int]] = json.loads(ending_offsets or "{}")
        self._on_reached = on_reached
        self._reached: set[str] = set()

    def after(self, line: Mapping[str, Any]) -> None:
        """Take in the progress line of a batch."""
        if self._trial:
            if line["input_rows"]:
                self.idle(line["query"])
            return
        at: dict[str, Mapping[str, int]] = {}
        for source in line["sources"]:
            if isinstance(source["end_offset"], Mapping):
                at |= source["end_offset"]
        if is_reached(self._ends, at):
            self.idle(line["query"])

    def idle(self, query: str) -> None:
        """A query found nothing to read."""
        self._reached.add(query)
        self._on_reached()

    def reached_by(self, queries: Iterable[str]) -> bool:
        """Whether all of them have; never in a run without an end."""
        return bool(self._ends or self._trial) and set(queries) <= self._reached


def is_reached(ends: Mapping[str, Mapping[str, int]], at: Mapping[str, Mapping[str, int]]) -> bool:
    """Whether a position is at or after the ends, in every partition."""
    return all(
        at.get(topic, {}).get(partition, -1) >= end
        for topic, partitions in ends.items()
        for partition, end in partitions.items()
    )
