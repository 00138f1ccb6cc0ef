"""The files between CLI, supervisor and driver: one directory per running job.

| file | written by | what |
|---|---|---|
| `settings.json` | CLI | settings, resolved once |
| `launch.json` | supervisor, before each attempt | what differs between attempts |
| `progress.jsonl` | driver | one line per micro-batch and query |
| `status.json` | supervisor | desired and observed state |
| `stop.json` | CLI | the request to stop |
| `breaker.json` | supervisor | the circuit breaker |
| `backup.json` | supervisor | how the last scheduled backup went |
| `breaker-request.json` | CLI | what an operator wants of it |
| `failure.json` | driver, else supervisor | why the last attempt ended |
| `losses.jsonl` | supervisor | ranges of records that were passed over unread |
| `seen.json` | supervisor | the batches that were examined for losses |
| `lock` | CLI, then supervisor | held (flock) as long as a supervisor lives |
| `logs/` | both | JSON lines |

Whole files are replaced atomically (written beside, flushed, renamed), so a reader never
sees half of one.

Each line of `progress.jsonl` has `at`, `run_id`, `attempt` and `kind`:
`launched` (`queries`: all names, before any starts), `started` (`query`, `query_id`,
`spark_run_id`), `progress` (a finished micro-batch, see `jobs/progress.py`), `idle` (`query`:
asked and found nothing to read), `terminated` (`query`, `error`).
"""

import dataclasses
import fcntl
import json
import os
import tempfile
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, TypeVar

from streamctl.errors import Malformed
from streamctl.reports import Verdict, as_json
from streamctl.resilience.breaker import BreakerState, Circuit

T = TypeVar("T")
LOG_FILE = "job.jsonl"
TAKE_OVER = b"take over\n"
"""What the supervisor writes to the standard input of a driver in standby."""
_SHOWN_APART = {"at", "level", "from", "message", "event", "run_id", "run", "attempt", "detail"}


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


class LossCause(StrEnum):
    """Why records were passed over."""

    DELETED = "deleted before they were read"
    MADE_ANEW = "the topic was made anew or truncated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A range of one partition that a batch passed over unread.

    Attributes:
        at: when it was found.
        start_offset, end_offset: the end is not included.
        records: at most; None when it cannot be known, as of a topic that is no longer there.
        exact: whether it is just so many.
        previous_batch_at, batch_at: when the batch before and this one were planned: the job
            stood at the range's start between the two.
        oldest_left_at: timestamp of the first record that was left; None when none was.
    """

    at: datetime
    generation: str
    query: str
    batch_id: int
    topic: str
    partition: int
    start_offset: int
    end_offset: int
    records: int | None
    exact: bool
    cause: LossCause
    previous_batch_at: datetime | None
    batch_at: datetime
    oldest_left_at: datetime | None

    @property
    def key(self) -> tuple[str, str, int, str, int, int]:
        """What tells it from every other one."""
        place = self.topic, self.partition, self.start_offset
        return self.generation, self.query, self.batch_id, *place

    def describe(self) -> str:
        """One line."""
        count = "an unknown number of" if self.records is None else f"{self.records:,}"
        about = "" if self.exact or self.records is None else "up to "
        where = f"{self.topic} partition {self.partition}"
        return (
            f"{about}{count} records of {where} were passed over unread, offsets "
            f"{self.start_offset} to {self.end_offset - 1}: {self.cause}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How far was looked for losses.

    Attributes:
        batches: query -> newest batch that was examined.
        planned_at: query -> when that was planned, ISO 8601: another time is another batch.
        topic_ids: query -> topic -> the broker's id of it, then.
    """

    generation: str
    batches: dict[str, int] = field(default_factory=dict)
    planned_at: dict[str, str] = field(default_factory=dict)
    topic_ids: dict[str, dict[str, str]] = field(default_factory=dict)


