"""A Kafka fetch through our fault proxy, through Toxiproxy, and without any; and the round trip.

Each proxy leads to a broker's listener whose advertised address is that proxy's, so the whole fetch
passes through it. No fault is set. Records are large and the consumer checks and unpacks nothing,
so that the client is not what is measured. The round trip is one byte to a server that echoes it,
less what the same takes without a proxy.
"""

import os
import shutil
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from scripts.benchmarks.compare import Goal, Result, alternate, tell
from scripts.benchmarks.stage import Stage
from streamctl.chaos.proxy.control import start_child
from streamctl.jars import cache_directory
from streamctl.kafka.client import Broker
from streamctl.sandbox import lifecycle as sandbox
from streamctl.sandbox.config import HOST, Behind

TOXIPROXY = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"
RECORDS, RECORD_BYTES = 60_000, 10_000
ROUND_TRIPS = 5000
Start = Callable[[Stage, str, int, int], AbstractContextManager[None]]
"""Stage, name, port to listen on, port to lead to."""
FETCH = {
    "check.crcs": False,
    "fetch.message.max.bytes": 8 << 20,
    "fetch.max.bytes": 64 << 20,
    "queued.max.messages.kbytes": 1 << 20,
    "queued.min.messages": 1_000_000,
}


def run(stage: Stage, runs: int) -> Result:
    """Both proxies run throughout, each used in turn."""
    with ExitStack() as stack:
        rates, trips = {}, {"none": partial(round_trips, stack.enter_context(echo()))}
        for name, start in (("streamctl", ours), ("toxiproxy", toxiproxy)):
            servers, through = stack.enter_context(_broker_behind(stage, name, start))
            rates[name] = partial(fetch, name, servers)
            trips[name] = partial(round_trips, through)
        direct = stack.enter_context(_filled(stage, "direct", None))
        rates["none"] = partial(fetch, "none", direct)
        figures = alternate(rates, runs, unit="MB/s", more_is_better=True)
        base = statistics.median(trips["none"]() for _ in range(runs))
        added = {name: partial(_added, name, trips[name], base) for name in rates if name != "none"}
        figures += alternate(added, runs, unit="us")
    return Result(
        name=f"proxy: a fetch of {RECORDS * RECORD_BYTES / 1e6:.0f} MB, and {ROUND_TRIPS} echoes",
        figures=figures,
        goals=[
            Goal(ours="streamctl, fetch", other="toxiproxy, fetch", bound=1.0, at_most=False),
            Goal(ours="streamctl, fetch", other="none, fetch"),
            Goal(ours="streamctl, added", other="toxiproxy, added", bound=1.0),
        ],
        notes=[f"Toxiproxy is {TOXIPROXY.rpartition('@')[2]}, with its logging at error level."],
    )


def fetch(name: str, servers: str) -> dict[str, float]:
    """Read the whole topic with one consumer."""
    from confluent_kafka import TopicPartition

    consumer = Broker(servers, timeout_seconds=20).consumer(FETCH)
    consumer.assign([TopicPartition("big", partition, 0) for partition in range(2)])
    began, seen = time.monotonic(), 0
    while seen < RECORDS:
        seen += sum(m.error() is None for m in consumer.consume(10_000, timeout=5))
    took = time.monotonic() - began
    consumer.close()
    return {f"{name}, fetch": RECORDS * RECORD_BYTES / took / 1e6}


def round_trips(port: int) -> float:
    """Median of one byte there and back, in microseconds."""
    with socket.create_connection((HOST, port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        took = []
        for _ in range(ROUND_TRIPS):
            began = time.perf_counter()
            line.sendall(b"x")
            line.recv(1)
            took.append(time.perf_counter() - began)
        return statistics.median(took) * 1e6


def _added(name: str, trips: "partial[float]", base: float) -> dict[str, float]:
    return {f"{name}, added": trips() - base}


@contextmanager
def ours(stage: Stage, name: str, port: int, to: int) -> Iterator[None]:
    """The proxy as a process of its own, as experiments use it."""
    child = start_child(stage.scratch / f"proxy-{name}", (HOST, to), port=port)
    try:
        yield
    finally:
        child.end()


@contextmanager
def toxiproxy(stage: Stage, name: str, port: int, to: int) -> Iterator[None]:
    """Its server, with one proxy from its configuration file."""
    config = stage.scratch / f"{name}-{port}.json"
    config.write_text(
        f'[{{"name":"kafka","listen":"{HOST}:{port}","upstream":"{HOST}:{to}","enabled":true}}]'
    )
    command = [str(_server()), "-port", str(sandbox.free_port()), "-config", str(config)]
    server = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"LOG_LEVEL": "error"}
    )
    try:
        _wait_for(port)
        yield
    finally:
        server.terminate()
        server.wait()


def _server() -> Path:
    """Built once with Go, in the cache."""
    place = cache_directory() / "bench" / TOXIPROXY.rpartition("@")[2]
    program = place / "server"
    if not program.exists():
        go = shutil.which("go")
        if go is None:
            raise RuntimeError("Go is needed to build Toxiproxy: `apt-get install golang-go`")
        tell("building Toxiproxy")
        place.mkdir(parents=True, exist_ok=True)
        environ = os.environ | {"GOBIN": str(place)}
        subprocess.run([go, "install", TOXIPROXY], env=environ, check=True)
    return program


@contextmanager
def _broker_behind(stage: Stage, name: str, start: Start) -> Iterator[tuple[str, int]]:
    """A broker with the proxy before it, and the port of an echo through the same kind of proxy."""
    behind = Behind(port=sandbox.free_port(), proxy_port=sandbox.free_port())
    with ExitStack() as stack:
        stack.enter_context(_filled(stage, name, behind))
        stack.enter_context(start(stage, name, behind.proxy_port, behind.port))
        through = sandbox.free_port()
        stack.enter_context(start(stage, f"{name}-echo", through, stack.enter_context(echo())))
        yield f"{HOST}:{behind.proxy_port}", through


@contextmanager
def _filled(stage: Stage, name: str, behind: Behind | None) -> Iterator[str]:
    """A broker with the topic."""
    tell(f"a broker comes up and is filled: {name}")
    directory = stage.scratch / f"kafka-{name}"
    up = sandbox.up(directory=directory, topics={"big": 2}, behind=behind, timeout_seconds=180)
    try:
        producer = Broker(up.bootstrap_servers or "").producer({"batch.size": 1_000_000})
        value = os.urandom(RECORD_BYTES)
        for number in range(RECORDS):
            producer.produce("big", value, partition=number % 2)
            if number % 2000 == 0:
                producer.flush()
        producer.flush()
        yield up.bootstrap_servers or ""
    finally:
        sandbox.reset(directory=directory)


@contextmanager
def echo() -> Iterator[int]:
    """A server in a process of its own: a thread would share the interpreter with the client."""
    listener = socket.create_server((HOST, 0))
    child = os.fork()
    if child == 0:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_echo, args=(connection,), daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        listener.close()


def _echo(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(1024):
        connection.sendall(data)


def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")
