"""The proxy against a server that echoes, on loopback: each fault does what it says."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamctl.chaos.proxy.control import ChildProxy, LocalProxy, local_proxy, start_child
from streamctl.chaos.proxy.fault import CLEAR, Direction, Fault, Kind
from streamctl.errors import NotFound, SettingsInvalid
from streamctl.sandbox import process
from streamctl.sandbox.lifecycle import free_port

BIG = bytes(range(256)) * 4096 * 4  # 4 MiB


class Echo:
    """Sends back what it gets, and remembers it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self.got = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                while data := connection.recv(1 << 16):
                    self.got += data
                    connection.sendall(data)
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo) -> Iterator[LocalProxy]:
    with local_proxy(echo.address) as running:
        yield running


def connect(proxy: LocalProxy | ChildProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def exchange(line: socket.socket, data: bytes = b"ping") -> float:
    """Send, read the echo, return the seconds."""
    began = time.monotonic()
    sender = threading.Thread(target=line.sendall, args=(data,))
    sender.start()
    back = b""
    while len(back) < len(data):
        piece = line.recv(1 << 20)
        assert piece, "the connection ended"
        back += piece
    sender.join()
    assert back == data
    return time.monotonic() - began


def is_silent(line: socket.socket, seconds: float = 0.2) -> bool:
    line.settimeout(seconds)
    try:
        return line.recv(1) is None
    except TimeoutError:
        return True
    finally:
        line.settimeout(10)


def test_a_clear_proxy_changes_nothing_and_counts(proxy):
    with connect(proxy) as line:
        exchange(line, BIG)
        traffic = proxy.traffic()
        assert (traffic.up_bytes, traffic.down_bytes) == (len(BIG), len(BIG))
        assert (traffic.connections, traffic.accepted) == (1, 1)
        line.shutdown(socket.SHUT_WR)  # the end of the stream goes through, both ways
        assert line.recv(1) == b""


@pytest.mark.parametrize(
    ("direction", "least_ms"),
    [(Direction.BOTH, 200), (Direction.UP, 100), (Direction.DOWN, 100)],
)
def test_latency_is_added_to_each_way_that_is_concerned(proxy, direction, least_ms):
    with connect(proxy) as line:
        exchange(line)
        proxy.apply(Fault(latency_ms=100, direction=direction))
        took = exchange(line) * 1000
        assert least_ms <= took < least_ms + 90
        proxy.apply(CLEAR)
        assert exchange(line) < 0.09


def test_jitter_varies_and_keeps_the_order(proxy):
    proxy.apply(Fault(latency_ms=30, jitter_ms=30))
    with connect(proxy) as line:
        times = [exchange(line) for _ in range(10)]
        assert max(times) - min(times) > 0.01
        exchange(line, BIG)


def test_a_bandwidth_bounds_the_rate(proxy):
    with connect(proxy) as line:
        exchange(line)
        proxy.apply(Fault(bandwidth_bytes_per_second=400_000, direction=Direction.UP))
        assert 0.4 <= exchange(line, BIG[:200_000]) < 1.0


def test_a_black_hole_tells_nobody_and_what_was_sent_arrives_later(proxy, echo):
    with connect(proxy) as line, connect(proxy) as other:
        exchange(line)
        exchange(other)
        proxy.apply(Fault(kind=Kind.BLACK_HOLE))
        line.sendall(b"held")
        with connect(proxy) as new:
            new.sendall(b"new")
            assert is_silent(line)
            assert echo.got == b"pingping"
            proxy.apply(CLEAR)
            assert {line.recv(4), new.recv(3)} == {b"held", b"new"}
        assert exchange(other) < 1


def test_one_direction_only_requests_arrive_and_no_answer_comes(proxy, echo):
    with connect(proxy) as line:
        exchange(line)
        proxy.apply(Fault(kind=Kind.BLACK_HOLE, direction=Direction.DOWN))
        line.sendall(b"lost?")
        assert is_silent(line)
        assert echo.got == b"pinglost?"
        proxy.apply(CLEAR)
        assert line.recv(5) == b"lost?"


def test_a_reset_ends_connections_and_refuses_new_ones(proxy):
    with connect(proxy) as line:
        exchange(line)
        proxy.apply(Fault(kind=Kind.RESET))
        with pytest.raises(ConnectionResetError):
            line.recv(1)
        with pytest.raises(ConnectionResetError), connect(proxy) as new:
            new.recv(1)
    proxy.apply(CLEAR)
    with connect(proxy) as line:
        exchange(line)


def test_a_half_open_connection_stays_deaf_and_a_new_one_works(proxy, echo):
    with connect(proxy) as line:
        exchange(line)
        proxy.apply(Fault(kind=Kind.HALF_OPEN))
        line.sendall(b"hello?")
        assert is_silent(line)
        proxy.apply(CLEAR)
        assert is_silent(line)
        with connect(proxy) as new:
            exchange(new)
    assert echo.got == b"pingping"


def test_flapping_comes_and_goes(proxy):
    with connect(proxy) as line:
        proxy.apply(Fault(kind=Kind.BLACK_HOLE, flap_seconds=0.3))
        first = exchange(line)
        assert 0.2 <= first < 0.6  # held until the first pause
        time.sleep(0.35)
        assert exchange(line) > 0.05  # and held again


def test_a_server_that_is_not_there_is_told_to_the_client():
    with local_proxy(("127.0.0.1", free_port())) as proxy:
        with pytest.raises(ConnectionResetError), connect(proxy) as line:
            line.recv(1)
        assert proxy.traffic().connections == 0


def test_a_child_is_told_from_outside_and_ends(echo, tmp_path):
    child = start_child(tmp_path, echo.address)
    try:
        with connect(child) as line:
            exchange(line)
            fault = Fault(latency_ms=60, jitter_ms=1, direction=Direction.UP)
            assert ChildProxy(tmp_path).apply(fault).fault == fault
            assert exchange(line) >= 0.05
            assert child.traffic().accepted == 1
    finally:
        child.end()
    assert not process.is_running(child.note.pid, child.note.process_started)
    assert not Path(child.note.control).parent.exists()
    with pytest.raises(NotFound, match="does not answer"):
        child.traffic()


@pytest.mark.parametrize(
    "values",
    [{"latency": 1}, {"kind": "gone"}, {"latency_ms": -1}, {"bandwidth_bytes_per_second": 0}],
)
def test_what_is_no_fault_is_refused(values):
    with pytest.raises(SettingsInvalid):
        Fault.of(values)
