"""A backup becomes a new generation: checkpoints and outputs are built in the trash, and put in.

The generation that was current stays as it is, so the way back is `undo` or the pointer.
"""

import os
import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from streamctl.checkpoint.backup import sink
from streamctl.checkpoint.backup.format import Manifest
from streamctl.checkpoint.backup.locks import reading
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.restore import build
from streamctl.checkpoint.change import guards
from streamctl.checkpoint.change.apply import Build, ChangeReport, apply, recover
from streamctl.checkpoint.change.area import Area, held
from streamctl.checkpoint.change.guards import Kafka
from streamctl.checkpoint.change.plan import Kind, Obstacle, Plan, Step, make_plan, require
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.files import local_path
from streamctl.errors import ExitCode, Refused, Unsupported
from streamctl.reports import Event, OnEvent

RESTORE = "restore"


def location_area(location: str) -> Area:
    """The area of a location of ours, which may not be there yet."""
    location = local_path(location) or location
    return Area(Store.open(location), location, has_generations=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is restored, and for whom.

    Attributes:
        repository: of the backup.
        manifest: of a location's backup.
        output: where generations put their output.
        job: entry of the job that will go on.
        keep_rows: begin the output with what readers had at the restored batch; else with nothing.
    """

    repository: Repository
    manifest: Manifest
    output: str
    job: str
    keep_rows: bool = True


def plan_restore(
    area: Area, wanted: Wanted, *, kafka: Kafka | None, now: datetime, why: str = ""
) -> Plan:
    """Plan a generation that goes on from a backup.

    Args:
        area: a location of ours, or where one is to be.
        wanted: what is restored.
        kafka: asked what it still has; None leaves that unknown.
        now: UTC.
        why: the operator's reason.

    Raises:
        Refused: the backup is another job's, or of a bare checkpoint.
        Unsupported: location or output are on an object store.
        BrokerUnreachable, TopicNotFound: Kafka cannot be asked.
    """
    manifest, output = wanted.manifest, wanted.output
    record = _record(manifest, wanted.job)
    current = generations.current(area.store)
    made = replace(
        record, name=_name(area, output), created_at=now,
        why=f"restored from backup {manifest.id}", request="", ending_offsets="", bounded=False,
        output_location="",
    )  # fmt: skip
    positions = log.lowest(query.positions for query in manifest.queries)
    ranges, obstacles = guards.ask(guards.standing_at(positions), kafka)
    return make_plan(
        verb=RESTORE,
        area=area,
        subject=f"generation {made.name} from backup {manifest.id}",
        why=why or f"from backup {manifest.id}",
        now=now,
        steps=_steps(area, manifest, made, output),
        obstacles=[
            *obstacles,
            *guards.same_topics(manifest.topic_ids or record.topic_ids, kafka),
            *_whole(area, manifest, current),
            *guards.space(_nearest(area.location), manifest.size_bytes),
        ],
        facts={
            "backup": manifest.id,
            "repository": wanted.repository.store.url,
            "keep_rows": wanted.keep_rows,
            "generation": made.name,
            "before": current.name if current else "",
            "batches": {query.name: query.batch_id for query in manifest.queries},
            "size_bytes": manifest.size_bytes,
            "starts": ranges,
        },
        notes=tuple(_notes(current, kafka)),
    )


def _name(area: Area, output: str) -> str:
    """A name that neither side has: where the checkpoint was lost, its output is still there."""
    return max(
        generations.next_name(area.store), generations.next_name(Store.open(output)), key=int
    )


def _record(manifest: Manifest, job: str) -> Generation:
    """The generation that was backed up.

    Raises:
        Refused: there is none, or it is another job's.
    """
    if manifest.generation is None:
        raise Refused(
            f"backup {manifest.id} is of a checkpoint by its path",
            hint="Name an empty place with --to.",
        )
    fields = manifest.generation
    if fields["job"] != job:
        raise Refused(
            f'backup {manifest.id} is of job "{fields["job"]}", not "{job}"',
            hint="Restore it with --to, or name the job with --set job.entry=...",
        )
    return Generation(**fields | {"created_at": datetime.fromisoformat(str(fields["created_at"]))})


def _steps(area: Area, manifest: Manifest, made: Generation, output: str) -> Iterable[Step]:
    """Trees first; the pointer is the switch."""
    sinks = local_path(generations.base(output, made.name))
    if not area.store.is_local or sinks is None:
        raise Unsupported(
            f'cannot restore to "{area.location if sinks else output}": nothing can be renamed '
            "there as a whole",
            hint="Restore to a local path with --to, and copy it while no job runs.",
        )
    yield Step(kind=Kind.RESTORE, place=area.store.at(made.name), reason="the checkpoints")
    if any(query.sink_batch_id is not None for query in manifest.queries):
        yield Step(
            kind=Kind.RESTORE, place=sinks, home=sinks, reason="what readers had at that batch"
        )
    reasons = ("the new generation", "the next start uses it")
    for (name, text), reason in zip(generations.files(made).items(), reasons, strict=True):
        place = area.store.at(name)
        yield Step(kind=Kind.WRITE, place=place, reason=reason, written={"": text})


def _whole(area: Area, manifest: Manifest, current: Generation | None) -> Iterable[Obstacle]:
    """A query that the backup lacks would begin from nothing beside the restored ones."""
    there = {query.name for query in manifest.queries}
    lacking = sorted(set(generations.queries(area.store, current.name) if current else ()) - there)
    if lacking:
        yield Obstacle(
            code="query-missing",
            message=f"backup {manifest.id} does not hold {', '.join(lacking)}, which the job runs",
            hint="Choose a backup of the whole job, or restore one query with --query and --to.",
            exit_code=ExitCode.REFUSED,
            overridable=False,
        )


def _nearest(path: str) -> str:
    """The path, or what is there of it."""
    while not os.path.isdir(path):  # noqa: PTH112
        path = posixpath.dirname(path) or "/"
    return path


def _notes(current: Generation | None, kafka: Kafka | None) -> Iterable[str]:
    if current is not None:
        yield f"Generation {current.name} stays as it is: `streamctl checkpoint rotate --back`."
    if kafka is None:
        yield "Kafka was not asked: whether it still has the records is not known."


def builder(
    repository: Repository, manifest: Manifest, *, keep_rows: bool, on_event: OnEvent
) -> Build:
    """What `apply` calls for the trees of a restore's plan.

    It raises as `backup.restore.build` and `backup.sink.begin_sink`.

    Args:
        repository: of the backup.
        manifest: of the backup.
        keep_rows: as of `Wanted`.
        on_event: told of bytes.
    """

    def make(step: Step, slot: str, beat: Callable[[], None]) -> None:
        def told(event: Event) -> None:
            beat()
            on_event(event)

        os.mkdir(slot)  # noqa: PTH102
        with reading(repository.store, what=RESTORE, now=datetime.now(UTC)):
            for query in manifest.queries:
                at, place = f"{slot}/{query.name}", f"{step.place}/{query.name}"
                if step.home:
                    sink.begin_sink(repository, query, place, built_at=at, keep_rows=keep_rows)
                else:
                    build(repository, query, at=at, place=place, on_event=told)
                beat()
        os.sync()

    return make


def restore_generation(area: Area, wanted: Wanted, *, on_event: OnEvent) -> ChangeReport:
    """Plan and do it at once, under the lease, as far as no guard says no.

    Args:
        area: a location of ours, or where one is to be.
        wanted: what is restored.
        on_event: told of bytes.

    Raises:
        Busy: the job runs.
        Refused, Unsupported: see `plan_restore`; or output files are gone.
        NotFound, Malformed, StorageFailed, PartlyDone: of the stores.
    """
    with held(area, RESTORE) as holding:
        recover(area)
        plan = plan_restore(area, wanted, kafka=None, now=datetime.now(UTC))
        require(plan)
        make = builder(
            wanted.repository, wanted.manifest, keep_rows=wanted.keep_rows, on_event=on_event
        )
        return apply(area, plan, holding, build=make)
