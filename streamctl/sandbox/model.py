"""What is known of a sandbox: the report, and the note that lies beside its data."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from streamctl.kafka.model import TopicReport
from streamctl.reports import Verdict


class SandboxState(StrEnum):
    """What became, or is, of a sandbox. Repeating a command is not an error."""

    UP = "up"
    ALREADY_UP = "already_up"
    DOWN = "down"
    ALREADY_DOWN = "already_down"
    RESET = "reset"
    DIED = "died"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReport:
    """One sandbox at one moment.

    Attributes:
        verdict: problem if it should be up and has died or does not answer.
        state: what was done, or what it is.
        name: of the sandbox.
        bootstrap_servers: for clients; None while it is down.
        kafka_version: of the broker that runs there.
        pid: of the broker; None while it is down.
        started_at: UTC; None while it is down.
        directory: its data, settings and logs.
        log: the broker's own log.
        detail: for a problem, the last ERROR line of the log; else empty.
        topics: without Kafka's own; empty while it is down.
    """

    verdict: Verdict
    state: SandboxState
    name: str
    bootstrap_servers: str | None
    kafka_version: str
    pid: int | None
    started_at: datetime | None
    directory: Path
    log: Path
    detail: str = ""
    topics: tuple[TopicReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What `sandbox.json` holds, so that later commands find the broker again.

    Attributes:
        pid: of the broker that should run; None after `down`.
        process_started: its start time, seconds since 1970, to tell it from a later process.
        started_at: the same for readers, UTC.
    """

    kafka_version: str
    port: int
    controller_port: int
    pid: int | None = None
    process_started: float = 0.0
    started_at: datetime | None = None
