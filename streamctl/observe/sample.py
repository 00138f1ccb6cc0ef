"""Puts together what was seen. Pure: all that is looked at elsewhere is an argument."""

import statistics
from collections.abc import Mapping
from datetime import datetime, timedelta

from streamctl.lag.model import LagReport, QueryLag
from streamctl.observe.batches import Batches, Story
from streamctl.observe.machine import Disk, Processes
from streamctl.observe.model import QuerySample, Sample
from streamctl.observe.sizes import Usage
from streamctl.observe.stall import stall_window
from streamctl.observe.status import QueryStatus, StatusReport
from streamctl.rundir.losses import Loss

_USUAL_BATCHES = 50
_MINUTE_SECONDS = 60.0
_HOUR = timedelta(hours=1)
_IDLE_SECONDS = 30.0
"""Three of Spark's intervals between the words of an idle query."""


def compose(
    status: StatusReport,
    batches: Batches,
    *,
    lag: LagReport | None,
    lag_problem: str,
    sizes: Mapping[str, list[Usage]],
    disks: list[Disk],
    processes: Processes | None,
    stall_seconds: float,
    trigger: str,
    now: datetime,
) -> Sample:
    """One sample.

    Args:
        status: as `streamctl status` tells it.
        batches: read up to now.
        lag: the newest measurement, None without one.
        lag_problem: why there is none.
        sizes: query -> files of its checkpoint.
        disks: that the job writes to.
        processes: of the driver.
        stall_seconds: the shortest silence that may be a stall.
        trigger: of the queries, a Spark interval.
        now: the moment.
    """
    lags = {query.query: query for query in lag.queries} if lag else {}
    return Sample(
        at=now,
        status=status,
        queries=[
            _query(
                query,
                batches.stories.get(query.name, Story()),
                lag=lags.get(query.name),
                began=batches.attempt_began,
                sizes=sizes.get(query.name, []),
                losses=[loss for loss in status.losses if loss.query == query.name],
                stall_seconds=stall_seconds,
                trigger=trigger,
                now=now,
            )
            for query in status.queries
        ],
        lag=lag,
        lag_problem=lag_problem,
        disks=disks,
        processes=processes,
    )


def _query(
    status: QueryStatus,
    story: Story,
    *,
    lag: QueryLag | None,
    began: datetime | None,
    sizes: list[Usage],
    losses: list[Loss],
    stall_seconds: float,
    trigger: str,
    now: datetime,
) -> QuerySample:
    last, minute = story.last, story.last_minute(now)
    records = sum(batch.input_rows for batch in minute)
    outputs = [batch.output_rows for batch in minute]
    rejected: dict[str, int] = {}
    for batch in minute:
        for reason, count in batch.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + count
    recent = [batch.seconds for batch in list(story.batches)[-_USUAL_BATCHES:]]
    usual = statistics.median(recent) if recent else None
    return QuerySample(
        name=status.name,
        status=status,
        lag=lag,
        last=last,
        usual_seconds=usual,
        commit_age_seconds=(now - last.at).total_seconds() if last else None,
        not_processing_seconds=not_processing_seconds(story, began=began, now=now),
        stall_window_seconds=stall_window(
            usual, at_least=stall_seconds, trigger=story.trigger or trigger
        ),
        input_per_second=records / _MINUTE_SECONDS if last else None,
        output_per_second=_rate(outputs) if last else None,
        rejected_per_minute=rejected,
        rejected_share=sum(batch.dead_letters for batch in minute) / records if records else None,
        watermark_delay_seconds=(now - last.watermark).total_seconds()
        if last and last.watermark
        else None,
        losses_last_hour=sum(loss.at > now - _HOUR for loss in losses),
        repaired_last_hour=_repaired(story, since=now - _HOUR) if last else None,
        sizes=sizes,
    )


def _repaired(story: Story, *, since: datetime) -> int:
    return sum(batch.repaired_snapshots for batch in story.repaired if batch.at > since)


def _rate(outputs: list[int | None]) -> float | None:
    known = [rows for rows in outputs if rows is not None]
    return sum(known) / _MINUTE_SECONDS if len(known) == len(outputs) else None


def not_processing_seconds(story: Story, *, began: datetime | None, now: datetime) -> float | None:
    """How long nothing has been heard of a query's batches: None before its first start.

    A query that asks Kafka and finds nothing says so every ten seconds (Spark's
    `noDataProgressEventInterval`); as long as it does, this is 0.
    """
    if story.ended:
        return 0.0
    heard = max(filter(None, [story.active_at, began]), default=None)
    if heard is None:
        return None
    silent = _since(heard, now)
    return 0.0 if story.idle and silent < _IDLE_SECONDS else silent


def _since(moment: datetime, now: datetime) -> float:
    return (now - moment).total_seconds()
