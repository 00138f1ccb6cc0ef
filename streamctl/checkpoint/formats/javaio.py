"""Java's `DataInput` over any stream, in bounded memory.

Follows `java.io.DataInputStream`: big-endian numbers, and `readUTF` with its modified UTF-8.
"""

import struct
from typing import Protocol

from streamctl.errors import Malformed, Unsupported

KEY_LIMIT_BYTES = 32 << 20
"""No row key is this large; keys are held in memory, values are passed over."""
_PIECE_BYTES = 1 << 16
_INT = struct.Struct(">i")


class Stream(Protocol):
    """What can be read in pieces."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; empty at the end."""
        ...


class Ended(Malformed):
    """The stream ends inside a value."""


class DataInput:
    """Reads Java's primitive values.

    Args:
        stream: where the bytes come from.
        name: the file, for messages.
    """

    def __init__(self, stream: Stream, *, name: str) -> None:
        self._stream = stream
        self._name = name
        self._buffer = b""
        self._at = 0

    def int32(self) -> int:
        """Four bytes, signed."""
        at = self._at
        if len(self._buffer) - at < 4:  # noqa: PLR2004  the width of an int
            self._fill(4)
            at = 0
        self._at = at + 4
        return int(_INT.unpack_from(self._buffer, at)[0])

    def int16(self) -> int:
        """Two bytes, signed."""
        return int.from_bytes(self.take(2), "big", signed=True)

    def byte(self) -> int:
        """One byte, unsigned."""
        return self.take(1)[0]

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes.

        Raises:
            Ended: the stream ends before.
            Unsupported: more than a key may have.
        """
        if size > KEY_LIMIT_BYTES:
            raise Unsupported(f'"{self._name}" has a key of {size} bytes')
        if len(self._buffer) - self._at < size:
            self._fill(size)
        found = self._buffer[self._at : self._at + size]
        self._at += size
        return found

    def skip(self, size: int) -> None:
        """Pass over exactly `size` bytes without keeping them.

        Raises:
            Ended: the stream ends before.
        """
        held = len(self._buffer) - self._at
        if size <= held:
            self._at += size
            return
        left = size - held
        self._buffer, self._at = b"", 0
        while left:
            piece = self._stream.read(min(left, _PIECE_BYTES))
            if not piece:
                raise Ended(f'"{self._name}" ends inside a value')
            left -= len(piece)

    def text(self) -> str:
        """`readUTF`.

        Raises:
            Malformed: not modified UTF-8.
        """
        data = self.take(int.from_bytes(self.take(2), "big"))
        try:
            return modified_utf8(data)
        except ValueError as error:
            raise Malformed(f'"{self._name}" holds text that is not Java\'s UTF-8') from error

    def at_end(self) -> bool:
        """True when nothing follows."""
        if self._at < len(self._buffer):
            return False
        self._buffer, self._at = self._stream.read(_PIECE_BYTES), 0
        return not self._buffer

    def _fill(self, size: int) -> None:
        pieces = [self._buffer[self._at :]]
        held = len(pieces[0])
        while held < size:
            piece = self._stream.read(_PIECE_BYTES)
            if not piece:
                raise Ended(f'"{self._name}" ends inside a value')
            pieces.append(piece)
            held += len(piece)
        self._buffer, self._at = b"".join(pieces), 0


def modified_utf8(data: bytes) -> str:
    """Decode `readUTF`'s bytes.

    Raises:
        ValueError: not modified UTF-8.
    """
    if b"\0" in data:
        raise ValueError("a bare zero byte")
    text = data.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
    # Java writes characters beyond the first plane as two surrogates of three bytes each.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "strict")
