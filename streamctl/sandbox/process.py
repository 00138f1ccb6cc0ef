"""A process that outlives its starter, known by its id and its start time.

An id alone may belong to another program after a while; with the start time it is the one we mean.
"""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_CLOCK_SLACK_SECONDS = 1.0
_STANDARD_ERROR = 2


def spawn(command: Sequence[str], *, output: Path) -> int:
    """Start a program in its own session, its output appended to a file; return the process id.

    It gets no Ctrl-C of the terminal, no standard input, and no other open file: a lock that its
    starter holds must not live on with it.
    """
    mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        command[0],
        list(command),
        os.environ,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), mode, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, number) for number in _inheritable()),
        ],
    )


def _inheritable() -> list[int]:
    """Open files that a child would get, beside the three standard ones."""
    found = []
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError):  # the listing's own is closed by now
            if int(name) > _STANDARD_ERROR and os.get_inheritable(int(name)):
                found.append(int(name))
    return found


def start_time(pid: int) -> float | None:
    """Return when a process started, in seconds since 1970; None if it does not run (any more)."""
    import psutil

    try:
        process = psutil.Process(pid)
        # a JVM's first thread may be gone while others still hold its ports
        if process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1:
            return process.create_time()
        process.wait(0)  # our own child, ended: let the system forget it
    except (psutil.Error, OSError):
        pass
    return None


def is_running(pid: int, started: float) -> bool:
    """Whether the very process that was started then still runs."""
    found = start_time(pid)
    return found is not None and abs(found - started) <= _CLOCK_SLACK_SECONDS


def send(pid: int, started: float, what: signal.Signals) -> bool:
    """Send a signal; False if that process no longer runs."""
    if not is_running(pid, started):
        return False
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        return False
    return True


def end(pid: int, started: float, *, patience_seconds: float) -> bool:
    """Ask to end (SIGTERM), after the patience force it (SIGKILL); True if it ended by itself."""
    send(pid, started, signal.SIGTERM)
    send(pid, started, signal.SIGCONT)  # a paused process cannot hear the request
    if _wait(pid, started, patience_seconds):
        return True
    send(pid, started, signal.SIGKILL)
    _wait(pid, started, 10)
    return False


def _wait(pid: int, started: float, seconds: float) -> bool:
    import psutil

    try:
        if is_running(pid, started):
            psutil.Process(pid).wait(seconds)
    except psutil.TimeoutExpired:
        return False
    except psutil.NoSuchProcess:
        pass
    return True
