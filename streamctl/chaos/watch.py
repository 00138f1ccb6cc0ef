"""Looks at a job all the time, from outside: what it says of itself, and what is so."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streamctl.chaos.evidence import Batch, Letters, Sample
from streamctl.chaos.experiment import Http
from streamctl.chaos.operated import Operated, seconds
from streamctl.chaos.providers import request
from streamctl.errors import StreamctlError
from streamctl.lag.measure import measure
from streamctl.lag.subjects import find_subjects
from streamctl.observe.status import StatusReport, read_status

_LOOK_SECONDS = 0.5
_MEASURE_EVERY = 2
"""Lag costs a request, so it is measured at every second look."""


@dataclass(slots=True)
class _Run:
    """One `start` of the job: the drivers that lived, and the restarts that were told."""

    drivers: set[int] = field(default_factory=set)
    restarts: int = 0


class Watch:
    """Samples in a thread, between `start` and `stop`.

    Args:
        subject: whom to look at.
    """

    def __init__(self, subject: Operated) -> None:
        self.samples: list[Sample] = []
        self._runs: dict[str, _Run] = {}
        self._subject = subject
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="watch", daemon=True)

    @property
    def running(self) -> bool:
        """Whether it looks."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End with a last look."""
        self._stopping.set()
        self._thread.join()

    @property
    def drivers(self) -> int:
        """Processes of the driver that lived."""
        return sum(len(run.drivers) for run in self._runs.values())

    @property
    def restarts(self) -> int:
        """As the status counts them, and the starts after the first one."""
        return self.crashes + max(0, len(self._runs) - 1)

    @property
    def crashes(self) -> int:
        """Restarts by the supervisor alone."""
        return sum(run.restarts for run in self._runs.values())

    def _look_on(self) -> None:
        looks, told, true = 0, None, None
        while not self._stopping.wait(_LOOK_SECONDS):
            if looks % _MEASURE_EVERY == 0:
                told, true = self._lags()
            looks += 1
            self.samples.append(self._look(told, true))
        self.samples.append(self._look(*self._lags()))

    def _look(self, told: int | None, true: int | None) -> Sample:
        report: StatusReport | None = None
        with suppress(StreamctlError):
            report = read_status(self._subject.run)
        living = self._subject.driver_processes()
        if report is None:
            return Sample(at=time.time(), told_lag=told, true_lag=true)
        run = self._runs.setdefault(report.run_id, _Run())
        run.restarts = max(run.restarts, report.restarts)
        if report.driver_pid is not None and report.driver_pid in living:
            run.drivers.add(report.driver_pid)
        return Sample(
            at=time.time(),
            observed=report.observed,
            verdict=report.verdict,
            attempt=report.attempt,
            restarts=report.restarts,
            driver_pid=report.driver_pid,
            driver_lives=bool(living),
            health=_health(report.url),
            told_lag=told,
            true_lag=true,
        )

    def _lags(self) -> tuple[int | None, int | None]:
        """What `lag` tells of the windows, and what is so.

        A batch may be committed meanwhile, so the truth is looked at before and after: of what lies
        between, the nearest to what is told.
        """
        subject = self._subject
        before = _or_none(subject.true_lag)
        if before is None:
            return None, None  # Kafka is silent: asking on would only make looks rarer
        told = _or_none(self._told_lag)
        after = _or_none(subject.true_lag)
        if told is None or after is None:
            return told, after
        return told, sorted((before, told, after))[1]

    def _told_lag(self) -> int | None:
        subject = self._subject
        found = find_subjects(str(subject.places["checkpoint"]), query=subject.query)
        with subject.ask(timeout_seconds=2) as broker:
            report = measure(found, broker, location="", now=datetime.now(UTC), ages=False)
        return report.lag_records


def _or_none(look: Callable[[], int | None]) -> int | None:
    with suppress(StreamctlError):
        return look()
    return None


def _health(url: str) -> str:
    """The verdict of the health address; `silent` without an answer, empty without an address."""
    if not url:
        return ""
    try:
        answer = request(Http(url=f"{url.rstrip('/')}/health", timeout_seconds=1))
        return str(json.loads(answer["body"])["verdict"])
    except (StreamctlError, ValueError, KeyError):
        return "silent"


def batches(subject: Operated) -> tuple[list[Batch], list[Letters]]:
    """What the driver reported of its micro-batches."""
    windows, letters = [], []
    for line in subject.run.progress():
        if line["kind"] != "progress":
            continue
        at = seconds(line["timestamp"])
        if line["query"] == subject.query:
            windows.append(_batch(line, at))
        elif rejected := sum(each["count"] for each in line["rejected"].values()):
            letters.append(Letters(at=at, rejected=rejected))
    return windows, letters


def _batch(line: dict[str, Any], at: float) -> Batch:
    return Batch(
        at=at,
        seconds=line["duration_ms"].get("triggerExecution", 0) / 1000,
        batch_id=line["batch_id"],
        records=line["input_rows"],
        attempt=line["attempt"],
        generation=line.get("generation") or "",
    )
