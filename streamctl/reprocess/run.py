"""Runs a plan in a run directory of its own, beside the live job, and follows it to its end."""

import shutil
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.errors import Busy, Interrupted, PartlyDone
from streamctl.job.launcher import session_members
from streamctl.kafka.client import Broker
from streamctl.lifecycle.start import JobFailed, start
from streamctl.lifecycle.stop import stop
from streamctl.observe.status import is_supervised, newest_lines
from streamctl.reports import Event, OnEvent, Verdict
from streamctl.reprocess import receipt as receipts
from streamctl.reprocess.places import Places
from streamctl.reprocess.plan import Plan
from streamctl.reprocess.receipt import Receipt
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Failure, Observed, Status
from streamctl.settings.model import Settings

_LOOK_SECONDS = 0.5
_RATE_SECONDS = 30.0
"""Over how long the rate is taken: several of the largest batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a reprocessing may take of the machine that the live job runs on.

    Attributes:
        cores: of a local master; None for the job's own setting.
        memory: heap of its driver, such as `2g`; None for the job's own setting.
        nice: priority, see `nice(1)`.
    """

    cores: int | None = None
    memory: str | None = None
    nice: int = 10


def find(places: Places, request: str) -> Generation | None:
    """The newest generation that was made for the same request."""
    same = [found for found in places.all() if found.request == request]
    return same[-1] if same else None


def make(places: Places, plan: Plan, broker: Broker) -> Generation:
    """Record the generation of a plan; the live one stays the current one.

    Raises:
        Busy: another command is making one in this moment.
    """
    lock = RunDirectory(places.live.path / "reprocess").try_lock()
    if lock is None:
        raise Busy("another reprocessing is being planned here", hint="Run it again.")
    import os

    try:
        made = Generation(
            name=plan.generation,
            created_at=datetime.now(UTC),
            job=plan.request.job,
            starting_offsets=plan.offsets(end=False),
            ending_offsets=plan.offsets(end=True),
            bounded=plan.bounded,
            topic_ids={
                name: broker.topic(name).topic_id or ""
                for name in sorted({part.topic for part in plan.ranges})
            },
            why=f"reprocess from {plan.request.start} to {plan.request.end}",
            request=plan.request.as_text(),
            output_location=plan.request.output_location,
        )
        generations.record(places.store, made)
    finally:
        os.close(lock)
    return made


def settings_for(settings: Settings, plan: Plan, limits: Limits) -> Settings:
    """The live job's settings, changed where a reprocessing differs."""
    master = settings.spark.master
    if limits.cores and master.startswith("local"):
        master = f"local[{limits.cores}]"
    changes: dict[str, dict[str, Any]] = {
        "checkpoint": {"generation": plan.generation},
        "output": {"topics": "send" if plan.request.send else "files"},
        "kafka": {"max_offsets_per_trigger": plan.max_offsets_per_trigger},
        "stream": {"trigger": plan.trigger},
        "catch_up": {"enabled": False},
        "spark": {
            "master": master,
            "driver_memory": limits.memory or settings.spark.driver_memory,
        },
        "supervise": {"standby": False, "nice": limits.nice},
        "http": {"port": 0},
        "alerts": {"receivers": [], "heartbeat": []},  # its lag is large by nature
        "observe": {"publish_group": ""},
    }
    values = settings.model_dump()
    for section, fields in changes.items():
        values[section] |= fields
    return Settings.model_validate(values)


def run(
    places: Places,
    plan: Plan,
    settings: Settings,
    *,
    project: Path,
    on_event: OnEvent,
) -> Receipt:
    """Start or go on, follow to the end, and write the receipt.

    Args:
        places: of the live job.
        plan: whose generation is recorded.
        settings: of the reprocessing.
        project: working directory of the driver.
        on_event: told of progress, in records.

    Raises:
        Interrupted: Ctrl-C; the batch was finished and the same command goes on.
        PartlyDone: it was stopped, or a disk is nearly full; the same command goes on.
        JobFailed: the driver failed beyond its restarts.
    """
    directory = places.run(plan.generation)
    start(directory, settings, project=project, wait=False, on_event=on_event)
    follower = _Follower(directory, plan, settings, on_event)
    try:
        status = follower.follow()
    except KeyboardInterrupt:
        stop(directory, deadline_seconds=settings.stop.deadline_seconds, on_event=on_event)
        raise Interrupted(
            f"interrupted at {follower.done:,} of {follower.total:,} records",
            hint="The same command goes on from there.",
        ) from None
    if status.observed is not Observed.FINISHED:
        raise _unfinished(directory, status)
    done = receipts.take(directory, status, output=plan.output, ranges=plan.ranges)
    places.keep_receipt(plan.generation, done)
    return done


