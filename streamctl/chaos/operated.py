"""A job that experiments are done to: driven by the installed program, and watched from outside.

It is started, asked and stopped as an operator would, by commands; and it is watched by its
processes and the files that it writes.
"""

import json
import os
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

import streamctl
from streamctl.chaos.proxy.line import Line
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, StreamctlError
from streamctl.job.launcher import kill, session_members
from streamctl.kafka.client import Broker
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Status

_COMMAND_SECONDS = 240.0


class Operated(ABC):
    """A job and where it is.

    Args:
        directory: for journals and evidence.
        project: where commands are run.
        run: its run directory.
        places: directories of `checkpoint` and `output`.
        query: the one that is watched.
        environ: variables of its commands.
        flags: given to each of its commands.

    Attributes:
        crashed: whether a process was ended by force.
        background: threads of faults that go on.
    """

    def __init__(
        self, directory: Path, *, project: Path, run: RunDirectory, places: dict[str, Path],
        query: str, environ: Mapping[str, str], flags: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.directory, self.project, self.run = directory, project, run
        self.places, self.query = places, query
        self.crashed = False
        self.environ, self.flags = dict(environ), flags
        self.background: list[threading.Thread] = []

    @property
    @abstractmethod
    def line(self) -> Line:
        """The network between the job and Kafka.

        Raises:
            Unsupported: there is nothing in between that could be told.
        """

    @abstractmethod
    def ask(self, *, timeout_seconds: float = 20.0) -> Broker:
        """A client of its Kafka that no fault stands in the way of."""

    @abstractmethod
    def true_lag(self) -> int:
        """Log ends minus the position.

        Raises:
            StreamctlError: either cannot be told.
        """

    def streamctl(self, *arguments: str, timeout: float = _COMMAND_SECONDS) -> "Answer":
        """Run a command in the project, as an operator would.

        Raises:
            StreamctlError: it did not end in time.
        """
        home = str(Path(streamctl.__file__).parents[1])
        path = os.pathsep.join(filter(None, (home, self.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", "streamctl", *arguments, *self.flags, "-o", "json"]
        try:
            done = subprocess.run(
                command, cwd=self.project, env=self.environ | {"PYTHONPATH": path},
                capture_output=True, text=True, timeout=timeout, check=False,
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

    def checkpoint(self, query: str = "") -> Checkpoint:
        """Of a query, or the one that is watched, in the current generation.

        Raises:
            CheckpointNotFound: the query has not begun.
        """
        return Checkpoint.open(str(self.generation("checkpoint") / (query or self.query)))

    def generation(self, kind: str) -> Path:
        """Directory of the current generation's `checkpoint` or `output`.

        Raises:
            CheckpointNotFound: there is none yet.
        """
        found = generations.current(Store.open(str(self.places["checkpoint"])))
        if found is None:
            raise CheckpointNotFound("the job has not begun")
        return self.places[kind] / found.name


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
