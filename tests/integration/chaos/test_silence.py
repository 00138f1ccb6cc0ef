"""A link that is down is silent: nothing is refused or reset, and what waited goes on after it."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamctl.chaos.namespace import Namespace, make_namespace, remove_namespace
from streamctl.chaos.stage import Stage
from streamctl.errors import BrokerUnreachable, Unsupported
from streamctl.kafka.client import Broker

pytestmark = pytest.mark.integration
PORT = 7777
ARP_SECONDS = 5.0
"""Longer than the kernel asks for a neighbour before it says that there is no route."""
ECHO = """
import socket, sys, threading
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listens", flush=True)
def echo(line):
    while words := line.recv(100):
        line.sendall(words)
while True:
    threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()
"""


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Namespace]:
    try:
        made = make_namespace(tmp_path / "note.json")
    except Unsupported as error:
        pytest.skip(error.message)
    assert is_left(made)
    yield made
    remove_namespace(tmp_path / "note.json")
    assert not is_left(made)


def is_left(namespace: Namespace) -> bool:
    devices = {name for _, name in socket.if_nameindex()}
    return Path("/run/netns", namespace.name).exists() or namespace.device in devices


def connected(namespace: Namespace) -> socket.socket:
    line = socket.create_connection((namespace.inner, PORT), ARP_SECONDS)
    line.sendall(b"before")
    assert line.recv(100) == b"before"
    return line


def test_a_cut_link_is_silent_and_a_joined_one_delivers_what_waited(namespace: Namespace) -> None:
    command = [*namespace.enter, sys.executable, "-c", ECHO, namespace.inner, str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            assert server.stdout.readline() == "listens\n"
            line, fails = connected(namespace), []

            def connect() -> None:
                try:
                    connected(namespace)
                except OSError as error:
                    fails.append(error)

            namespace.cut()
            new = threading.Thread(target=connect)
            new.start()
            line.sendall(b"during")
            with pytest.raises(TimeoutError):
                line.recv(100)
            new.join()
            assert [type(error) for error in fails] == [TimeoutError]
            namespace.join()
            line.settimeout(30)  # the kernel sends it again, each time after twice as long
            assert line.recv(100) == b"during"
            connected(namespace)
        finally:
            server.kill()


def test_a_job_s_way_to_the_broker_leads_through_it_and_back(tmp_path: Path) -> None:
    def asks(servers: str, seconds: float = 10) -> None:
        with Broker(servers, timeout_seconds=seconds) as broker:
            broker.watermarks("a")

    with Stage(tmp_path / "stage") as stage:
        stage.broker().create_topic("a", partitions=1)
        before = stage.servers
        asks(before)
        try:
            stage.enter_namespace()
        except Unsupported as error:
            pytest.skip(error.message)
        namespace = stage.namespace
        assert stage.servers.startswith(f"{namespace.inner}:")
        asks(stage.servers)
        asks(stage.direct_servers)
        namespace.cut()
        with pytest.raises(BrokerUnreachable):
            asks(stage.servers, seconds=2)
        asks(stage.direct_servers)  # the fault is the job's alone
        namespace.join()
        asks(stage.servers)
        stage.leave_namespace()
        assert stage.servers == before
        asks(before)
        stage.enter_namespace()
        left = stage.namespace
    Stage(tmp_path / "stage").close()  # as `chaos cleanup` does
    assert not is_left(left)
