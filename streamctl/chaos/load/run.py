"""A load run from its broker to its report. Each figure is noted at once, and never taken twice."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamctl.chaos.cleanup import end_what_was_left
from streamctl.chaos.feed import Flow
from streamctl.chaos.load.judge import judge
from streamctl.chaos.load.measure import measure_step, warm_up
from streamctl.chaos.load.model import REPORT, WORDS, LoadReport, Plan, Step
from streamctl.chaos.load.notes import Notes, unfinished
from streamctl.chaos.load.recovery import keeps_state, recover, recoveries
from streamctl.chaos.load.search import search
from streamctl.chaos.owner import owned
from streamctl.chaos.stage import Stage
from streamctl.chaos.subject import Subject
from streamctl.chaos.surroundings import surroundings
from streamctl.chaos.watch import Watch
from streamctl.reports import Event, OnEvent, as_json, ignore, iso
from streamctl.rundir.files import replace_file

_CONFIRMED = 0.9
_JOB: dict[str, Any] = {"kafka.max_offsets_per_trigger": 200_000, "spark.driver_memory": "1g"}


def run_load(
    plan: Plan,
    *,
    base: Path,
    flow: Flow,
    settings: Mapping[str, Any],
    command: str = "streamctl load run",
    on_event: OnEvent = ignore,
) -> LoadReport:
    """Bring up a broker and a job, try rates, kill the driver, take all down.

    A run that was interrupted is gone on with when the same is asked again.

    Args:
        plan: which rates, and how long.
        base: of all load runs; figures stay there.
        flow: what is sent, but for its rate.
        settings: of the job, over ours; flat keys.
        command: runs it again, for the report.
        on_event: hears of each step.

    Raises:
        Busy: it is being run.
        SettingsInvalid: a mix of records that is none.
        DeadlinePassed: the job did not read what it was sent.
        StreamctlError: the job could not be started.
    """
    flow.mix(seed=0).reasons()  # a mistake is told before anything is made
    notes = _notes(plan, base=base, flow=flow, settings=settings, on_event=on_event)
    with owned(notes.directory), _stage(notes.directory, on_event=on_event) as stage:
        rig = _Rig(stage, notes, plan, flow=flow, settings={**_JOB, **settings}, on_event=on_event)
        highest = rig.rates()
        for store in plan.stores if plan.states else ():
            rig.recoveries(store)
    back = [*filter(None, (notes.recovery,)), *notes.recoveries]
    report = LoadReport(
        verdict=judge(notes.steps, notes.confirmed, back, highest=highest),
        started_at=notes.started_at,
        command=command,
        sustained_rate=highest,
        directory=notes.directory,
        surroundings=surroundings(),
        steps=notes.steps,
        confirmed=notes.confirmed,
        recovery=notes.recovery,
        recoveries=notes.recoveries,
    )
    replace_file(notes.directory / REPORT, json.dumps(as_json(report), indent=1) + "\n")
    return report


def _notes(
    plan: Plan, *, base: Path, flow: Flow, settings: Mapping[str, Any], on_event: OnEvent
) -> Notes:
    """Those of an interrupted run that was asked for the same, or new ones."""
    asked: Any = json.loads(
        json.dumps({"plan": as_json(plan), "flow": as_json(flow), "settings": dict(settings)})
    )
    if (found := unfinished(base, asked)) is not None:
        on_event(Event(message=f"going on with {found.directory.name}: {len(found.steps)} rates"))
        return found
    began = datetime.now(UTC)
    directory = base / began.strftime("%Y%m%d-%H%M%S")
    notes = Notes(directory=directory, asked=asked, started_at=iso(began))
    notes.save()
    return notes


def _stage(directory: Path, *, on_event: OnEvent) -> Stage:
    """An empty one: nothing is left of the run that was interrupted."""
    end_what_was_left(directory, on_event=on_event)
    return Stage(directory, on_event=on_event)


@contextmanager
def _started(
    stage: Stage, directory: Path, settings: Mapping[str, Any], *, partitions: int
) -> Iterator[tuple[Subject, Watch]]:
    """A job of its own that runs and is watched; its data do not stay."""
    shutil.rmtree(directory, ignore_errors=True)  # of an interrupted run
    subject = Subject(directory, stage, job=settings, seed=1, partitions=partitions)
    watch = Watch(subject)
    try:
        subject.prepare()
        subject.must("start")
        watch.start()
        yield subject, watch
    finally:
        if watch.running:
            watch.stop()
        subject.clean()
        shutil.rmtree(subject.project / "data", ignore_errors=True)


class _Rig:
    """Jobs under load, and what is noted of them."""

    def __init__(
        self,
        stage: Stage,
        notes: Notes,
        plan: Plan,
        *,
        flow: Flow,
        settings: Mapping[str, Any],
        on_event: OnEvent,
    ) -> None:
        self.stage, self.notes, self.plan, self.flow = stage, notes, plan, flow
        self.settings, self.on_event = settings, on_event

    def rates(self) -> float | None:
        """Search the highest rate, confirm it, and kill the driver once."""
        notes, plan = self.notes, self.plan
        with self._job("job", self.settings) as (subject, watch):

            def step(rate: float, seconds: float) -> Step:
                flow, tell = replace(self.flow, rate=rate), self.on_event
                found = measure_step(subject, watch, flow, seconds=seconds, on_event=tell)
                tell(Event(message=f"{rate:,.0f} records/s: {WORDS[found.sustained]}"))
                return found

            def attempt(rate: float) -> bool:
                known = notes.known(rate)
                if known is None:
                    known = step(rate, plan.seconds)
                    notes.steps.append(known)
                    notes.save()
                return known.sustained is True

            warm_up(subject, replace(self.flow, rate=plan.first), on_event=self.on_event)
            highest = search(attempt, first=plan.first, halvings=plan.halvings)
            if highest and plan.confirm_seconds and notes.confirmed is None:
                notes.confirmed = step(_CONFIRMED * highest, plan.confirm_seconds)
                notes.save()
            if notes.recovery is None:
                self.on_event(Event(message="the driver is killed, to see how it comes back"))
                notes.recovery = recover(subject, replace(self.flow, rate=highest or plan.first))
                notes.save()
        return highest

    def _job(
        self, name: str, settings: Mapping[str, Any]
    ) -> AbstractContextManager[tuple[Subject, Watch]]:
        place = self.notes.directory / name
        return _started(self.stage, place, settings, partitions=self.plan.partitions)

    def recoveries(self, store: str) -> None:
        """Kill a job of its own with a provider and each size of state."""
        if store in {each.state_store for each in self.notes.recoveries}:
            return
        settings = {**self.settings, **keeps_state(store)}
        with self._job(f"job-{store}", settings) as (subject, _):
            states = self.plan.states
            found = list(recoveries(subject, self.flow, states, on_event=self.on_event))
        self.notes.recoveries += found
        self.notes.save()