class RunDirectory:
    """Reads and writes the files above.

    Args:
        path: made when the first file is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def settings_file(self) -> Path:
        """`settings.json`."""
        return self.path / "settings.json"

    @property
    def progress_file(self) -> Path:
        """`progress.jsonl`."""
        return self.path / "progress.jsonl"

    @property
    def logs(self) -> Path:
        """The log directory, made on use."""
        folder = self.path / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write(
        self,
        value: Launch
        | StopRequest
        | Status
        | Failure
        | BreakerState
        | BreakerRequest
        | BackupState
        | Seen,
    ) -> None:
        """Replace the file of this kind."""
        replace_file(self.path / _FILES[type(value)], json.dumps(as_json(value), indent=1) + "\n")

    def read(self, kind: type[T]) -> T | None:
        """Read the file of this kind; None when there is none.

        Raises:
            Malformed: the file is not what this release writes.
        """
        return read_file(self.path / _FILES[kind], kind)

    def remove(self, kind: type) -> None:
        """Remove the file of this kind, if any."""
        (self.path / _FILES[kind]).unlink(missing_ok=True)

    def try_lock(self) -> int | None:
        """Take the run directory: an open, locked file descriptor, or None when another has it.

        The lock lives as long as any copy of the descriptor, so the CLI hands it to the
        supervisor by inheritance, and the kernel drops it when the supervisor dies.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def progress(self) -> Iterator[dict[str, Any]]:
        """Lines of `progress.jsonl`, oldest first; a line still being written is left out."""
        try:
            file = self.progress_file.open("rb")
        except FileNotFoundError:
            return
        with file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def losses(self) -> list[Loss]:
        """Lines of `losses.jsonl`, oldest first.

        Raises:
            Malformed: the file is not what this release writes.
        """
        try:
            lines = self._losses_file.read_bytes().split(b"\n")[:-1]
            return [build(Loss, json.loads(line)) for line in lines]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError) as error:
            raise Malformed(f'cannot read "{self._losses_file}": {error}') from error

    def add_losses(self, losses: Iterable[Loss]) -> None:
        """Append to `losses.jsonl` in one call; on disk when it returns."""
        text = "".join(json.dumps(as_json(loss)) + "\n" for loss in losses)
        descriptor = os.open(self._losses_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @property
    def _losses_file(self) -> Path:
        return self.path / "losses.jsonl"


_FILES: dict[type, str] = {
    Launch: "launch.json",
    StopRequest: "stop.json",
    Status: "status.json",
    Failure: "failure.json",
    BreakerState: "breaker.json",
    BreakerRequest: "breaker-request.json",
    BackupState: "backup.json",
    Seen: "seen.json",
}


def replace_file(path: Path, text: str) -> None:
    """Write beside, flush to disk, rename: a reader sees the old text or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def read_file(path: Path, kind: type[T]) -> T | None:
    """Read a dataclass that `replace_file` wrote as JSON; None when there is no such file.

    Raises:
        Malformed: not JSON, or not the fields of `kind`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return build(kind, json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(
            f'cannot read "{path}": {error}',
            hint="It is damaged or of another release; move it away and run the command again.",
        ) from error


def build(kind: type[T], fields: dict[str, Any]) -> T:
    """Build a flat dataclass from JSON: times and enums come back as such; more fields are let go.

    Raises:
        ValueError, TypeError, KeyError: the fields are not those of `kind`.
    """
    hints = typing.get_type_hints(kind)
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _value(hints[name], fields[name]) for name in fields if name in known})


def _value(hint: Any, value: Any) -> Any:
    if isinstance(hint, types.UnionType):
        if value is None:
            return None
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if hint is datetime:
        return datetime.fromisoformat(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value


def readable(fields: dict[str, Any]) -> str:
    """A line of the log for a person: time, level, message, then what else it says."""
    more = [f"{name}={value}" for name, value in fields.items() if name not in _SHOWN_APART]
    message = fields.get("message") or fields.get("event", "")
    head = f"{fields.get('at', '')} {fields.get('level', 'INFO'):5} {message}"
    return " ".join([head, *more]).strip()
