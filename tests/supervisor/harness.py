"""Starts the real supervisor as a process of its own, and looks at what it writes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from streamctl.checkpoint.location.store import Store
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.files import replace_file
from streamctl.rundir.records import Observed, Status
from streamctl.settings.model import Settings

PATIENCE_SECONDS = 20


def until(holds, *, seconds=PATIENCE_SECONDS):
    """The first true answer; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return answer


class Harness:
    def __init__(self, tmp_path: Path) -> None:
        self.run = RunDirectory(tmp_path / "run")
        self.store = Store.open(str(tmp_path / "checkpoint"))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.temporary = tmp_path / "tmp"
        self.temporary.mkdir(parents=True)

    def start(
        self,
        *behaviours: str,
        disk_floor_bytes: int = 0,
        breaker: dict[str, float] | None = None,
        log: dict[str, str] | None = None,
        **supervise: float,
    ) -> "subprocess.Popen[bytes]":
        self.run.remove(Status)
        fast = {"initial_backoff_seconds": 0.3, "jitter": 0} | supervise
        settings = Settings.model_validate(
            {
                "checkpoint": {"location": self.store.path, "lease_seconds": 0.9},
                "supervise": fast,
                "breaker": breaker or {},
                "log": log or {},
                "limits": {"disk_floor_bytes": disk_floor_bytes},
            }
        )
        replace_file(self.run.settings_file, settings.model_dump_json())
        script = str(Path(__file__).with_name("fake_supervisor.py"))
        process = subprocess.Popen(
            [sys.executable, script, str(self.run.path), *behaviours],
            env=os.environ | {"PYTHONPATH": str(Path.cwd()), "TMPDIR": str(self.temporary)},
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def status(self) -> Status:
        return until(lambda: self.run.read(Status))

    def running(self) -> Status:
        until(lambda: self.status().observed is Observed.RUNNING)
        return self.status()

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.run.logs / "job.jsonl").open()]

    def child(self) -> psutil.Process:
        return psutil.Process(int((self.run.path / "child").read_text()))

    def clean(self) -> None:
        status = self.run.read(Status)
        for process in self.processes:
            process.kill()
            process.wait()
        if status and status.driver_pid:
            for pid in [status.driver_pid, *self._children()]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def _children(self) -> list[int]:
        path = self.run.path / "child"
        return [int(path.read_text())] if path.exists() else []


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
