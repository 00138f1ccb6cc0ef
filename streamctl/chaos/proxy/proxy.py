"""The proxy itself: accepts, connects to the broker, and puts every connection under one fault.

A proxy in user space cannot keep the kernel from completing a handshake: under a black hole a new
connection opens and stays silent, where dropped packets would leave it unopened. Clients notice
both by the same timeout, that of their request.
"""

import asyncio
import random
import socket
import struct
from collections.abc import Callable

from streamctl.chaos.proxy.fault import CLEAR, Direction, Fault, Kind, Traffic
from streamctl.chaos.proxy.flow import Flow

Address = tuple[str, int]
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_BACKLOG = 512


class Proxy:
    """Forwards each connection to one address. All methods run in its event loop.

    Args:
        to: host and port of the broker's listener.
        seed: of the jitter.
    """

    def __init__(self, to: Address, *, seed: int = 0) -> None:
        self._to = to
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._connections: set[_Connection] = set()
        self._asked = self._now = CLEAR
        self._flap: asyncio.TimerHandle | None = None
        self._accepted = self._up_bytes = self._down_bytes = 0
        self._listener: socket.socket | None = None

    def listen(self, at: Address) -> int:
        """Begin to accept; return the port, which the system chooses if it is 0."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(at)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        asyncio.get_running_loop().add_reader(listener, self._accept)
        self._listener = listener
        return int(listener.getsockname()[1])

    def apply(self, fault: Fault) -> Traffic:
        """Put all connections, also those to come, under a fault; `CLEAR` ends the one before."""
        if self._flap is not None:
            self._flap.cancel()
            self._flap = None
        self._asked = fault
        self._switch(fault)
        return self.traffic()

    def traffic(self) -> Traffic:
        """What went through so far."""
        return Traffic(
            fault=self._asked,
            connections=len(self._connections),
            accepted=self._accepted,
            up_bytes=self._up_bytes + sum(c.up_bytes for c in self._connections),
            down_bytes=self._down_bytes + sum(c.down_bytes for c in self._connections),
        )

    def close(self) -> None:
        """Stop listening and reset what is open."""
        if self._flap is not None:
            self._flap.cancel()
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        for connection in list(self._connections):
            connection.reset()

    def _switch(self, fault: Fault) -> None:
        """Work under a fault now, and come back for the next turn if it flaps."""
        self._now = fault
        for connection in list(self._connections):
            connection.set(fault)
        if self._asked.flap_seconds:
            following = self._asked if fault is CLEAR else CLEAR
            loop = asyncio.get_running_loop()
            self._flap = loop.call_later(self._asked.flap_seconds, self._switch, following)

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            client, _ = self._listener.accept()
        except OSError:  # gone before we came, or no descriptor left: the next one may do
            return
        self._accepted += 1
        client.setblocking(False)
        connection = _Connection(client, to=self._to, chance=self._chance, on_close=self._forget)
        self._connections.add(connection)
        connection.set(self._now)

    def _forget(self, connection: "_Connection") -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._up_bytes += connection.up_bytes
            self._down_bytes += connection.down_bytes


class _Connection:
    """A client's socket and, once it may be, the broker's."""

    def __init__(
        self,
        client: socket.socket,
        *,
        to: Address,
        chance: random.Random,
        on_close: Callable[["_Connection"], None],
    ) -> None:
        self._client, self._to, self._chance = client, to, chance
        self._on_close = on_close
        self._server: socket.socket | None = None
        self._flows: list[Flow] = []
        self._ended = 0
        self._deaf = False
        self._connecting: asyncio.Task[None] | None = None
        self._fault = CLEAR

    @property
    def up_bytes(self) -> int:
        return self._flows[0].delivered_bytes if self._flows else 0

    @property
    def down_bytes(self) -> int:
        return self._flows[1].delivered_bytes if self._flows else 0

    def set(self, fault: Fault) -> None:
        self._fault = fault
        if self._deaf:
            return
        if fault.kind is Kind.RESET:
            self.reset()
        elif fault.kind is Kind.HALF_OPEN:
            self._deafen()
        elif self._flows:
            for flow in self._flows:
                flow.set(fault)
        elif self._connecting is None and not _blocks_connecting(fault):
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def reset(self) -> None:
        """End both sides with RST."""
        self._close(self._client, self._server)

    def _deafen(self) -> None:
        """Lose the broker's side; the client's stays, and nobody reads it."""
        self._deaf = True
        self._stop()
        if self._server is not None:
            _close_with_reset(self._server)
            self._server = None

    def _stop(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        for flow in self._flows:
            flow.stop()

    def _close(self, *sides: socket.socket | None) -> None:
        self._stop()
        for side in sides:
            if side is not None:
                _close_with_reset(side)
        self._on_close(self)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        server = self._server = socket.socket()
        server.setblocking(False)
        try:
            await loop.sock_connect(server, self._to)
        except OSError:  # nobody listens there: the client is told in the same way
            self._close(self._client, server)
            return
        for side in (self._client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ways = ((self._client, server, Direction.UP), (server, self._client, Direction.DOWN))
        self._flows = [
            Flow(source, target, direction=way, on_end=self._one_ended, chance=self._chance)
            for source, target, way in ways
        ]
        for flow in self._flows:
            flow.set(self._fault)

    def _one_ended(self, error: OSError | None) -> None:
        """Both directions have ended in order, or one has failed."""
        self._ended += 1
        if error is not None:
            self.reset()
        elif self._ended == len(self._flows):
            self._client.close()
            if self._server is not None:
                self._server.close()
            self._on_close(self)


def _blocks_connecting(fault: Fault) -> bool:
    return fault.kind is Kind.BLACK_HOLE and fault.direction is not Direction.DOWN


def _close_with_reset(side: socket.socket) -> None:
    try:
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    finally:
        side.close()
