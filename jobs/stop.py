"""Stopping: let the running batch commit, then end. The heart of a clean checkpoint.

`query.stop()` interrupts a running batch and leaves it planned without a commit. Instead, the
execution's `state` is set to TERMINATED without an interrupt. Spark's loop looks at it twice:
between batches, where it then ends; and after the planning of a batch, where Spark 4.2 then
interrupts itself (`MicroBatchExecution.runBatch`), which leaves a batch planned and not begun.
So the state is set only where the thread is past the second look, or before a batch at all:
the thread's stack tells, and it is read while holding the lock that the thread needs to plan
the next batch or to finish this one, so that it cannot move on meanwhile.

A trigger with an interval sleeps between batches. Such a query is woken by `stop()`, which is
safe once its thread is seen in that sleep: with TERMINATED set, no batch can begin after it.

The seam is `Execution` (`jobs/spark_query.py` has the real one). Where Spark's inside cannot be
reached (another Spark, Connect), the fallback waits for a moment between triggers and stops
there; that is a race by nature.
"""

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

_POLL_SECONDS = 0.02
PATIENCE_SECONDS = 20.0


class How(StrEnum):
    """How a query ended."""

    AFTER_BATCH = "after_batch"
    PERHAPS_PLANNED = "perhaps_planned"
    BETWEEN_TRIGGERS = "between_triggers"
    INTERRUPTED = "interrupted"


class Refusal(StrEnum):
    """Whether an execution will begin no other batch."""

    DONE = "done"
    NOT_YET = "not_yet"
    IMPOSSIBLE = "impossible"


class Execution(Protocol):
    """What stopping needs of a running query."""

    def refuse_batches(self, *, force: bool) -> Refusal:
        """Let no other batch begin, if the moment is right or `force` is given.

        Forced at a wrong moment, the batch that is being planned stays planned and not begun.
        """

    def ended(self) -> bool:
        """Whether the query's thread is gone."""

    def asleep(self) -> bool:
        """Whether it sleeps between two triggers. Exact only after the refusal is done."""

    def stop(self) -> None:
        """Interrupt and wait for the end."""


class _Stop:
    """The stop of one query, a step at a time."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._refusal = Refusal.NOT_YET
        self.how: How | None = None
        self._will_be = How.AFTER_BATCH

    def step(self, *, now: bool, impatient: bool) -> None:
        """Look once, and do what can be done."""
        if self._execution.ended():
            self.how = self._will_be
        elif now:
            self._execution.stop()
            self.how = How.INTERRUPTED
        elif self._refusal is Refusal.NOT_YET:
            self._refusal = self._execution.refuse_batches(force=impatient)
            if impatient:
                self._will_be = How.PERHAPS_PLANNED
            if self._refusal is Refusal.IMPOSSIBLE:
                self._will_be = How.BETWEEN_TRIGGERS
        elif self._execution.asleep():
            self._execution.stop()
            self.how = self._will_be


def stop_after_batch(
    executions: Sequence[Execution],
    *,
    stop_now: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[How]:
    """End all queries, each after its running batch.

    Args:
        executions: of the running queries.
        stop_now: asked all the while; True ends the patience and interrupts what still runs.
        clock: in seconds.
        sleep: of `time`, in seconds.

    Returns:
        How each of them ended, in the order given.
    """
    began = clock()
    stops = [_Stop(execution) for execution in executions]
    while True:
        now, impatient = stop_now(), clock() - began > PATIENCE_SECONDS
        for stop in stops:
            if stop.how is None:
                stop.step(now=now, impatient=impatient)
        ended = [stop.how for stop in stops if stop.how is not None]
        if len(ended) == len(stops):
            return ended
        sleep(_POLL_SECONDS)
