"""The whole of it: take the failing batch, search, and if that is wanted set aside what was found.

The lease is held throughout, so that nothing runs on the checkpoint meanwhile. Killed at any point
it leaves the checkpoint as it was, and scratch files that the next search takes away.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change.area import Area, Held
from streamctl.checkpoint.change.plan import require
from streamctl.checkpoint.location import generations, quarantine
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.quarantine import Quarantined
from streamctl.errors import CheckpointNotFound, NotFound, SettingsInvalid, Unsupported
from streamctl.kafka.client import Broker
from streamctl.poison.batch import Part, PlannedBatch, planned_batches
from streamctl.poison.quarantine import copy_all, plan_quarantine
from streamctl.poison.search import Error, Fault, Findings, Span, search
from streamctl.poison.trial import Trials
from streamctl.reports import Event, OnEvent, Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Failure
from streamctl.settings.model import Settings

_SCRATCH = "_streamctl/poison"


class Outcome(StrEnum):
    """How a search ended."""

    RUNS = "runs"
    """The batch does not fail now."""
    FOUND = "found"
    QUARANTINED = "quarantined"
    NOT_A_RECORD = "not_a_record"
    """It fails, and no single records are at fault."""
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonReport:
    """What a batch fails on.

    Attributes:
        outcome: what it comes to.
        fault: what was found, exactly.
        records: offsets in the batch.
        parts: its ranges.
        poison: the records at fault, each with the error that it alone makes.
        error: of the smallest part of the batch that failed; None where none did.
        failed_range: that part.
        trials: how often a part of the batch was run.
        undo: command that shows the job the records again; empty when none was set aside.
    """

    verdict: Verdict
    outcome: Outcome
    fault: Fault
    query: str
    batch_id: int
    records: int
    parts: list[Part]
    poison: list[Quarantined]
    error: Error | None
    failed_range: list[Part]
    trials: int
    seconds: float
    undo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Where and how to search.

    Attributes:
        area: of the checkpoint location; its lease is held.
        project: working directory of the Spark child.
        most: records that may be at fault.
        seconds: how long it may take.
        beat: called now and then; what it raises ends the search.
    """

    area: Area
    settings: Settings
    project: Path
    most: int
    seconds: float
    beat: Callable[[], None]
    on_event: OnEvent

    @property
    def generation(self) -> Generation:
        """The one that is searched.

        Raises:
            CheckpointNotFound: none was started yet.
        """
        current = generations.current(self.area.store)
        if current is None:
            raise CheckpointNotFound(
                f'no job was ever started on "{self.area.location}"',
                hint="`streamctl start` starts one.",
            )
        return current


def failing_batch(search_: Search, run: RunDirectory, *, query: str) -> PlannedBatch:
    """The batch to search in: of the query that is named, or that failed, or of the only one.

    Raises:
        NotFound: no batch was planned and not committed.
        SettingsInvalid: several queries have one, and none is named.
    """
    found = planned_batches(search_.area.store, search_.generation)
    failure = run.read(Failure)
    name = query or (failure.query if failure and failure.query else "")
    chosen = [batch for batch in found if batch.query == name or not name]
    if not chosen:
        raise NotFound(
            f"no batch of {name or 'any query'} was planned and not committed",
            hint="There is nothing to search in: `streamctl recover` says what stands in the way.",
        )
    if len(chosen) > 1:
        names = ", ".join(batch.query for batch in chosen)
        raise SettingsInvalid(
            f"{names} each have a batch that is not committed", hint="Name one with --query."
        )
    return chosen[0]


