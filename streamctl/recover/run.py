"""Applies a remedy, starts the job and watches its first batches."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change.area import area_of, held, target
from streamctl.checkpoint.change.plan import Plan, require
from streamctl.checkpoint.change.rewind import plan_rewind
from streamctl.errors import NotFound, PartlyDone, Refused, StreamctlError
from streamctl.kafka.client import Broker
from streamctl.lifecycle.carrying import plan_carrying
from streamctl.lifecycle.first_batches import is_working, watch_first_batches
from streamctl.lifecycle.restoring import restore_to_job
from streamctl.lifecycle.start import StartReport, start
from streamctl.observe.status import StatusReport, read_status
from streamctl.poison.find import Outcome as PoisonOutcome
from streamctl.poison.find import Search, failing_batch, find_poison, quarantine_poison
from streamctl.recover.evidence import Evidence, look
from streamctl.recover.propose import Proposal, Remedy, propose
from streamctl.reports import Event, OnEvent, Verdict, ignore
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from streamctl.supervisor.backups import repository_of

_WHY = "recover"


class Outcome(StrEnum):
    """How a recovery ended."""

    RECOVERED = "recovered"
    ALREADY_RUNNING = "already_running"
    PROPOSED = "proposed"
    """Nothing was done: only shown, or for a person to mend."""
    FAILED = "failed"
    """The job was started and does not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What was found and done.

    Attributes:
        undo: commands that reverse what was changed, last change first.
        watched_seconds: how long the first batches were watched.
    """

    outcome: Outcome
    verdict: Verdict
    evidence: Evidence
    proposal: Proposal
    undo: list[str]
    started: StartReport | None
    status: StatusReport | None
    watched_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be recovered.

    Attributes:
        project: working directory of the driver.
    """

    run: RunDirectory
    settings: Settings
    project: Path


def recover(
    job: Job,
    *,
    agree: Callable[[Proposal], None],
    dry_run: bool,
    watch_seconds: float,
    on_event: OnEvent = ignore,
) -> Recovery:
    """Look, propose, and if the operator agrees apply the remedy, start and watch.

    Args:
        job: what is to be recovered.
        agree: asks the operator; raises when the answer is no.
        dry_run: end with the proposal.
        watch_seconds: how long the first batches may take to show that it works.
        on_event: told of each step.

    Raises:
        Refused: the operator says no; nothing was changed.
        StreamctlError: the remedy failed, and everything is as it was; or the job did not start.
    """
    evidence = look(job.run, job.settings, project=job.project, on_event=on_event)
    proposal = propose(evidence)
    if proposal.remedy is Remedy.NOTHING:
        status = read_status(job.run)
        return _report(Outcome.ALREADY_RUNNING, evidence, proposal, status=status)
    if dry_run or proposal.remedy is Remedy.MEND:
        return _report(Outcome.PROPOSED, evidence, proposal)
    agree(proposal)
    undo = _apply(job, evidence, proposal, on_event=on_event)
    try:
        started = start(job.run, job.settings, project=job.project, on_event=on_event)
    except StreamctlError as error:
        if not undo:
            raise
        raise PartlyDone(
            f"the checkpoint was changed, and the job does not start: {error.message}",
            hint=f"{error.hint} `{undo[0]}` brings the checkpoint back.".strip(),
        ) from error
    began = time.monotonic()
    status = watch_first_batches(job.run, seconds=watch_seconds, on_event=on_event)
    works = is_working(status)
    return _report(
        Outcome.RECOVERED if works else Outcome.FAILED,
        evidence,
        proposal,
        undo=undo,
        started=started,
        status=status,
        watched_seconds=round(time.monotonic() - began, 3),
    )


def _report(
    outcome: Outcome,
    evidence: Evidence,
    proposal: Proposal,
    *,
    undo: list[str] | None = None,
    started: StartReport | None = None,
    status: StatusReport | None = None,
    watched_seconds: float = 0.0,
) -> Recovery:
    if outcome is Outcome.PROPOSED:
        verdict = Verdict.PROBLEM
    elif status is not None:
        verdict = status.verdict if outcome is not Outcome.FAILED else Verdict.PROBLEM
    else:
        verdict = Verdict.UNKNOWN
    return Recovery(
        outcome=outcome,
        verdict=verdict,
        evidence=evidence,
        proposal=proposal,
        undo=undo or [],
        started=started,
        status=status,
        watched_seconds=watched_seconds,
    )


def _apply(job: Job, evidence: Evidence, proposal: Proposal, *, on_event: OnEvent) -> list[str]:
    """Do what comes before the start; return the commands that reverse it."""
    settings, remedy = job.settings, proposal.remedy
    if remedy is Remedy.RESTORE:
        restore_to_job(settings, repository_of(settings), evidence.backup, on_event=on_event)
        return ["streamctl checkpoint rotate --back"]
    if remedy is Remedy.QUARANTINE:
        return _quarantine(job, on_event=on_event)
    area = area_of(settings.checkpoint.location)
    plans: list[Callable[[], Plan]] = []
    if remedy is Remedy.REWIND:
        plans = [_rewind(settings, query, batch) for query, batch in proposal.rewinds.items()]
    elif remedy is Remedy.ROTATE:
        plans = [lambda: plan_carrying(settings, area, why=_WHY)]
    undo: list[str] = []
    for make in plans:
        with held(area, _WHY) as holding:
            changes.recover(area)
            plan = make()
            require(plan)
            on_event(Event(message=f"{plan.verb} {plan.subject}"))
            undo.insert(0, changes.apply(area, plan, holding).undo)
    return undo


def _rewind(settings: Settings, query: str, batch_id: int) -> Callable[[], Plan]:
    def make() -> Plan:
        place = target(settings.checkpoint.location, query=query, output=settings.output.location)
        return plan_rewind(place, batch_id, why=_WHY, now=datetime.now(UTC))

    return make


def _quarantine(job: Job, *, on_event: OnEvent) -> list[str]:
    """Set aside what the batch fails on; nothing where it runs by now, or was never planned.

    Raises:
        Refused: it fails, and not on single records: a start would end the same way.
    """
    settings = job.settings
    area = area_of(settings.checkpoint.location)
    with held(area, _WHY) as holding, Broker.of(settings.kafka) as kafka:
        changes.recover(area)
        search = Search(
            area=area,
            settings=settings,
            project=job.project,
            most=settings.poison.max_records,
            seconds=settings.poison.search_seconds,
            beat=holding.beat,
            on_event=on_event,
        )
        try:
            batch = failing_batch(search, job.run, query="")
        except NotFound as error:
            on_event(Event(message=error.message))
            return []
        found = find_poison(search, batch)
        found = quarantine_poison(search, found, kafka, holding, why=_WHY)
    if found.outcome not in {PoisonOutcome.RUNS, PoisonOutcome.QUARANTINED}:
        raise Refused(
            f"batch {found.batch_id} of {found.query} fails on: {found.fault}",
            hint="`streamctl poison find` shows the error; the job was not started.",
        )
    return [found.undo] if found.undo else []
