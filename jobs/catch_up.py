"""How many records a micro-batch may take while the job is behind.

The configured `maxOffsetsPerTrigger` is the steady bound: the first batch after a start takes no
more. While a backlog remains and batches end well inside the target, the bound doubles; a batch
that took longer than the target shrinks it in proportion; when what is left fits into a steady
batch, the steady bound is back. A steady batch is mostly overhead, so this drains many times
faster, and memory stays bounded by `max_records`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from streamctl.settings.model import CatchUpSettings

_FULL = 0.9
"""A batch this full of its bound was limited by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The bound of one query's batches.

    Attributes:
        records: for the next batch.
        steady_records: as configured.
    """

    records: int
    steady_records: int

    @property
    def catching_up(self) -> bool:
        """Whether it is above the steady one."""
        return self.records > self.steady_records


def next_bound(
    bound: Bound,
    settings: CatchUpSettings,
    *,
    input_records: int,
    batch_seconds: float,
    backlog_records: int,
) -> Bound:
    """Decide after a batch. Pure.

    The next batch may be planned before the batch before it is told: what was read decides, not
    what was allowed, so that one slow batch does not shrink the bound twice.

    Args:
        bound: in force.
        settings: target duration and largest bound.
        input_records: read by the batch.
        batch_seconds: from trigger to commit.
        backlog_records: in the topics and not yet planned.
    """
    if backlog_records <= bound.steady_records:
        return replace(bound, records=bound.steady_records)
    if batch_seconds > settings.target_batch_seconds:
        inside = int(input_records * settings.target_batch_seconds / batch_seconds)
        return replace(bound, records=max(bound.steady_records, min(inside, bound.records)))
    was_full = input_records >= _FULL * bound.records
    if was_full and batch_seconds <= settings.target_batch_seconds / 2:
        most = max(settings.max_records, bound.steady_records)
        return replace(bound, records=min(2 * bound.records, most))
    return bound


class CatchUp:
    """Keeps the bound of each query of a run.

    Args:
        settings: whether, and how far.
        steady_records: `maxOffsetsPerTrigger` as configured.
        set_limit: (query, records) -> whether the query's next batches take the new bound.
        log: where a change of mode is told.
    """

    def __init__(
        self,
        settings: CatchUpSettings,
        *,
        steady_records: int,
        set_limit: Callable[[str, int], bool],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._settings = settings
        self._steady = Bound(records=steady_records, steady_records=steady_records)
        self._set_limit = set_limit
        self._log = log
        self._bounds: dict[str, Bound] = {}

    def bound(self, query: str) -> Bound:
        """What the batch that has just ended was allowed."""
        return self._bounds.get(query, self._steady)

    def after(self, line: Mapping[str, Any]) -> None:
        """Take in the progress line of a batch, and set the bound of the next one."""
        backlog = backlog_of(line["sources"])
        if not self._settings.enabled or backlog is None:
            return
        query, before = line["query"], self.bound(line["query"])
        after = next_bound(
            before,
            self._settings,
            input_records=line["input_rows"],
            batch_seconds=line["duration_ms"].get("triggerExecution", 0) / 1000,
            backlog_records=backlog,
        )
        if after == before or not self._set_limit(query, after.records):
            return
        self._bounds[query] = after
        if after.catching_up != before.catching_up:
            told = "catching up" if after.catching_up else "caught up: batches are steady again"
            self._log.info(told, query=query, bound=after.records, backlog=backlog)


def backlog_of(sources: list[dict[str, Any]]) -> int | None:
    """Records after the batch's end, over all sources; None when a source does not tell.

    Args:
        sources: of a progress line, offsets as Spark's Kafka source reports them.
    """
    total = 0
    for source in sources:
        end, latest = source["end_offset"], source["latest_offset"]
        if not (isinstance(end, Mapping) and isinstance(latest, Mapping)):
            return None
        for topic, partitions in latest.items():
            for partition, offset in partitions.items():
                total += max(0, offset - end.get(topic, {}).get(partition, 0))
    return total