def find_poison(search_: Search, batch: PlannedBatch) -> PoisonReport:
    """Search one batch. Nothing is changed.

    Raises:
        Unsupported: the checkpoint is on an object store.
        StreamctlError: Java, jars or storage fail.
    """
    began = time.monotonic()
    generation = search_.generation
    hidden = [
        Part(**part)
        for part in quarantine.hidden(quarantine.read(search_.area.store), generation.topic_ids)
    ]
    with (
        _scratch(search_.area) as scratch,
        Trials(
            batch,
            search_.settings,
            hidden=hidden,
            scratch=scratch,
            project=search_.project,
            until=began + search_.seconds,
            beat=search_.beat,
            on_event=search_.on_event,
        ) as trials,
    ):

        def trial(spans: Sequence[Span]) -> Error | None:
            shown = sum(end - start for start, end in spans)
            told = f"running batch {batch.batch_id} of {batch.query} with {shown:,} records"
            search_.on_event(Event(message=told))
            return trials(spans)

        found = search(batch.records, trial, most=search_.most)
    return _report(batch, found, generation, seconds=time.monotonic() - began)


@contextmanager
def _scratch(area: Area) -> Iterator[Path]:
    """An empty directory beside the checkpoint, for hard links; what a dead search left goes.

    Raises:
        Unsupported: the checkpoint is on an object store.
    """
    if not area.store.is_local:
        raise Unsupported(
            f'the checkpoint "{area.location}" is on an object store',
            hint="Copy it to a local place, and search there with --set checkpoint.location=PATH.",
        )
    place = Path(area.store.at(_SCRATCH))
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _report(
    batch: PlannedBatch, found: Findings, generation: Generation, *, seconds: float
) -> PoisonReport:
    outcome, verdict = _OUTCOMES[found.fault]
    return PoisonReport(
        verdict=verdict,
        outcome=outcome,
        fault=found.fault,
        query=batch.query,
        batch_id=batch.batch_id,
        records=batch.records,
        parts=list(batch.parts),
        poison=[
            _named(batch, number, error, generation)
            for number, error in sorted(found.records.items())
        ],
        error=found.error,
        failed_range=batch.within([found.range]),
        trials=found.trials,
        seconds=round(seconds, 1),
    )


_OUTCOMES = {
    Fault.NONE: (Outcome.RUNS, Verdict.OK),
    Fault.RECORDS: (Outcome.FOUND, Verdict.PROBLEM),
    Fault.NO_RECORD: (Outcome.NOT_A_RECORD, Verdict.PROBLEM),
    Fault.TOGETHER: (Outcome.NOT_A_RECORD, Verdict.PROBLEM),
    Fault.TOO_MANY: (Outcome.NOT_A_RECORD, Verdict.PROBLEM),
    Fault.NOT_KNOWN: (Outcome.UNFINISHED, Verdict.UNKNOWN),
}


def _named(batch: PlannedBatch, number: int, error: Error, generation: Generation) -> Quarantined:
    place = batch.place(number)
    return Quarantined(
        topic=place.topic,
        topic_id=generation.topic_ids.get(place.topic, ""),
        partition=place.partition,
        offset=place.start,
        query=batch.query,
        batch_id=batch.batch_id,
        condition=error.condition,
        message=error.message,
        at=datetime.now(UTC),
    )


def quarantine_poison(
    search_: Search, found: PoisonReport, broker: Broker, held: Held, *, why: str
) -> PoisonReport:
    """Set aside what a search has found: dead letters first, then the job is shown it no more.

    Returns:
        The same, with how to undo it; unchanged where the search names no records.

    Raises:
        NotDelivered: a dead letter was not confirmed; nothing was changed.
        Refused: the location has changed meanwhile.
        StorageFailed: everything is as it was.
    """
    if found.outcome is not Outcome.FOUND:
        return found
    kafka = search_.settings.kafka
    plan = plan_quarantine(
        search_.area,
        found.poison,
        why=why,
        now=datetime.now(UTC),
        dead_letter_topic=kafka.dead_letters,
    )
    require(plan)
    copy_all(broker, found.poison, to=kafka.dead_letters, job=search_.settings.job.entry)
    done = changes.apply(search_.area, plan, held)
    return replace(found, outcome=Outcome.QUARANTINED, verdict=Verdict.OK, undo=done.undo)
