"""Close what is open: one last batch without records, under a watermark beyond all event times.

A watermark moves only with records, so that the last windows of a query stay open for ever. Spark
runs a planned batch that has no commit again with what its entry in the offset log says, watermark
included. So the closing batch is planned here: the same offsets as the batch before, and a
watermark at the end of the calendar. The next start runs it as any other: state is evicted, its
rows go to the sink, exactly once. A batch that was planned and not committed gives way to it,
unless the sink has it already: its records are read after the rotation.

Batches after it belong to nobody: a rotation carries on from the closing batch, and whatever ran
later is read again by the new generation. They write nothing, because every record is late.

Follows `MicroBatchExecution.populateStartOffsets` (watermark of a planned batch) and
`IncrementalExecution` (late events go by the watermark of the batch before).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from streamctl.checkpoint.change import guards, preview
from streamctl.checkpoint.change.area import Area
from streamctl.checkpoint.change.plan import Item, Kind, Obstacle, Plan, Step, make_plan
from streamctl.checkpoint.change.sink_steps import newest_logged
from streamctl.checkpoint.change.walk import sizes
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.reader import Checkpoint, LogIds
from streamctl.errors import CheckpointNotFound, ExitCode, Unsupported

END_OF_TIME_MS = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp() * 1000)


def closing_batch(checkpoint: Checkpoint, ids: LogIds) -> int | None:
    """The batch that closed everything; None when the query was not drained."""
    found = None
    for batch_id in reversed(ids.committed):
        if batch_id not in ids.planned:
            break
        if checkpoint.offsets(batch_id).watermark_ms < END_OF_TIME_MS:
            break
        found = batch_id
    return found


def plan_drain(area: Area, *, sinks: Mapping[str, str], why: str, now: datetime) -> Plan:
    """Plan the closing batch of every query of the current generation that has a watermark.

    Args:
        area: a location of ours.
        sinks: query -> output of its file sink.
        why: the operator's reason.
        now: UTC.

    Raises:
        CheckpointNotFound: no generation yet.
        Unsupported: not on a local filesystem.
        Malformed, Unsupported: an entry cannot be read.
    """
    current = generations.current(area.store) if area.has_generations else None
    if current is None:
        raise CheckpointNotFound(f'no generation is current in "{area.location}"')
    if not area.store.is_local:
        raise Unsupported(f'"{area.location}" is on an object store, which has no rename')
    steps, obstacles, closing = [], [], {}
    for query in generations.queries(area.store, current.name):
        place = area.store.at(f"{current.name}/{query}")
        try:
            checkpoint = Checkpoint.open(place)
        except CheckpointNotFound:
            continue
        ids = checkpoint.log_ids()
        if not _is_open(checkpoint, ids):
            continue
        obstacles += list(_unfinished(query, ids, sinks.get(query, "")))
        step = _step(place, checkpoint, ids, now)
        obstacles += guards.starts(preview.checkpoint(step))
        closing[query] = _next(ids)
        steps.append(step)
    return make_plan(
        verb="drain",
        area=area,
        subject=f"generation {current.name}",
        why=why,
        now=now,
        steps=steps,
        obstacles=obstacles,
        facts={"closing_batches": closing},
        notes=("The next start runs the closing batch; records after it are all late.",),
    )


def _is_open(checkpoint: Checkpoint, ids: LogIds) -> bool:
    """It keeps state, goes by a watermark, and was not drained."""
    if not ids.committed or ids.committed[-1] not in ids.planned or not checkpoint.has_state():
        return False
    return 0 < checkpoint.offsets(ids.committed[-1]).watermark_ms < END_OF_TIME_MS


def _next(ids: LogIds) -> int:
    return ids.committed[-1] + 1 if ids.committed else 0


def _unfinished(query: str, ids: LogIds, sink: str) -> Iterable[Obstacle]:
    written = newest_logged(sink)
    if _next(ids) < ids.planned[-1] or (written is not None and written >= _next(ids)):
        yield Obstacle(
            code="planned-batch",
            message=f'query "{query}" has planned batch {ids.planned[-1]} and not committed it',
            hint="Start the job, let it commit that batch, and stop it.",
            exit_code=ExitCode.REFUSED,
            overridable=False,
        )


def _step(place: str, checkpoint: Checkpoint, ids: LogIds, now: datetime) -> Step:
    newest = checkpoint.offsets(ids.committed[-1])
    closing = replace(newest, watermark_ms=END_OF_TIME_MS, timestamp_ms=int(now.timestamp() * 1000))
    name = f"{layout.OFFSETS}/{_next(ids)}"
    there = sizes(place)
    return Step(
        kind=Kind.REBUILD,
        place=place,
        reason="a batch without records, after all event times",
        removed=tuple(
            Item(path=path, size_bytes=there[path], reason="checksum of the planned batch")
            for path in layout.sidecars(name)
            if path in there
        ),
        written={name: log.format_offsets(closing).decode()},
        kept_files=len(there),
        kept_bytes=sum(there.values()),
    )
