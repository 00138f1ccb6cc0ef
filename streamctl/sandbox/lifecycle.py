"""A real Apache Kafka of one node (KRaft), to try things on: up, down, status, reset.

A sandbox is a directory: data, settings, logs and a note of the process. Its ports stay the same
over `down` and `up`, so that clients find it again.
"""

import fcntl
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from streamctl.errors import (
    BrokerUnreachable,
    Busy,
    DeadlinePassed,
    NotFound,
    Refused,
    StreamctlError,
)
from streamctl.jars import KAFKA_VERSION, cache_directory
from streamctl.kafka.client import Broker
from streamctl.kafka.model import TopicReport
from streamctl.reports import Event, OnEvent, Verdict, as_json, ignore
from streamctl.rundir.files import read_file, replace_file
from streamctl.sandbox import process
from streamctl.sandbox.config import HOST, Behind
from streamctl.sandbox.launch import Launch, last_error, launch
from streamctl.sandbox.model import Note, SandboxReport, SandboxState

_PING_SECONDS = 2.0


def sandbox_directory(name: str = "default") -> Path:
    """Return where a sandbox of that name lies, in the user's cache."""
    return cache_directory() / "sandbox" / name


def up(
    *,
    directory: Path,
    port: int | None = None,
    topics: Mapping[str, int] | None = None,
    overrides: Mapping[str, str] | None = None,
    heap_mb: int = 512,
    behind: Behind | None = None,
    timeout_seconds: float = 60.0,
    on_event: OnEvent = ignore,
) -> SandboxReport:
    """Start the broker unless it runs, wait until it answers, create the topics that are missing.

    Args:
        directory: of the sandbox; made if it is not there.
        port: for clients; a free one if None, the same as before on a second start.
        topics: name -> partitions.
        overrides: broker settings, for instance `{"log.retention.check.interval.ms": "1000"}`.
        heap_mb: the JVM's largest heap.
        behind: a second listener, for clients that come through a proxy.
        timeout_seconds: for the broker to answer, downloads not counted.
        on_event: hears of downloads and of the start.

    Raises:
        JavaNotFound, JarsUnavailable: nothing to run, see `streamctl.jars`.
        Busy: the port is taken, or the sandbox is up on another one.
        StreamctlError: the broker ended while starting; with the last ERROR line of its log.
        DeadlinePassed: it runs and does not answer; it was ended.
        Refused: a topic exists with another number of partitions.
    """
    with _alone(directory):
        note = read_file(_note(directory), Note)
        if note is not None and _runs(note):
            if port is not None and port != note.port:
                raise Busy(
                    f'the sandbox in "{directory}" is up on port {note.port}',
                    hint="Run `streamctl sandbox down` first, or give it another --name.",
                )
            state = SandboxState.ALREADY_UP
        else:
            state = SandboxState.UP
            note = _start(
                Launch(
                    directory=directory,
                    overrides=dict(overrides or {}),
                    heap_mb=heap_mb,
                    behind=behind,
                ),
                before=note,
                port=port,
                on_event=on_event,
            )
        _wait_for_answer(directory, note, timeout_seconds=timeout_seconds, on_event=on_event)
        _create_topics(note, topics or {}, on_event)
        return _report(directory, note, state)


def down(
    *, directory: Path, timeout_seconds: float = 30.0, on_event: OnEvent = ignore
) -> SandboxReport:
    """Stop the broker and wait until its process is gone; the data stays.

    Args:
        directory: of the sandbox; nothing happens if it is not there.
        timeout_seconds: after it, the process is killed.
        on_event: hears of the stop.
    """
    with _alone(directory, create=False):
        note = read_file(_note(directory), Note)
        ran = note is not None and _runs(note)
        if note is not None and note.pid is not None:
            on_event(Event(message=f"stopping the broker, process {note.pid}"))
            process.end(note.pid, note.process_started, patience_seconds=timeout_seconds)
            note = replace(note, pid=None, started_at=None)
            _write(directory, note)
        return _report(directory, note, SandboxState.DOWN if ran else SandboxState.ALREADY_DOWN)


def status(*, directory: Path) -> SandboxReport:
    """Say whether the broker runs and answers; one that died is a problem, one put down is not."""
    note = read_file(_note(directory), Note)
    if note is None or note.pid is None:
        return _report(directory, note, SandboxState.DOWN)
    if not _runs(note):
        return _report(directory, note, SandboxState.DIED)
    return _report(directory, note, SandboxState.UP)


def reset(
    *, directory: Path, timeout_seconds: float = 30.0, on_event: OnEvent = ignore
) -> SandboxReport:
    """Stop the broker and remove its data, settings and logs.

    Raises:
        Refused: the directory holds something that no sandbox wrote.
    """
    if directory.exists() and not _note(directory).exists():
        if any(path.name != ".lock" for path in directory.iterdir()):
            raise Refused(f'"{directory}" is not a sandbox, nothing was removed')
    elif directory.exists():
        down(directory=directory, timeout_seconds=timeout_seconds, on_event=on_event)
        on_event(Event(message=f'removing "{directory}"'))
        for name in ("data", "logs"):
            shutil.rmtree(directory / name, ignore_errors=True)
        for path in list(directory.iterdir()):
            if path.is_file():
                path.unlink()
        with suppress(OSError):
            directory.rmdir()
    return _report(directory, None, SandboxState.RESET)


def pause(*, directory: Path) -> None:
    """Freeze the broker (SIGSTOP): connections stay open and nobody answers.

    Raises:
        NotFound: no broker runs there. (So do `resume` and `kill`.)
    """
    _signal(directory, signal.SIGSTOP)


