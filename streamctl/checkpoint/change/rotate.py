"""A new generation beside the old: nothing is moved, so the way back is the pointer."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamctl.checkpoint.change import guards
from streamctl.checkpoint.change.area import Area, local_sink
from streamctl.checkpoint.change.carry import Carried, carried, carry
from streamctl.checkpoint.change.guards import Kafka
from streamctl.checkpoint.change.plan import Kind, Plan, Step, make_plan
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets
from streamctl.checkpoint.location import generations, journal
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import local_path
from streamctl.checkpoint.tree.keys import count_keys
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.tree.state import Chain, chain, read_operator_metadata, scan
from streamctl.errors import (
    CheckpointNotFound,
    NotFound,
    StreamctlError,
    Unsupported,
)
from streamctl.reports import iso

BACK = "rotate back"
_LOGS = (layout.OFFSETS, layout.COMMITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenState:
    """What a query's operator holds and a rotation gives up.

    Attributes:
        keys: groups, windows or rows that were not finished; None when they cannot be counted.
        watermark: of the last batch: windows that end at or before it are closed and not among
            them; None when the query has none.
    """

    query: str
    operator: str
    keys: int | None
    watermark: datetime | None = None


def open_state(checkpoint: Checkpoint, *, query: str) -> list[OpenState]:
    """What a query's operators hold: unfinished windows, waiting rows, seen keys."""
    ids = checkpoint.log_ids()
    version = ids.committed[-1] + 1 if ids.committed else 0
    watermark = _watermark(checkpoint, ids.committed[-1]) if ids.committed else None
    found = []
    for operator in scan(checkpoint.files):
        metadata = read_operator_metadata(checkpoint.files, operator)
        total: int | None = 0
        for store in operator.stores:
            keys = _keys(checkpoint, store, version)
            total = None if total is None or keys is None else total + keys
        name = metadata.name if metadata else f"operator {operator.operator_id}"
        found.append(OpenState(query=query, operator=name, keys=total, watermark=watermark))
    return found


def _watermark(checkpoint: Checkpoint, batch_id: int) -> datetime | None:
    """That of a batch, by which it closed windows (Spark `WatermarkSupport`)."""
    try:
        return checkpoint.offsets(batch_id).watermark
    except (StreamctlError, FileNotFoundError):
        return None


def _keys(checkpoint: Checkpoint, store: Any, version: int) -> int | None:
    whole = chain(store, version)
    if not isinstance(whole, Chain):
        return None
    try:
        counted = count_keys(checkpoint.files, store, whole)
    except (StreamctlError, FileNotFoundError):
        return None
    return counted.keys if counted.at_version == version else None


def plan_rotate(
    area: Area,
    *,
    job: str,
    starting: KafkaOffsets | None,
    topic_ids: Mapping[str, str],
    sinks: Mapping[str, str],
    kafka: Kafka | None,
    why: str,
    now: datetime,
) -> Plan:
    """Plan a new generation.

    Args:
        area: a location of ours.
        job: entry of the job that will run it.
        starting: offsets to begin with; None carries those of the current generation.
        topic_ids: of the broker now.
        sinks: query -> output of its file sink.
        kafka: asked what it still has; None leaves that unknown.
        why: the operator's reason.
        now: UTC.

    Raises:
        CheckpointNotFound: no generation yet, or nothing committed that could be carried.
        Unsupported: a source is not Kafka.
        BrokerUnreachable, TopicNotFound: Kafka cannot be asked.
    """
    old = _current(area)
    moves = carry(area, old, sinks) if starting is None else []
    positions = log.lowest(item.positions for item in moves) if starting is None else starting
    if not positions:
        raise CheckpointNotFound("there is no position to carry", hint="Give --from.")
    new = Generation(
        name=generations.next_name(area.store),
        created_at=now,
        job=job,
        starting_offsets=json.dumps(
            {topic: {str(p): o for p, o in parts.items()} for topic, parts in positions.items()}
        ),
        topic_ids=dict(topic_ids) or old.topic_ids,
        why=why or "rotate",
    )
    ranges, obstacles = guards.ask(guards.standing_at(positions), kafka)
    changed = guards.same_topics(old.topic_ids, kafka) if starting is None else []
    given_up = [
        state
        for query, checkpoint in _checkpoints(area, old.name)
        for state in open_state(checkpoint, query=query)
    ]
    return make_plan(
        verb="rotate",
        area=area,
        subject=f"generation {new.name} after {old.name}",
        why=why,
        now=now,
        steps=_steps(area, new, moves),
        watched=_read(area, old, sinks) if starting is None else (),
        obstacles=[*obstacles, *changed],
        facts={
            "generation": new.name,
            "before": old.name,
            "carried": [
                {"query": item.query, "batch_id": item.batch_id} for item in moves if item.query
            ],
            "starts": ranges,
            "open_state": given_up,
        },
        notes=tuple(_notes(old, given_up, kafka)),
    )


def _read(area: Area, old: Generation, sinks: Mapping[str, str]) -> Iterable[str]:
    """Logs that say where each query goes on: a batch after the plan would be read again."""
    for query in generations.queries(area.store, old.name):
        yield from (area.store.at(f"{old.name}/{query}/{log}") for log in _LOGS)
        if area.store.is_local and (sink := local_path(sinks.get(query, ""))):
            yield f"{sink}/{layout.SINK_LOG}"