def _unfinished(directory: RunDirectory, status: Status) -> Exception:
    failure = directory.read(Failure)
    if status.observed is Observed.STOPPED or failure is None:
        return PartlyDone(
            "the reprocessing was stopped before its end", hint="The same command goes on."
        )
    return JobFailed(
        f"{failure.condition}: {failure.message}",
        hint=failure.hint or "Mend it; the same command goes on from the last batch.",
    )


@dataclass(slots=True)
class _Follower:
    """Looks at the run until it ends, and tells how far it is."""

    directory: RunDirectory
    plan: Plan
    settings: Settings
    on_event: OnEvent
    done: int = 0
    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _told: str = ""

    @property
    def total(self) -> int:
        return self.plan.records

    def follow(self) -> Status:
        while True:
            status = self.directory.read(Status)
            if status is None or (status.observed.ended or not is_supervised(self.directory)):
                break
            self._look(status)
            self._require_disk()
            time.sleep(_LOOK_SECONDS)
        status = self.directory.read(Status)
        if status is None:
            raise JobFailed("the run directory was emptied while the job ran")
        if not status.observed.ended:
            raise PartlyDone("the supervisor is gone", hint="The same command goes on from there.")
        return status

    def _look(self, status: Status) -> None:
        """Progress of the query that is furthest behind."""
        lines = newest_lines(self.directory.progress_file)
        read = [
            (lines[name].get("totals") or {}).get("input_rows", 0)
            for name in status.queries
            if name in lines
        ]
        self.done = min(read) if read and len(read) == len(status.queries) else 0
        if self.done == 0:
            self._tell_once("Spark is starting" if status.driver_pid else "preparing")
            return
        if status.observed is Observed.BACKING_OFF:
            self._tell_once(f"attempt {status.attempt} failed; it will be tried again")
            return
        self._told = ""
        now = time.monotonic()
        self._seen.append((now, self.done))
        while now - self._seen[0][0] > _RATE_SECONDS:
            self._seen.popleft()
        self.on_event(
            Event(
                message=_text(self._rate(), self._left(), _memory(status)),
                done=min(self.done, self.total),
                total=self.total,
            )
        )

    def _tell_once(self, message: str) -> None:
        if message != self._told:
            self.on_event(Event(message=message))
            self._told = message

    def _rate(self) -> float:
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def _left(self) -> float | None:
        rate = self._rate()
        return (self.total - self.done) / rate if rate > 0 else None

    def _require_disk(self) -> None:
        """Stop in order before a disk is full.

        Raises:
            PartlyDone: it is nearly so.
        """
        least = self.settings.start.min_free_disk_bytes
        for location in (self.plan.output, self.settings.checkpoint.location):
            place = Path(location)
            if place.exists() and shutil.disk_usage(place).free < least:
                stop(self.directory, deadline_seconds=self.settings.stop.deadline_seconds)
                raise PartlyDone(
                    f'less than {least >> 20:,} MiB is free at "{place}"',
                    hint="Free some space; the same command goes on from there.",
                )


def _text(rate: float, left: float | None, memory_bytes: int) -> str:
    parts = [f"{rate:,.0f}/s" if rate else "reprocessing"]
    if left is not None:
        parts.append(f"{_minutes(left)} left")
    if memory_bytes:
        parts.append(f"{memory_bytes >> 20:,} MiB")
    return ", ".join(parts)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"  # noqa: PLR2004


def _memory(status: Status) -> int:
    """Resident memory of all the driver's processes."""
    import psutil

    found = 0
    for pid in session_members(status.driver_pid) if status.driver_pid else []:
        try:
            found += psutil.Process(pid).memory_info().rss
        except psutil.Error:
            continue
    return found


def report_again(kept: dict[str, Any]) -> Receipt:
    """A receipt as it was kept, for a command that had ended before."""
    from streamctl.reprocess.request import Range

    queries = [receipts.QueryReceipt(**query) for query in kept["queries"]]
    ranges = [Range(**part) for part in kept["ranges"]]
    fields = kept | {"queries": queries, "ranges": ranges, "verdict": Verdict(kept["verdict"])}
    return replace(Receipt(**fields), outcome="already_done")
