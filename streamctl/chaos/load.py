"""Finds the highest rate that a job sustains, and how long it takes to come back from its state.

A rate is sustained when the lag does not grow: its slope over the second half of a step is at most
a twentieth of the rate. Rates double until one is not sustained; then the span between is halved.
"""

import itertools
import json
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from streamctl.chaos.evidence import Batch, Sample
from streamctl.chaos.feed import Flow
from streamctl.chaos.stage import Stage
from streamctl.chaos.subject import Subject
from streamctl.chaos.verbs import job
from streamctl.chaos.watch import Watch, batches
from streamctl.errors import DeadlinePassed, NotFound
from streamctl.reports import Event, OnEvent, Verdict, as_json, ignore, iso
from streamctl.rundir import replace_file

FOLDER = "load"
_GROWTH = 0.05
_CONFIRMED = 0.9
_DRAINED_RECORDS = 2000
_DRAIN_SECONDS = 180.0
_JOB: dict[str, Any] = {"kafka.max_offsets_per_trigger": 200_000, "spark.driver_memory": "1g"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rate.

    Attributes:
        rate: records a second that were asked for.
        sent_rate: that were sent.
        lag_growth: records a second, by a straight line through the second half.
        batch_p50_seconds, batch_p95_seconds: of the micro-batches; None without any.
        latency_p50_seconds, latency_p95_seconds: from a record's arrival to its commit, the
            longest of each batch: from the begin of the batch before to the end of this one.
        processor_share: of all processors, used by the driver.
        memory_bytes: resident, of the driver and its JVM, at the end.
        checkpoint_bytes: of all files of the checkpoint, at the end.
    """

    rate: float
    sent_rate: float
    sustained: bool
    lag_growth: float
    batch_p50_seconds: float | None
    batch_p95_seconds: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    processor_share: float
    memory_bytes: int
    checkpoint_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The driver was killed with so much state.

    Attributes:
        state_rows: open windows, as the driver reported them.
        seconds: from the SIGKILL to the end of the next batch.
    """

    state_store: str
    state_rows: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What the job carries.

    Attributes:
        verdict: unknown when not even the first rate was sustained; a problem when the longer step
            was not.
        sustained_rate: the highest that was sustained, records a second; None for none.
        steps: in the order in which they were tried.
        confirmed: a longer step at nine tenths of the highest rate; None when not asked for.
    """

    verdict: Verdict
    started_at: str
    sustained_rate: float | None
    directory: Path
    steps: list[Step] = field(default_factory=list)
    confirmed: Step | None = None
    recovery: Recovery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How rates are tried.

    Attributes:
        first: the first rate, records a second.
        seconds: of a step.
        halvings: how often the span of the last two rates is halved.
        confirm_seconds: of a last step at nine tenths of the highest rate; 0 for none.
    """

    first: float
    seconds: float = 30.0
    halvings: int = 2
    confirm_seconds: float = 0.0


def run_load(
    plan: Plan,
    *,
    base: Path,
    flow: Flow,
    settings: Mapping[str, Any],
    on_event: OnEvent = ignore,
) -> LoadReport:
    """Bring up a broker and a job, try rates, kill the driver once, take all down.

    Args:
        plan: which rates, and how long.
        base: of all load runs; figures stay there.
        flow: what is sent, but for its rate.
        settings: of the job, over ours; flat keys.
        on_event: hears of each step.

    Raises:
        StreamctlError: the job could not be started.
    """
    began = datetime.now(UTC)
    directory = base / began.strftime("%Y%m%d-%H%M%S")
    with Stage(directory, on_event=on_event) as stage:
        subject = Subject(directory / "job", stage, job={**_JOB, **settings}, seed=1)
        watch = Watch(subject)
        try:
            subject.prepare()
            subject.must("start")
            watch.start()
            found = _measure(_Rig(subject, watch, flow, on_event), plan)
        finally:
            if watch.running:
                watch.stop()
            subject.clean()
    shutil.rmtree(directory / "job" / "project" / "data", ignore_errors=True)
    report = LoadReport(started_at=iso(began), directory=directory, **found)
    replace_file(directory / "load.json", json.dumps(as_json(report), indent=1) + "\n")
    return report


class _Rig:
    """The job under load: tries one rate after the other."""

    def __init__(self, subject: Subject, watch: Watch, flow: Flow, on_event: OnEvent) -> None:
        self.subject, self.watch, self.flow, self.on_event = subject, watch, flow, on_event

    def step(self, rate: float, seconds: float) -> Step:
        """Send at a rate, look on, and let the job read the rest."""
        self.on_event(Event(message=f"{rate:,.0f} records/s for {seconds:g} s"))
        step = _step(self.subject, self.watch, replace(self.flow, rate=rate), seconds=seconds)
        _drain(self.subject)
        return step


def _measure(rig: _Rig, plan: Plan) -> dict[str, Any]:
    """All figures of the report."""
    steps: list[Step] = []

    def attempt(rate: float) -> bool:
        steps.append(rig.step(rate, plan.seconds))
        return steps[-1].sustained

    highest = search(attempt, first=plan.first, halvings=plan.halvings)
    confirmed = None
    if highest and plan.confirm_seconds:
        confirmed = rig.step(_CONFIRMED * highest, plan.confirm_seconds)
    rig.on_event(Event(message="the driver is killed, to see how long it takes to come back"))
    verdict = Verdict.UNKNOWN if highest is None else Verdict.OK
    if confirmed is not None and not confirmed.sustained:
        verdict = Verdict.PROBLEM
    return {
        "verdict": verdict,
        "sustained_rate": highest,
        "steps": steps,
        "confirmed": confirmed,
        "recovery": _recovery(rig.subject, replace(rig.flow, rate=highest or plan.first)),
    }


def read_load(directory: Path) -> LoadReport:
    """Read what a run found.

    Raises:
        NotFound: it did not come to its end.
    """
    try:
        values = json.loads((directory / "load.json").read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound(f'the load run "{directory.name}" has no figures') from None
    return LoadReport(
        verdict=Verdict(values["verdict"]),
        started_at=values["started_at"],
        sustained_rate=values["sustained_rate"],
        directory=directory,
        steps=[Step(**step) for step in values["steps"]],
        confirmed=Step(**values["confirmed"]) if values["confirmed"] else None,
        recovery=Recovery(**values["recovery"]) if values["recovery"] else None,
    )


def search(attempt: Callable[[float], bool], *, first: float, halvings: int) -> float | None:
    """The highest rate that holds: doubled until one does not, then halved in between.

    Args:
        attempt: tries a rate, and says whether it was sustained.
        first: the first rate.
        halvings: how often the span is halved.
    """
    low, high = 0.0, first
    while attempt(high):
        low, high = high, high * 2
    for _ in range(halvings if low else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if attempt(middle) else (low, middle)
    return low or None


def _step(subject: Subject, watch: Watch, flow: Flow, *, seconds: float) -> Step:
    """Send at one rate and look on."""
    began, used = time.time(), _processor_seconds(subject)
    sent = subject.feed.timed(flow, seconds)
    ended, used_then = time.time(), _processor_seconds(subject)
    looks = [s for s in watch.samples if began + seconds / 2 <= s.at <= ended]
    windows, _ = batches(subject)
    growth = slope(looks)
    rate = sent / (ended - began)
    mine = [b for b in windows if began <= b.at <= ended]
    times, waits = [b.seconds for b in mine], latencies(mine)
    return Step(
        rate=flow.rate,
        sent_rate=round(rate, 1),
        sustained=growth <= _GROWTH * flow.rate and rate >= (1 - _GROWTH) * flow.rate,
        lag_growth=round(growth, 1),
        batch_p50_seconds=percentile(times, 50),
        batch_p95_seconds=percentile(times, 95),
        latency_p50_seconds=percentile(waits, 50),
        latency_p95_seconds=percentile(waits, 95),
        processor_share=round((used_then - used) / (ended - began) / (psutil.cpu_count() or 1), 3),
        memory_bytes=sum(process.memory_info().rss for process in _processes(subject)),
        checkpoint_bytes=_size(subject.places["checkpoint"]),
    )


def slope(samples: Sequence[Sample]) -> float:
    """Records a second by which the true lag grows: least squares; 0 for fewer than two looks."""
    known = [(s.at, s.true_lag) for s in samples if s.true_lag is not None]
    if len({at for at, _ in known}) < 2:  # noqa: PLR2004 - a line needs two points
        return 0.0
    return statistics.linear_regression(*zip(*known, strict=True)).slope


def latencies(mine: Sequence[Batch]) -> list[float]:
    """The longest wait of a record of each batch, where it was not held back by a bound."""
    return [b.at + b.seconds - a.at for a, b in itertools.pairwise(mine)]


def percentile(values: Sequence[float], share: int) -> float | None:
    """Nearest rank; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[max(0, -(-len(ordered) * share // 100) - 1)], 3)


def _drain(subject: Subject) -> None:
    """Wait until the job has read almost all.

    Raises:
        DeadlinePassed: it does not come to an end.
    """
    deadline = time.monotonic() + _DRAIN_SECONDS
    while subject.true_lag() > _DRAINED_RECORDS:
        if time.monotonic() > deadline:
            raise DeadlinePassed(f"the job did not read the rest within {_DRAIN_SECONDS:g} s")
        time.sleep(0.5)


def _recovery(subject: Subject, flow: Flow) -> Recovery | None:
    """Kill the driver under load; None when no batch followed."""
    rows = _state_rows(subject)
    subject.feed.start(flow)
    time.sleep(2)
    killed = time.time()
    job.kill(subject)
    deadline = time.monotonic() + _DRAIN_SECONDS
    try:
        while time.monotonic() < deadline:
            ends = [b.at + b.seconds for b in batches(subject)[0] if b.attempt > 1]
            if ends:
                return Recovery(
                    state_store=str(subject.settings.get("spark.state_store", "rocksdb")),
                    state_rows=rows,
                    seconds=round(ends[0] - killed, 2),
                )
            time.sleep(0.2)
    finally:
        subject.feed.stop()
    return None


def _state_rows(subject: Subject) -> int:
    """Rows of all operators after the last batch that told them."""
    lines = [line for line in subject.run.progress() if line.get("state")]
    return sum(int(each["rows"] or 0) for each in lines[-1]["state"]) if lines else 0


def _processes(subject: Subject) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in subject.driver_processes()]


def _processor_seconds(subject: Subject) -> float:
    times = [process.cpu_times() for process in _processes(subject)]
    return sum(each.user + each.system for each in times)


def _size(folder: Path) -> int:
    """Bytes of all files that are still there."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