def resume(*, directory: Path) -> None:
    """Let a frozen broker go on (SIGCONT)."""
    _signal(directory, signal.SIGCONT)


def kill(*, directory: Path) -> None:
    """End the broker at once, as a crash does (SIGKILL); `up` starts it again on the same port."""
    pid = _signal(directory, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while process.start_time(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)


def _signal(directory: Path, what: signal.Signals) -> int:
    note = read_file(_note(directory), Note)
    if note is None or note.pid is None or not process.send(note.pid, note.process_started, what):
        raise NotFound(f'no broker runs in "{directory}"', hint="Run `streamctl sandbox up`.")
    return note.pid


def _note(directory: Path) -> Path:
    return directory / "sandbox.json"


def _write(directory: Path, note: Note) -> None:
    import json

    replace_file(_note(directory), json.dumps(as_json(note), indent=1) + "\n")


def _runs(note: Note) -> bool:
    return note.pid is not None and process.is_running(note.pid, note.process_started)


@contextmanager
def _alone(directory: Path, *, create: bool = True) -> Iterator[None]:
    """Keep a second command on the same sandbox waiting."""
    if not create and not directory.exists():
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _start(wanted: Launch, *, before: Note | None, port: int | None, on_event: OnEvent) -> Note:
    if port is not None and not _is_free(port):
        raise Busy(
            f"port {port} is in use",
            hint="Give another --port, or none to get a free one.",
        )
    ports = [port, None] if before is None else [port or before.port, before.controller_port]
    chosen = [number if number and _is_free(number) else free_port() for number in ports]
    while chosen[1] == chosen[0]:
        chosen[1] = free_port()
    pid = launch(wanted, port=chosen[0], controller_port=chosen[1], on_event=on_event)
    try:
        note = Note(
            kafka_version=KAFKA_VERSION,
            port=chosen[0],
            controller_port=chosen[1],
            pid=pid,
            process_started=process.start_time(pid) or 0.0,
            started_at=datetime.now(UTC),
        )
        _write(wanted.directory, note)
    except BaseException:  # without a note nobody would find it again
        os.kill(pid, signal.SIGKILL)
        raise
    return note


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Choose below the range that systems take ports of outgoing connections from.

    A port of that range may be taken by any client while the broker is down, even by one that
    tries to reach this very broker.
    """
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - not a secret
        if _is_free(port):
            return port


def _wait_for_answer(
    directory: Path, note: Note, *, timeout_seconds: float, on_event: OnEvent
) -> None:
    """Ask until the broker answers; whatever ends the wait otherwise leaves no process behind."""
    try:
        _ask_until_answer(directory, note, timeout_seconds=timeout_seconds, on_event=on_event)
    except BaseException:
        if note.pid is not None:
            process.end(note.pid, note.process_started, patience_seconds=5)
        _write(directory, replace(note, pid=None, started_at=None))
        raise


def _ask_until_answer(
    directory: Path, note: Note, *, timeout_seconds: float, on_event: OnEvent
) -> None:
    began = time.monotonic()
    broker = Broker(_servers(note), timeout_seconds=0.5)
    hint = f'Its log is "{directory / "logs" / "broker.log"}".'
    told = 0
    while True:
        if not _runs(note):
            reason = last_error(directory)
            raise StreamctlError(f"the broker ended while starting: {reason}", hint=hint)
        with suppress(BrokerUnreachable):
            broker.ping()
            return
        waited = time.monotonic() - began
        if waited > timeout_seconds:
            message = f"the broker did not answer within {timeout_seconds:g} s"
            raise DeadlinePassed(message, hint=hint)
        if waited >= told + 1:
            told = int(waited)
            on_event(Event(message=f"waiting for the broker at {_servers(note)}, {told} s"))


def _create_topics(note: Note, topics: Mapping[str, int], on_event: OnEvent) -> None:
    with Broker(_servers(note), timeout_seconds=15) as broker:
        for name, partitions in topics.items():
            if broker.create_topic(name, partitions=partitions):
                on_event(Event(message=f'created topic "{name}", {partitions} partitions'))
                continue
            there = broker.topic(name).partitions
            if there != partitions:
                raise Refused(
                    f'topic "{name}" exists with {there} partitions, not {partitions}',
                    hint="Choose another name, or start anew with `streamctl sandbox reset`.",
                )


def _servers(note: Note) -> str:
    return f"{HOST}:{note.port}"


def _report(directory: Path, note: Note | None, state: SandboxState) -> SandboxReport:
    topics: tuple[TopicReport, ...] = ()
    verdict, detail = Verdict.OK, ""
    if note is not None and state in {SandboxState.UP, SandboxState.ALREADY_UP}:
        try:
            with Broker(_servers(note), timeout_seconds=_PING_SECONDS) as broker:
                topics = broker.topics()
        except BrokerUnreachable as error:
            state, verdict, detail = SandboxState.SILENT, Verdict.PROBLEM, error.message
    if state is SandboxState.DIED:
        verdict, detail = Verdict.PROBLEM, last_error(directory)
    runs = note is not None and state in {
        SandboxState.UP, SandboxState.ALREADY_UP, SandboxState.SILENT,
    }  # fmt: skip
    return SandboxReport(
        verdict=verdict,
        state=state,
        name=directory.name,
        bootstrap_servers=_servers(note) if note and runs else None,
        kafka_version=note.kafka_version if note else KAFKA_VERSION,
        pid=note.pid if note and runs else None,
        started_at=note.started_at if note and runs else None,
        directory=directory,
        log=directory / "logs" / "broker.log",
        detail=detail,
        topics=topics,
    )
