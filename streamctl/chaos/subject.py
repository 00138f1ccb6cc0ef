"""The job that an experiment is done to: a project of its own, driven by the installed program.

It is started, asked and stopped as an operator would, by commands; and it is watched from outside,
by its processes and the files that it writes.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

import streamctl
from streamctl.chaos.account import Place, Planned, Sent, planned_batches
from streamctl.chaos.evidence import Found, Must
from streamctl.chaos.feed import Feed
from streamctl.chaos.stage import Stage
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, StreamctlError
from streamctl.job.launcher import kill, session_members
from streamctl.rundir import RunDirectory, Status

WINDOWS, LETTERS = QUERIES = ("windows", "dead_letters")
_COMMAND_SECONDS = 240.0
_JOB: dict[str, Any] = {
    "kafka.starting_offsets": "earliest",
    "kafka.max_offsets_per_trigger": 4000,
    "kafka.timeout_seconds": 5,
    # a client that hears nothing for some seconds asks anew, or the job finds out after minutes
    "kafka.options.request.timeout.ms": "5000",
    "kafka.options.default.api.timeout.ms": "10000",
    "stream.watermark": "2 minutes",
    "spark.master": "local[2]",
    "spark.shuffle_partitions": 2,
    "spark.driver_memory": "640m",
    "spark.options.spark.sql.streaming.minBatchesToRetain": "1000000",
    "supervise.attempts": 50,
    "supervise.initial_backoff_seconds": 0.5,
    "supervise.max_backoff_seconds": 2,
    "start.min_free_disk_bytes": 0,
}


class Subject:
    """One job, its topic and what is sent to it.

    Attributes:
        gone: query -> records that Kafka deleted before it had read them.
        history: the committed batches, kept when another checkpoint comes to their place.
        sent, chapters, letters_from: of topics and generations before, see `chapters.py`.
        crashed: whether a process was ended by force.
        environ: variables of its commands, over those of this process.
        background: threads of faults that go on.

    Args:
        directory: for its project and the evidence; new.
        stage: the broker and the proxy.
        job: settings over ours; flat keys.
        seed: of the records.
    """

    def __init__(self, directory: Path, stage: Stage, *, job: Mapping[str, Any], seed: int) -> None:
        self.directory, self.stage = directory, stage
        self.project = directory / "project"
        self.run = RunDirectory(self.project / ".streamctl" / "default")
        self.topic = f"telemetry-{directory.name}"
        self.gone: dict[str, set[Place]] = {query: set() for query in QUERIES}
        self.history: dict[int, Planned] = {}
        self.sent: dict[Place, Sent] | None = None
        self.chapters: list[tuple[Must, Found]] = []
        self.letters_from: dict[int, int] = {}
        self.crashed = False
        self.environ: dict[str, str] = {}
        self.background: list[threading.Thread] = []
        self.broker = stage.broker()
        self.feed = Feed(self.broker, self.topic, ledgers=directory / "ledgers", seed=seed)
        self.settings = {**_JOB, "kafka.topic": self.topic, **job}

    @property
    def checkpoint_location(self) -> Path:
        """Of the project."""
        return self.project / "data" / "checkpoint"

    def prepare(self) -> None:
        """Make the topic and the project."""
        self.broker.create_topic(self.topic, partitions=2)
        self.project.mkdir(parents=True, exist_ok=True)
        self.set("kafka.bootstrap_servers", self.stage.servers)

    def set(self, key: str, value: Any) -> None:
        """Change a setting of the project; a job that runs keeps the old one."""
        self.settings[key] = value
        (self.project / "streamctl.toml").write_text(_toml(self.settings), "utf-8")

    def streamctl(self, *arguments: str, timeout: float = _COMMAND_SECONDS) -> "Answer":
        """Run a command in the project, as an operator would.

        Raises:
            StreamctlError: it did not end in time.
        """
        home = str(Path(streamctl.__file__).parents[1])
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("STREAMCTL_", "KAFKA"))}
        environ |= {k: v for k, v in os.environ.items() if k == "STREAMCTL_CACHE"}
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, (home, environ.get("PYTHONPATH"))))
        environ |= self.environ
        command = [sys.executable, "-m", "streamctl", *arguments, "-o", "json"]
        try:
            done = subprocess.run(
                command, cwd=self.project, env=environ, capture_output=True, text=True,
                timeout=timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise StreamctlError(
                f"`streamctl {arguments[0]}` did not end within {timeout:g} s"
            ) from None
        return Answer(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str) -> Any:
        """Run a command that has to succeed; return its data.

        Raises:
            StreamctlError: it failed; with its own words.
        """
        answer = self.streamctl(*arguments)
        if answer.exit_code:
            raise StreamctlError(f"`streamctl {' '.join(arguments)}`: {answer.reason}")
        return answer.data

    def status(self) -> Status | None:
        """What the supervisor wrote last."""
        return self.run.read(Status)

    def driver_processes(self) -> list[int]:
        """Living processes of the driver, by looking at the system."""
        status = self.status()
        if status is None or status.driver_pid is None:
            return []
        return session_members(status.driver_pid)

    def checkpoint(self, query: str = WINDOWS) -> Checkpoint:
        """Of the current generation.

        Raises:
            CheckpointNotFound: the query has not begun.
        """
        return Checkpoint.open(str(self.generation("checkpoint") / query))

    def generation(self, kind: str) -> Path:
        """Directory of the current generation's `checkpoint` or `output`.

        Raises:
            CheckpointNotFound: there is none yet.
        """
        found = generations.current(Store.open(str(self.checkpoint_location)))
        if found is None:
            raise CheckpointNotFound("the job has not begun")
        return self.project / "data" / kind / found.name

    def position(self, query: str = WINDOWS) -> dict[int, int]:
        """Next offset to read by partition, after the last committed batch."""
        committed = self.checkpoint(query).position().committed
        return dict((committed[0].kafka or {}).get(self.topic, {})) if committed else {}

    def drain(self, seconds: float) -> bool:
        """Wait until both queries have committed what the topic holds; whether they have."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(StreamctlError):
                ends = {p: high for p, (_, high) in self.broker.watermarks(self.topic).items()}
                if all(self.position(query) == ends for query in QUERIES):
                    return True
            time.sleep(0.5)
        return False

    def true_lag(self) -> int:
        """Log ends minus the position.

        Raises:
            StreamctlError: either cannot be told.
        """
        position = self.position()
        marks = self.stage.broker(timeout_seconds=2).watermarks(self.topic)
        return sum(high - max(low, position.get(p, 0)) for p, (low, high) in marks.items())

    def remember(self) -> None:
        """Keep the batches so far: what comes next may put another checkpoint in the place."""
        newest = max(self.history, default=-1)
        self.history |= planned_batches(self.checkpoint(), self.topic, after=newest)

    def clean(self) -> None:
        """End whatever of the job is left, by process id."""
        self.feed.stop()
        end_processes(self.run)


