"""Runs the installed program in a project of its own, as a user does."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.job.launcher import kill, session_members
from streamctl.job.scratch import noted, sweep
from streamctl.kafka.client import Broker
from streamctl.lag.measure import measure
from streamctl.lag.subjects import find_subjects
from streamctl.observe.status import read_status
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Status
from streamctl.settings.model import Settings

REPOSITORY = Path(__file__).parents[1]
ASK_SECONDS = 1.0
"""How often the program is asked for something: each answer takes processor time from the job."""


@dataclass(frozen=True)
class Answer:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        return json.loads(self.stdout)["data"]

    @property
    def error(self) -> Any:
        documents = [json.loads(line) for line in self.stderr.splitlines() if line[:1] == "{"]
        return next(document["error"] for document in documents if "error" in document)


class Project:
    """A directory with a `streamctl.toml`, and whatever was started from it."""

    def __init__(self, directory: Path, settings: dict[str, dict[str, Any]]) -> None:
        self.directory = directory
        self.run = RunDirectory(directory / ".streamctl" / "default")
        self.write(settings)

    def write(self, settings: dict[str, dict[str, Any]]) -> None:
        lines = []
        for section, fields in settings.items():
            lines.append(f"[{section}]")
            lines += [f"{json.dumps(name)} = {json.dumps(v)}" for name, v in fields.items()]
        (self.directory / "streamctl.toml").write_text("\n".join(lines) + "\n")

    def spawn(self, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | more
        environ = os.environ | {"PYTHONPATH": str(REPOSITORY)} | given.pop("environ", {})
        return subprocess.Popen(
            [*given.pop("prefix", ()), sys.executable, "-m", "streamctl", *arguments],
            cwd=self.directory,
            env=environ,
            **given,
        )

    def __call__(self, *arguments: str, timeout: float = 240, **more: Any) -> Answer:
        process = self.spawn(*arguments, **more)
        stdout, stderr = process.communicate(timeout=timeout)
        return Answer(process.returncode, stdout, stderr)

    def json(self, *arguments: str, **more: Any) -> Answer:
        return self(*arguments, "-o", "json", **more)

    def status(self) -> Status:
        status = self.run.read(Status)
        assert status is not None
        return status

    def checkpoints(self, generation: str = "0001") -> dict[str, Checkpoint]:
        base = self.directory / "data" / "checkpoint" / generation
        names = sorted(path.name for path in base.iterdir())
        return {name: Checkpoint.open(str(base / name)) for name in names}

    def read_by(self) -> int:
        """Records that the slower query has read."""
        return min((q.total_rows or 0 for q in read_status(self.run).queries), default=0)

    def drain(self, *flags: str) -> None:
        """Wait until every query has read what its topic holds, as the program says at the end."""
        settings = Settings.model_validate_json(self.run.settings_file.read_text())
        with Broker.of(settings.kafka) as broker:
            until(lambda: self._lag(settings, broker) == 0, every=ASK_SECONDS / 3)
        assert {q["lag_records"] for q in self.json("lag", *flags).data["queries"]} == {0}

    def _lag(self, settings: Settings, broker: Broker) -> int | None:
        subjects = find_subjects(settings.checkpoint.location)
        found = measure(subjects, broker, location="", now=datetime.now(UTC), ages=False)
        return found.lag_records

    def clean(self) -> None:
        """End what is left, by process id."""
        status = self.run.read(Status)
        if status is None:
            return
        kill_if_ours(status.supervisor_pid, "streamctl.supervisor")
        for session in filter(None, (status.driver_pid, status.standby_pid)):
            for pid in session_members(session):
                kill(pid)
        sweep(noted(self.run.temporary))


def kill_if_ours(pid: int, mark: str) -> None:
    try:
        if mark in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return


def until(holds, *, seconds: float = 180, every: float = 0.05):
    """The first true answer; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every)
    return answer