def _steps(area: Area, new: Generation, moves: list[Carried]) -> list[Step]:
    """Seeds and record first; the pointer is the switch."""
    written = {f"{item.query}/{path}": text for item in moves for path, text in item.seeds.items()}
    place = area.store.at(new.name)
    reason = "each query goes on where the old one stopped"
    steps = []
    if area.store.is_local and written:
        steps.append(Step(kind=Kind.CREATE, place=place, reason=reason, written=written))
    else:
        steps += [
            Step(kind=Kind.WRITE, place=f"{place}/{path}", reason=reason, written={"": text})
            for path, text in written.items()
        ]
    reasons = ("the new generation", "the next start uses it")
    for (name, text), why in zip(generations.files(new).items(), reasons, strict=True):
        step = Step(kind=Kind.WRITE, place=area.store.at(name), reason=why, written={"": text})
        steps.append(step)
    return steps


def _notes(old: Generation, given_up: list[OpenState], kafka: Kafka | None) -> Iterable[str]:
    yield f"Generation {old.name} stays as it is: `streamctl checkpoint rotate --back`."
    for state in given_up:
        if state.keys != 0:
            count = "an unknown number of" if state.keys is None else state.keys
            after = state.watermark
            which = f"; the watermark {iso(after)} closed the others" if after else ""
            yield f"{state.query}: {count} open groups of {state.operator} are given up{which}."
    if given_up:
        yield (
            "The watermark begins anew, and a window that spans the seam has a row in both "
            "outputs, each with its part."
        )
    if kafka is None:
        yield "Kafka was not asked: whether it still has the records is not known."


def _current(area: Area) -> Generation:
    generation = generations.current(area.store) if area.has_generations else None
    if generation is None:
        raise CheckpointNotFound(
            f'no generation is current in "{area.location}"', hint="`streamctl start` makes one."
        )
    return generation


def _checkpoints(area: Area, generation: str) -> list[tuple[str, Checkpoint]]:
    found = []
    for query in generations.queries(area.store, generation):
        place = f"{area.location.rstrip('/')}/{generation}/{query}"
        try:
            found.append((query, Checkpoint.open(place)))
        except CheckpointNotFound:
            continue  # made, and ended before its first file
    return found


def _before(area: Area, old: Generation) -> str:
    """The generation to go back to; "" for none."""
    there = [
        name
        for name in generations.recorded(area.store)
        if name != old.name and generations.queries(area.store, name)
    ]
    for _, entry in reversed(list(journal.named_entries(area.store))):
        facts = entry.after.get("facts", entry.after)
        if entry.verb != BACK and facts.get("generation") == old.name:
            came = facts.get("before") or entry.before.get("generation", "")
            if came in there:
                return str(came)
    lower = [name for name in there if int(name) < int(old.name)]
    return next((n for n in reversed(lower) if not generations.read(area.store, n).request), "")


class NoGenerationBefore(NotFound):
    """There is no way back."""


def plan_back(area: Area, *, why: str, now: datetime) -> Plan:
    """Plan to point to the generation that the current one came after.

    The journal knows it. Where it does not, it is the one with the number before; what a
    reprocessing makes is no way back.

    Raises:
        CheckpointNotFound: no generation yet.
        NoGenerationBefore: the current one is the first, or the others were pruned.
    """
    old = _current(area)
    to = _before(area, old)
    if not to:
        raise NoGenerationBefore(
            f"there is no generation before {old.name}",
            hint="`streamctl checkpoint journal` tells what became of it.",
        )
    pointer = Step(
        kind=Kind.WRITE,
        place=area.store.at(generations.POINTER),
        reason="the next start uses it",
        written={"": generations.pointer_to(to)},
    )
    return make_plan(
        verb=BACK,
        area=area,
        subject=f"generation {to} instead of {old.name}",
        why=why,
        now=now,
        steps=[pointer],
        facts={"generation": to, "before": old.name},
        notes=(
            f"What generation {old.name} has read is read again, into the output of {to}.",
            f"Generation {old.name} stays as it is.",
        ),
    )


def plan_rotate_bare(
    area: Area, *, kafka: Kafka | None, why: str, now: datetime, sink: str = ""
) -> Plan:
    """Plan to empty a checkpoint that Spark alone made, but for the offsets where it goes on.

    Args:
        area: of the checkpoint.
        kafka: asked what it still has; None leaves that unknown.
        why: the operator's reason.
        now: UTC.
        sink: output directory that the file sink will have, a new one; "" when none is known.

    Raises:
        CheckpointNotFound: nothing committed.
        Unsupported: a source is not Kafka, or the checkpoint is on an object store.
    """
    path = local_path(area.location)
    if path is None:
        raise Unsupported(f'"{area.location}" is on an object store, which has no rename')
    sink = local_sink(sink)
    checkpoint = Checkpoint.open(path)
    name = os.path.basename(path)  # noqa: PTH119
    item = carried(checkpoint, query=name)
    ranges, obstacles = guards.ask(guards.standing_at(item.positions), kafka)
    given_up = open_state(checkpoint, query=name)
    return make_plan(
        verb="rotate",
        area=area,
        subject=path,
        why=why,
        now=now,
        steps=[
            Step(
                kind=Kind.CREATE,
                place=path,
                reason="empty, but for the offsets where it goes on",
                written=item.seeds,
            )
        ],
        obstacles=[*obstacles, *guards.sink_is_new(sink)],
        facts={
            "carried": [{"query": item.query, "batch_id": item.batch_id}],
            "starts": ranges,
            "open_state": given_up,
        },
        notes=("The old checkpoint is in the trash: `streamctl checkpoint undo` brings it back.",),
    )
