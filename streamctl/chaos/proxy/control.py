"""Holds a proxy: in a thread of this process, or in a child process that may outlive it.

A child is told over a Unix socket, one JSON object a line: a fault, or nothing to look only; the
answer is its traffic. Its note (`proxy.json`) leads later commands to it.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from streamctl.chaos.proxy.fault import Fault, Traffic
from streamctl.chaos.proxy.proxy import Address, Proxy
from streamctl.errors import Malformed, NotFound, StreamctlError
from streamctl.reports import as_json
from streamctl.rundir.files import read_file, replace_file
from streamctl.sandbox import process

T = TypeVar("T")
_ANSWER_SECONDS = 10.0
_HOST = "127.0.0.1"


class LocalProxy:
    """A proxy in a thread of this process; made by `local_proxy`."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self.port = port
        self._proxy, self._loop = proxy, loop

    def apply(self, fault: Fault) -> Traffic:
        """Put all connections under a fault."""
        return self._ask(lambda: self._proxy.apply(fault))

    def traffic(self) -> Traffic:
        """What went through so far."""
        return self._ask(self._proxy.traffic)

    def _ask(self, what: Callable[[], T]) -> T:
        async def answer() -> T:
            return what()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(_ANSWER_SECONDS)


@contextmanager
def local_proxy(to: Address, *, port: int = 0, seed: int = 0) -> Iterator[LocalProxy]:
    """Run a proxy in a thread.

    Args:
        to: host and port of the broker's listener.
        port: to listen on; 0 for a free one.
        seed: of the jitter.

    Raises:
        OSError: the port is taken.
    """
    loop = asyncio.new_event_loop()
    proxy = Proxy(to, seed=seed)

    async def listen() -> int:
        return proxy.listen((_HOST, port))

    chosen = loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
    thread.start()
    try:
        yield LocalProxy(proxy, loop, chosen)
    finally:
        loop.call_soon_threadsafe(proxy.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Where a proxy in a child process is found.

    Attributes:
        control: path of its Unix socket.
        process_started: tells it from a later process of the same id.
    """

    pid: int
    process_started: float
    port: int
    control: str


class ChildProxy:
    """A proxy in a process of its own, known by its note.

    Args:
        directory: holds the note.

    Raises:
        NotFound: no proxy was started there.
    """

    def __init__(self, directory: Path) -> None:
        note = read_file(directory / "proxy.json", Note)
        if note is None:
            raise NotFound(f'no proxy was started in "{directory}"')
        self.note = note

    @property
    def port(self) -> int:
        """Clients connect to it."""
        return self.note.port

    def apply(self, fault: Fault) -> Traffic:
        """Put all connections under a fault.

        Raises:
            NotFound: the process is gone.
        """
        return self._ask(as_json(fault))

    def traffic(self) -> Traffic:
        """What went through so far.

        Raises:
            NotFound: the process is gone.
        """
        return self._ask({})

    def end(self) -> None:
        """End the process, if it still runs."""
        process.end(self.note.pid, self.note.process_started, patience_seconds=2)
        shutil.rmtree(Path(self.note.control).parent, ignore_errors=True)  # made for the socket

    def _ask(self, what: dict[str, Any]) -> Traffic:
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(_ANSWER_SECONDS)
                line.connect(self.note.control)
                line.sendall(json.dumps(what).encode() + b"\n")
                text = line.makefile("rb").readline()
        except OSError as error:
            raise NotFound(f"the proxy, process {self.note.pid}, does not answer") from error
        answer = json.loads(text)
        if "error" in answer:
            raise Malformed(str(answer["error"]))
        return Traffic(**{**answer, "fault": Fault.of(answer["fault"])})


def start_child(
    directory: Path,
    to: Address,
    *,
    port: int = 0,
    host: str = _HOST,
    enter: Sequence[str] = (),
    seed: int = 0,
) -> ChildProxy:
    """Start a proxy as a process of its own session, and wait until it listens.

    Args:
        directory: for its note and what it says.
        to: host and port of the broker's listener.
        port: to listen on; 0 for a free one.
        host: address to listen at.
        enter: words in front of its command, which run it in another network namespace; the first
            is a path.
        seed: of the jitter.

    Raises:
        StreamctlError: it ended at once; with its words.
    """
    directory.mkdir(parents=True, exist_ok=True)
    note = directory / "proxy.json"
    note.unlink(missing_ok=True)
    # a socket's path holds about 100 characters, fewer than some directories
    control = Path(tempfile.mkdtemp(prefix="streamctl-proxy-")) / "control"
    command = [*enter, sys.executable, "-m", "streamctl.chaos.proxy", "--note", str(note)]
    command += ["--to", f"{to[0]}:{to[1]}", "--at", f"{host}:{port}", "--seed", str(seed)]
    output = directory / "proxy.out"
    pid = process.spawn([*command, "--control", str(control)], output=output)
    started = process.start_time(pid) or 0.0
    while not note.exists():
        if not process.is_running(pid, started):
            words = output.read_text("utf-8").strip().splitlines()
            raise StreamctlError(f"the proxy did not start: {(words or ['no word'])[-1]}")
        time.sleep(0.02)
    return ChildProxy(directory)


def serve(to: Address, *, at: Address, control: Path, note: Path, seed: int) -> None:
    """Be that child: until SIGTERM."""
    asyncio.run(_serve(Proxy(to, seed=seed), at=at, control=control, note=note))


async def _serve(proxy: Proxy, *, at: Address, control: Path, note: Path) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    chosen = proxy.listen(at)

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(_obey(proxy, line)).encode() + b"\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(hear, control)
    own = Note(
        pid=os.getpid(),
        process_started=process.start_time(os.getpid()) or 0.0,
        port=chosen,
        control=str(control),
    )
    replace_file(note, json.dumps(as_json(own)) + "\n")
    await ended.wait()
    server.close()
    proxy.close()


def _obey(proxy: Proxy, line: bytes) -> Any:
    try:
        if wanted := json.loads(line):
            proxy.apply(Fault.of(wanted))
    except (ValueError, StreamctlError) as error:
        return {"error": str(error)}
    return as_json(proxy.traffic())
