"""Looks at a job all the time, from outside: what it says of itself, and what is so."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from streamctl.chaos.evidence import Batch, Letters, Sample
from streamctl.chaos.experiment import Http
from streamctl.chaos.operated import Operated, seconds
from streamctl.chaos.providers import request
from streamctl.chaos.verbs.wait import newest
from streamctl.errors import StreamctlError
from streamctl.health.alerts.book import AlertBook
from streamctl.lag.measure import measure
from streamctl.lag.subjects import find_subjects
from streamctl.observe.status import StatusReport, read_status

_LOOK_SECONDS = 0.5
_MEASURE_EVERY = 2
"""Lag costs a request, so it is measured at every second look."""


@dataclass(slots=True)
class _Run:
    """One `start` of the job: the drivers that lived, the restarts and attempts that were told."""

    drivers: set[int] = field(default_factory=set)
    restarts: int = 0
    attempts: int = 1


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
        """As the status counts them, and the starts after the first one.

        A driver that the circuit breaker had started again is an attempt, and no restart.
        """
        told = (max(run.restarts, run.attempts - 1) for run in self._runs.values())
        return sum(told) + max(0, len(self._runs) - 1)

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
        committed = _or_none(partial(newest_commit, self._subject))
        if report is None:
            return Sample(at=time.time(), committed=committed, told_lag=told, true_lag=true)
        run = self._runs.setdefault(report.run_id, _Run())
        run.restarts = max(run.restarts, report.restarts)
        run.attempts = max(run.attempts, report.attempt)
        if report.driver_pid is not None and report.driver_pid in living:
            run.drivers.add(report.driver_pid)
        health, ready = ask_health(report.url)
        return Sample(
            at=time.time(),
            observed=report.observed,
            verdict=report.verdict,
            attempt=report.attempt,
            restarts=report.restarts,
            driver_pid=report.driver_pid,
            driver_lives=bool(living),
            health=health,
            ready=ready,
            alerts=_open_alerts(self._subject) if report.supervisor_pid is not None else None,
            breaker=report.breaker.circuit if report.breaker else "",
            committed=committed,
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


def ask_health(url: str) -> tuple[str, bool | None]:
    """The verdict of the health address, and whether the job is ready; see `Sample`.

    Where a token is asked for that is not ours to give, only the second is told.
    """
    if not url:
        return "", None
    base = url.rstrip("/")
    try:
        answer = request(Http(url=f"{base}/health", timeout_seconds=1))
        if answer["status"] == HTTPStatus.UNAUTHORIZED:
            probed = request(Http(url=f"{base}/readyz", timeout_seconds=1))
            return "", probed["status"] == HTTPStatus.OK
        return str(json.loads(answer["body"])["verdict"]), answer["status"] == HTTPStatus.OK
    except (StreamctlError, ValueError, KeyError):
        return "silent", None


def _open_alerts(subject: Operated) -> list[str] | None:
    with suppress(StreamctlError, ValueError, TypeError, KeyError):  # of another release
        states = AlertBook(subject.run.path).states()
        return [state.name for state in states if state.open_since is not None]
    return None


def newest_commit(subject: Operated) -> int | None:
    """Newest entry of the watched query's commit log; None without one.

    Raises:
        CheckpointNotFound: the job has not begun.
    """
    found = newest(subject.generation("checkpoint") / subject.query / "commits")
    return None if found < 0 else found


_TELLING = ("alerts", "breaker", "http", "observe", "stream")
_SECRETS = {"receivers", "heartbeat", "token", "otlp_endpoint"}


def set_to(subject: Operated) -> dict[str, dict[str, Any]]:
    """By which settings the job tells of trouble; empty when they cannot be read."""
    try:
        settings = json.loads(subject.run.settings_file.read_text("utf-8"))
        sections = {name: settings[name] for name in _TELLING}
    except (OSError, ValueError, KeyError):
        return {}
    return {
        name: {key: value for key, value in section.items() if key not in _SECRETS}
        for name, section in sections.items()
    }


def batches(subject: Operated) -> tuple[list[Batch], list[Letters]]:
    """What the driver reported of its micro-batches."""
    windows, letters = [], []
    for line in subject.run.progress():
        if line["kind"] != "progress":
            continue
        at = seconds(line["timestamp"])
        if line["query"] == subject.query:
            windows.append(_batch(line, at))
        else:
            letters.append(_letters(line, at))
    return windows, letters


def launched(subject: Operated) -> list[float]:
    """When a driver said that it starts its queries, seconds since 1970."""
    lines = subject.run.progress()
    return [seconds(line["at"]) for line in lines if line["kind"] == "launched"]


def _letters(line: dict[str, Any], at: float) -> Letters:
    return Letters(
        at=at,
        rejected=sum(each["count"] for each in line["rejected"].values()),
        done=seconds(line["at"]),
        query=line["query"],
        records=line["input_rows"],
        letters=line.get("dead_letters"),
    )


def _batch(line: dict[str, Any], at: float) -> Batch:
    return Batch(
        at=at,
        seconds=line["duration_ms"].get("triggerExecution", 0) / 1000,
        batch_id=line["batch_id"],
        records=line["input_rows"],
        attempt=line["attempt"],
        generation=line.get("generation") or "",
    )