class Answer:
    """What a command answered.

    Args:
        exit_code: of the process.
        stdout: its data, as JSON.
        stderr: its error, as JSON too.
    """

    def __init__(self, exit_code: int, stdout: str, stderr: str) -> None:
        self.exit_code, self.stdout, self.stderr = exit_code, stdout, stderr

    @property
    def data(self) -> Any:
        """The report."""
        return json.loads(self.stdout)["data"] if self.stdout.startswith("{") else None

    @property
    def reason(self) -> str:
        """The error's message, else the last words."""
        lines = [json.loads(line) for line in self.stderr.splitlines() if line[:1] == "{"]
        errors = [line["error"]["message"] for line in lines if "error" in line]
        words = self.stderr.strip().splitlines() or [f"exit code {self.exit_code}"]
        return str((errors or words)[-1])


def end_processes(run: RunDirectory) -> bool:
    """Kill the supervisor and the drivers of a run directory; whether there were any.

    Each is known by what it is, not by its number alone.
    """
    status = run.read(Status)
    if status is None:
        return False
    living = [pid for pid in (status.supervisor_pid,) if _is_supervisor(pid)]
    for session in filter(None, (status.driver_pid, status.standby_pid)):
        living += session_members(session)
    for pid in living:
        kill(pid)
    return bool(living)


def _is_supervisor(pid: int) -> bool:
    try:
        return "streamctl.supervisor" in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def seconds(moment: str) -> float:
    """Seconds since 1970 of an ISO 8601 time."""
    return datetime.fromisoformat(moment).timestamp()


def _toml(settings: Mapping[str, Any]) -> str:
    sections: dict[str, list[str]] = {}
    for key, value in settings.items():
        section, _, name = key.partition(".")
        if name.startswith("options."):
            section, name = f"{section}.options", name.removeprefix("options.")
        sections.setdefault(section, []).append(f"{json.dumps(name)} = {json.dumps(value)}")
    return "".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in sections.items())
