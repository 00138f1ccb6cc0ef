"""Starts the driver and makes sure that it is gone when it is gone.

The driver is a session of its own: Python, its JVM and what they start. It is watched from
outside only, by its exit. Before it is started again, every process of its session is ended,
because a JVM that outlives its killed Python would go on writing to the checkpoint.
The driver's standard input is a pipe that stays open: when the supervisor dies, the driver reads
its end and stops gracefully by itself.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import psutil

from streamctl.job.scratch import Scratch, aside
from streamctl.rundir.records import TAKE_OVER


class Driver:
    """One attempt: a child process that drives Spark.

    Args:
        command: what to run.
        directory: working directory, from which a user's job is imported.
        environ: its whole environment but for what `scratch` adds.
        scratch: for its temporary files; removed with the session.
        nice: its priority and that of all it starts, see `nice(1)`.

    Raises:
        OSError: no process can be started.
    """

    def __init__(
        self,
        command: list[str],
        *,
        directory: Path,
        environ: Mapping[str, str],
        scratch: Scratch,
        nice: int = 0,
    ) -> None:
        self._scratch = scratch
        self._process: subprocess.Popen[bytes] = start_apart(
            command,
            directory=directory,
            environ=environ,
            scratch=scratch,
            stdin=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if nice:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, nice)
        self.started = time.monotonic()

    @property
    def pid(self) -> int:
        """Process id of the driver's Python; also the id of its session."""
        return self._process.pid

    @property
    def output(self) -> IO[bytes]:
        """What it and its JVM write."""
        stream = self._process.stdout
        if stream is None:
            raise RuntimeError("the driver was started without a pipe")
        return stream

    def poll(self) -> int | None:
        """Exit code, negative for a signal; None while it lives."""
        return self._process.poll()

    def take_over(self) -> None:
        """Tell a driver that waits in standby to begin: its launch is written."""
        stream = self._process.stdin
        if stream is None:
            raise RuntimeError("the driver was started without a pipe")
        stream.write(TAKE_OVER)
        stream.flush()
        self.started = time.monotonic()

    def ask_to_stop(self) -> None:
        """SIGTERM to the driver's Python, which ends after the running batch."""
        self._process.send_signal(signal.SIGTERM)

    def end_session(self, *, within_seconds: float = 10) -> None:
        """SIGKILL whatever of its session is left, wait until nothing is, and tidy up after it.

        Raises:
            TimeoutError: a process cannot be killed; starting another would be a second writer.
        """
        end_members(self.pid, within_seconds=within_seconds)
        self._process.poll()
        aside(self._scratch.remove)


def start_apart(
    command: list[str],
    *,
    directory: Path,
    environ: Mapping[str, str],
    scratch: Scratch,
    **more: Any,
) -> "subprocess.Popen[Any]":
    """Start a process in a session of its own, whose standard output is read.

    Args:
        command: what to run.
        directory: working directory.
        environ: its whole environment but for what `scratch` adds.
        scratch: for its temporary files.
        more: as `subprocess.Popen` takes it.

    Raises:
        OSError: it cannot be started; `scratch` is removed.
    """
    try:
        return subprocess.Popen(
            command,
            cwd=directory,
            env={**environ, **scratch.environ},
            stdout=subprocess.PIPE,
            start_new_session=True,
            **more,
        )
    except OSError:
        scratch.remove()
        raise


def driver_command(run_directory: Path, *, standby: bool = False) -> list[str]:
    """The command of the driver that ships with streamctl."""
    command = [sys.executable, "-m", "jobs", "--run-directory", str(run_directory), "--watch-stdin"]
    return [*command, "--standby"] if standby else command


def driver_environment(environ: Mapping[str, str], *, java_home: Path) -> dict[str, str]:
    """The supervisor's environment, and which Python and Java to use."""
    return dict(environ) | {
        "JAVA_HOME": str(java_home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYTHONUNBUFFERED": "1",
    }


def session_members(session: int) -> list[int]:
    """Living processes of a session; zombies have ended and do not count."""
    return [process.pid for process in psutil.process_iter() if _belongs(process, session)]


def end_members(session: int, *, within_seconds: float = 10) -> None:
    """SIGKILL every process of a session, and wait until none is left.

    Raises:
        TimeoutError: a process cannot be killed.
    """
    deadline = time.monotonic() + within_seconds
    while living := session_members(session):
        for pid in living:
            kill(pid)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {living} of session {session} do not end")
        time.sleep(0.02)


def _belongs(process: psutil.Process, session: int) -> bool:
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, PermissionError, psutil.Error):
        return False


def kill(pid: int) -> None:
    """SIGKILL one process, which may have gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
