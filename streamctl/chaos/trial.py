"""One experiment from the start of its job to its verdict."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from streamctl.chaos.chapters import whole_account
from streamctl.chaos.effects import Effects
from streamctl.chaos.evidence import Aimed, End, Evidence, write_evidence
from streamctl.chaos.experiment import Activity, Experiment
from streamctl.chaos.feed import Flow
from streamctl.chaos.journal import Journal, failed
from streamctl.chaos.operated import Operated
from streamctl.chaos.run import Means, run_experiment, run_step, undo
from streamctl.chaos.stage import Stage
from streamctl.chaos.subject import WINDOWS, Subject
from streamctl.chaos.verbs import table
from streamctl.chaos.verbs.checkpoint import VERIFY
from streamctl.chaos.verbs.job import KILL_AT
from streamctl.chaos.verdict import Judgement, judge
from streamctl.chaos.watch import Watch, batches, launched, set_to
from streamctl.errors import StreamctlError
from streamctl.reports import Event, OnEvent, Verdict, as_json, ignore
from streamctl.rundir.files import replace_file

EFFECTS = "effects.jsonl"
_DRAIN_SECONDS = 240.0
_SETTLE_SECONDS = 2.0
"""Watched before the hypothesis is, so that there is a usual state to compare with."""


def run_trial(
    stage: Stage,
    experiment: Experiment,
    *,
    directory: Path,
    seed: int,
    on_event: OnEvent = ignore,
) -> Judgement:
    """Start a job, do the experiment to it, account for every record, and judge.

    Args:
        stage: the broker and the proxy.
        experiment: what to do.
        directory: new; journal, evidence and verdict stay there, the job's data do not.
        seed: of the records.
        on_event: hears of each step.

    Raises:
        StreamctlError: the job could not be started or prepared; nothing was tried.
    """
    subject = Subject(directory, stage, job=experiment.job, seed=seed)
    setting_up = means_for(subject, directory / "before.jsonl", on_event=on_event)
    try:
        subject.prepare()
        for activity in experiment.before:
            step = run_step(activity, setting_up)
            if step.error:
                raise StreamctlError(step.error)
        evidence = _observe(subject, experiment, on_event=on_event)
    finally:
        subject.clean()
        undone = undo(setting_up)
    left = [*evidence.not_changed_back, *failed(undone)]
    return conclude(replace(evidence, not_changed_back=left), directory)


def means_for(subject: Operated, effects: Path, *, on_event: OnEvent) -> Means:
    """The engine's hands: our verbs, done to this subject."""
    return means_by(partial(table.perform, subject), effects, on_event=on_event)


def means_by(perform: Callable[[Activity], Any], effects: Path, *, on_event: OnEvent) -> Means:
    """The same for any hands, by the real clock; the journal is beside the record of effects."""
    return Means(
        perform=perform,
        part_of=table.part_of,
        undo_of=table.undo_of,
        effects=Effects(effects),
        save=partial(_save, effects.with_name("journal.json")),
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        on_event=on_event,
    )


def _save(path: Path, journal: Journal) -> None:
    replace_file(path, json.dumps(as_json(journal), indent=1, default=str) + "\n")


def _observe(subject: Subject, experiment: Experiment, *, on_event: OnEvent) -> Evidence:
    """Let it run, break it, let it recover, stop it, and gather what was seen."""
    flow = Flow()
    on_event(Event(message=f"{experiment.name}: the job starts"))
    subject.must("start")
    subject.feed.start(flow)
    watch = Watch(subject)
    watch.start()
    try:
        time.sleep(_SETTLE_SECONDS)
        means = means_for(subject, subject.directory / EFFECTS, on_event=on_event)
        journal = run_experiment(experiment, means)
        subject.feed.stop()
        on_event(Event(message=f"{experiment.name}: the rest is read, then all is accounted for"))
        drained = subject.drain(_DRAIN_SECONDS)
    finally:
        watch.stop()
    evidence = replace(
        seen(subject, experiment, journal, watch, rate=flow.rate),
        signs=_signs(journal),
        deleted={query: len(places) for query, places in subject.gone.items()},
        told_deleted=_told_deleted(subject),
        unknown="" if drained else "the job did not read the rest in time",
    )
    try:
        end = _stop(subject, watch)
        must, found = whole_account(subject)
    except StreamctlError as error:
        return replace(evidence, unknown=error.message)
    return replace(evidence, must=must, found=found, end=end)


def seen(
    subject: Operated, experiment: Experiment, journal: Journal, watch: Watch, *, rate: float
) -> Evidence:
    """What was seen of any job, own or not, but for its records; `rate` in records a second."""
    windows, letters = batches(subject)
    fault, touched = journal.fault, journal.touched
    return Evidence(
        experiment=experiment.name,
        title=experiment.title,
        ended_how=journal.ended or "",
        deviated=journal.deviated,
        touched=touched.timestamp() if touched else None,
        began=fault[0].timestamp() if fault else None,
        ended=fault[1].timestamp() if fault else None,
        crashed=subject.crashed or watch.crashes > 0,
        rate=rate,
        expects=dict(experiment.expects),
        samples=watch.samples,
        batches=windows,
        letters=letters,
        launched=launched(subject),
        set_to=set_to(subject),
        aimed=_aimed(journal),
        unmet=[f"{s.name}: {s.output}" for s in journal.method if s.within is False],
        failed=failed([*journal.steady_before, *journal.method]),
        not_changed_back=failed(journal.rollbacks),
    )


def conclude(evidence: Evidence, directory: Path) -> Judgement:
    """Judge, and keep evidence and verdict."""
    write_evidence(directory / "evidence.json", evidence)
    judgement = judge(evidence)
    replace_file(directory / "verdict.json", json.dumps(as_json(judgement), indent=1) + "\n")
    return judgement


def _aimed(journal: Journal) -> list[Aimed]:
    """What became of each kill at a phase."""
    return [Aimed(**s.output) for s in journal.method if s.verb == KILL_AT and s.output]


def _signs(journal: Journal) -> dict[str, float]:
    """When `verify` first found damage."""
    found = [
        step.ended_at.timestamp()
        for step in journal.method
        if step.verb == VERIFY and step.output and step.output["status"] != Verdict.OK
    ]
    return {"verify": found[0]} if found else {}


def _told_deleted(subject: Subject) -> dict[str, int]:
    """Query -> records that the job told were passed over."""
    told: Counter[str] = Counter()
    for loss in subject.run.losses():
        told[loss.query] += loss.records or 0
    return dict(told)


def _stop(subject: Subject, watch: Watch) -> End:
    """Stop in order, and set what is told against the logs."""
    answer = subject.streamctl("stop")
    if answer.data is None:
        raise StreamctlError(f"the job could not be stopped: {answer.reason}")
    told = {query["name"]: query["committed_batch_id"] for query in answer.data["queries"]}
    ids = subject.checkpoint().log_ids()
    committed = ids.committed
    return End(
        outcome=answer.data["outcome"],
        told_batch=told.get(WINDOWS),
        true_batch=committed[-1] if committed else None,
        planned_batch=ids.planned[-1] if ids.planned else None,
        missing_commits=committed[-1] - committed[0] + 1 - len(committed) if committed else 0,
        drivers=watch.drivers,
        restarts=watch.restarts,
    )
