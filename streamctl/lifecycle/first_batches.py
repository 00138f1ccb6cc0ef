"""Watches a job that was just started until it has shown that it works."""

import time

from streamctl.observe.batches import Batches
from streamctl.observe.status import StatusReport, read_status
from streamctl.reports import Event, OnEvent
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Observed, Status

_LOOK_SECONDS = 0.5


def watch_first_batches(run: RunDirectory, *, seconds: float, on_event: OnEvent) -> StatusReport:
    """Look until each query has committed one more batch or has nothing to read, or time is up.

    One more: the first may only have been the planned one, run again, or the empty one with which
    Spark begins a query anew.
    """
    on_event(Event(message="watching the first batches"))
    status = read_status(run)
    first = {query.name: query.committed_batch_id for query in status.queries}
    told = Batches(run.progress_file)
    until = time.monotonic() + seconds
    while time.monotonic() < until and is_working(status):
        known = run.read(Status)
        idle = set(known.idle_queries if known else ())
        told.read()
        idle |= {name for name, story in told.stories.items() if story.idle}
        moved = {q.name for q in status.queries if q.committed_batch_id != first.get(q.name)}
        if moved | idle >= set(first):
            break
        time.sleep(_LOOK_SECONDS)
        status = read_status(run)
    return status


def is_working(status: StatusReport) -> bool:
    """Whether the job runs since it was started, at the first attempt."""
    failed = status.failure is not None and status.failure.attempt == status.attempt
    return status.observed is Observed.RUNNING and status.restarts == 0 and not failed
