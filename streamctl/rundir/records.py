"""What CLI, supervisor and driver tell each other: a dataclass for each file."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from streamctl.reports import Verdict
from streamctl.resilience.breaker import Circuit

TAKE_OVER = b"take over\n"
"""What the supervisor writes to the standard input of a driver in standby."""


class Desired(StrEnum):
    """What the operator asked for."""

    RUNNING = "running"
    STOPPED = "stopped"


class Observed(StrEnum):
    """What the supervisor sees."""

    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    SEARCHING = "searching"
    BREAKER_OPEN = "breaker_open"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether no further attempt will follow."""
        return self in {Observed.STOPPED, Observed.FINISHED, Observed.FAILED}


class FailureClass(StrEnum):
    """Who can mend it. Only infrastructure is retried."""

    INFRASTRUCTURE = "infrastructure"
    CODE = "code"
    DATA = "data"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt ended.

    Attributes:
        failure_class: who can mend it.
        condition: Spark's error condition, such as `KAFKA_DATA_LOSS`, or an exception's class name.
        message: one line.
        hint: a full sentence with the way out.
        query: name of the query, None when it was not in a query.
        batch_id: the batch that failed, None when not known.
        offsets: end offsets of that batch as Spark reports them, source by source.
        exit_code: what the command that waits for it answers.
        detail: the whole text of the exception, for the log and for support.
    """

    at: datetime
    failure_class: FailureClass
    condition: str
    message: str
    hint: str = ""
    query: str | None = None
    batch_id: int | None = None
    offsets: list[Any] = field(default_factory=list)
    detail: str = ""
    run_id: str = ""
    attempt: int = 0
    exit_code: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What one attempt of the driver is told beside the settings.

    Attributes:
        run_id: one `start`; stays the same over restarts.
        attempt: 1 for the first.
        generation: name of the generation, such as `0001`.
        checkpoint_base: directory that holds one checkpoint per query.
        output_base: directory that holds one output per query.
        starting_offsets: Kafka offsets as JSON, explicit for every partition, so that all
            queries of a generation begin at the same records.
        ending_offsets: likewise, where the run ends by itself; empty for never.
        bounded: whether records from there on are left out.
        state_format_version: `checkpointFormatVersion` found in the commit log; None when free.
        jars: local paths of the connector's jars.
        archive: path of the JVM class-data archive to use, empty for none.
        trial_records: the run ends after one batch of so many records; 0 for a usual run.
        make_archive: path at which to make one when the JVM ends in order, empty for none.
        hidden: records that were set aside and are not shown to the job: ranges with `topic`,
            `partition`, `start` and `end`.
    """

    run_id: str
    attempt: int
    generation: str
    checkpoint_base: str
    output_base: str
    starting_offsets: str
    ending_offsets: str = ""
    bounded: bool = False
    state_format_version: int | None = None
    jars: list[str] = field(default_factory=list)
    archive: str = ""
    make_archive: str = ""
    trial_records: int = 0
    hidden: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """Who wants the job to end, and how long the running batch may take."""

    at: datetime
    who: str
    reason: str
    deadline_seconds: float
    now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRequest:
    """What an operator wants the circuit breaker to be: open or closed."""

    at: datetime
    who: str
    why: str
    wanted: Circuit


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupState:
    """How the last scheduled backup went.

    Attributes:
        at: when it was begun.
        good_at: when the last good one was; None for never.
        problem: why it failed; empty when it did not.
    """

    at: datetime
    verdict: Verdict
    id: str
    good_at: datetime | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the supervisor knows. Written by the supervisor alone.

    Attributes:
        desired: what the operator asked for.
        observed: what is so.
        attempt: 1 for the first start of the driver.
        attempts_left: restarts left in the budget.
        driver_pid: None while no driver lives.
        next_attempt_at: when the backoff ends, None when not backing off.
        queries: names, known once the driver has built them.
        idle_queries: those that run and have found nothing to read yet.
        restarts: of the driver, since `started_at`.
        interrupted: whether a stop had to kill the driver, its deadline being past.
        standby_pid: a second driver that waits to take over, None while there is none.
        url: where the supervisor answers; empty for nowhere.
        unwell: what the health rules say against a job that runs; empty while they say nothing.
    """

    desired: Desired
    observed: Observed
    run_id: str
    job: str
    attempt: int
    attempts_left: int
    supervisor_pid: int
    driver_pid: int | None
    started_at: datetime
    attempt_started_at: datetime | None
    updated_at: datetime
    generation: str
    checkpoint_location: str
    queries: list[str] = field(default_factory=list)
    idle_queries: list[str] = field(default_factory=list)
    next_attempt_at: datetime | None = None
    restarts: int = 0
    interrupted: bool = False
    standby_pid: int | None = None
    master: str = ""
    url: str = ""
    unwell: str = ""
