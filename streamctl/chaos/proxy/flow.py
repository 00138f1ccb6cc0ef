"""One direction of one connection: bytes are read, held up as the fault says, and written.

Without a fault a piece is written in the same call that read it, from one buffer that all
connections share. Only what the receiver does not take at once, or not yet, is copied and queued.
A full queue stops the reading, so that the sender feels it (TCP's own flow control).
"""

import asyncio
import random
import socket
from collections import deque
from collections.abc import Callable

from streamctl.chaos.proxy.fault import CLEAR, Direction, Fault, Kind

PIECE_BYTES = 1 << 18
_QUEUE_BYTES = 4 << 20
_TICKS_PER_SECOND = 20
"""A bounded line carries its bytes in so many pieces a second."""
_SHARED = memoryview(bytearray(PIECE_BYTES))


class Flow:
    """Moves bytes from one socket to the other until the end of the stream.

    Args:
        source: read from; non-blocking. (So is `target`.)
        direction: this way.
        on_end: called once, with None at the end of the stream or with the socket's error.
        chance: draws the jitter.
    """

    def __init__(
        self,
        source: socket.socket,
        target: socket.socket,
        *,
        direction: Direction,
        on_end: Callable[[OSError | None], None],
        chance: random.Random,
    ) -> None:
        self.delivered_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._source, self._target = source, target
        self._direction, self._on_end, self._chance = direction, on_end, chance
        self._fault = CLEAR
        self._queue: deque[tuple[float, bytes]] = deque()
        self._queued_bytes = 0
        self._line_free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reading = self._writing = self._ended = False

    def set(self, fault: Fault) -> None:
        """Work under other conditions from now on; what is queued goes at once, if it may go."""
        self._fault = fault if fault.shapes(self._direction) else CLEAR
        now = self._line_free_at = self._loop.time()
        self._queue = deque((now, piece) for _, piece in self._queue)
        self._steer()

    def stop(self) -> None:
        """Touch the sockets no more."""
        self._ended = True
        self._steer()

    @property
    def _held(self) -> bool:
        return self._fault.kind is Kind.BLACK_HOLE

    def _steer(self) -> None:
        """Listen to what can be acted on now: input while there is room, output when it is due."""
        seen_end = bool(self._queue) and not self._queue[-1][1]  # an empty piece is the end
        may_read = not (self._ended or self._held or seen_end)
        self._read(may_read and self._queued_bytes < _QUEUE_BYTES)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = None if self._ended or self._held or not self._queue else self._queue[0][0]
        self._write(due is not None and due <= self._loop.time())
        if due is not None and not self._writing:
            self._timer = self._loop.call_at(due, self._steer)

    def _read(self, wanted: bool) -> None:
        if wanted and not self._reading:
            self._loop.add_reader(self._source, self._readable)
        elif self._reading and not wanted:
            self._loop.remove_reader(self._source)
        self._reading = wanted

    def _write(self, wanted: bool) -> None:
        if wanted and not self._writing:
            self._loop.add_writer(self._target, self._writable)
        elif self._writing and not wanted:
            self._loop.remove_writer(self._target)
        self._writing = wanted

    def _readable(self) -> None:
        line = self._fault.bandwidth_bytes_per_second
        most = PIECE_BYTES if line is None else min(PIECE_BYTES, int(line / _TICKS_PER_SECOND) + 1)
        sent = 0
        try:
            size = self._source.recv_into(_SHARED, most)
            if size and not self._queue and self._fault is CLEAR:
                sent = self._send(_SHARED[:size])
        except BlockingIOError:
            return
        except OSError as error:
            self._finish(error)
            return
        if not size or sent < size:
            self._queue.append((self._due(size), bytes(_SHARED[sent:size])))
            self._queued_bytes += size - sent
            self._steer()

    def _due(self, size: int) -> float:
        """When a piece arrives: after those before it, the time on the line, and the latency."""
        now = self._loop.time()
        fault = self._fault
        if fault.bandwidth_bytes_per_second:
            self._line_free_at = max(now, self._line_free_at)
            self._line_free_at += size / fault.bandwidth_bytes_per_second
            now = self._line_free_at
        jitter = self._chance.uniform(-fault.jitter_ms, fault.jitter_ms)
        due = now + max(0.0, fault.latency_ms + jitter) / 1000
        return max(due, self._queue[-1][0]) if self._queue else due

    def _writable(self) -> None:
        now = self._loop.time()
        try:
            while self._queue and self._queue[0][0] <= now:
                due, piece = self._queue.popleft()
                if not piece:
                    self._target.shutdown(socket.SHUT_WR)
                    self._finish(None)
                    return
                sent = self._send(memoryview(piece))
                self._queued_bytes -= sent
                if sent < len(piece):
                    self._queue.appendleft((due, piece[sent:]))
                    return
        except OSError as error:
            self._finish(error)
            return
        self._steer()

    def _send(self, piece: memoryview) -> int:
        try:
            sent = self._target.send(piece)
        except BlockingIOError:
            return 0
        self.delivered_bytes += sent
        return sent

    def _finish(self, error: OSError | None) -> None:
        if not self._ended:
            self.stop()
            self._on_end(error)
