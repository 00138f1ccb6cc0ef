"""The one primitive: what is at a place and what is in a slot change their places.

Either may be absent. Where both are there, Linux does it in one system call, `renameat2` with
`RENAME_EXCHANGE`; elsewhere three renames do, and a half-done one is seen and finished. Which side
is which is told by inodes, which a rename keeps.
"""

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from streamctl.errors import StreamctlError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NOT_POSSIBLE = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})
_ASIDE = ".aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Two paths of one filesystem whose contents change places.

    Attributes:
        place: where Spark, or streamctl, looks.
        slot: in the trash.
        place_was, slot_was: inode of what was there before; None for nothing.
    """

    place: str
    slot: str
    place_was: int | None
    slot_was: int | None

    @property
    def back(self) -> "Exchange":
        """What reverses it."""
        return Exchange(
            place=self.place, slot=self.slot, place_was=self.slot_was, slot_was=self.place_was
        )


class Side(Enum):
    """How far an exchange came."""

    BEFORE = "before"
    BETWEEN = "between"
    AFTER = "after"


class Disturbed(StreamctlError):
    """Somebody else moved or replaced what an exchange is about."""


def between(place: str, slot: str) -> Exchange:
    """The exchange of what is there now."""
    return Exchange(place=place, slot=slot, place_was=inode(place), slot_was=inode(slot))


def inode(path: str) -> int | None:
    """Identity of a file or directory that a rename keeps; None when nothing is there."""
    try:
        return os.lstat(path).st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None


def side(exchange: Exchange) -> Side:
    """How far it came, from what lies where.

    Raises:
        Disturbed: neither.
    """
    now = (inode(exchange.place), inode(exchange.slot))
    if now == (exchange.place_was, exchange.slot_was):
        return Side.BEFORE
    if now == (exchange.slot_was, exchange.place_was):
        return Side.AFTER
    if inode(exchange.slot + _ASIDE) == exchange.place_was is not None:
        return Side.BETWEEN
    raise Disturbed(
        f'"{exchange.place}" or its counterpart in the trash was replaced by somebody else',
        hint=f'What was there, or is to be there, is in "{exchange.slot}".',
    )


def carry_out(exchanges: Sequence[Exchange]) -> None:
    """Do those that are not done yet, in order; those that are done are passed over.

    Raises:
        OSError: one of them failed; those before it are done.
        Disturbed: see `side`.
    """
    for exchange in exchanges:
        found = side(exchange)
        if found is Side.AFTER:
            continue
        if found is Side.BETWEEN:
            _finish(exchange)
        elif exchange.slot_was is None:
            _rename(exchange.place, exchange.slot)
        elif exchange.place_was is None:
            _rename(exchange.slot, exchange.place)
        elif not _at_once(exchange.place, exchange.slot):
            os.rename(exchange.place, exchange.slot + _ASIDE)  # noqa: PTH104
            _finish(exchange)
    for folder in sorted({os.path.dirname(item.place) for item in exchanges}):  # noqa: PTH120
        sync(folder)


def reverse(exchanges: Sequence[Exchange]) -> None:
    """Bring everything back to where it was, whatever was done of it.

    Raises:
        OSError: one of them failed.
        Disturbed: see `side`.
    """
    carry_out([exchange.back for exchange in reversed(exchanges) if not _untouched(exchange)])


def _untouched(exchange: Exchange) -> bool:
    found = side(exchange)
    if found is Side.BETWEEN:
        if inode(exchange.place) is not None:
            os.rename(exchange.place, exchange.slot)  # noqa: PTH104
        os.rename(exchange.slot + _ASIDE, exchange.place)  # noqa: PTH104
    return found is not Side.AFTER


def _finish(exchange: Exchange) -> None:
    """The rest of an exchange in three renames, from wherever it was left."""
    if inode(exchange.place) is None:
        os.rename(exchange.slot, exchange.place)  # noqa: PTH104
    os.rename(exchange.slot + _ASIDE, exchange.slot)  # noqa: PTH104


def _rename(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
    os.rename(source, target)  # noqa: PTH104


def sync(folder: str) -> None:
    """Make the names in a directory survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _at_once(place: str, slot: str) -> bool:
    """Exchange in one system call; False where there is none."""
    call = _renameat2()
    if call is None:
        return False
    sys.audit("os.rename", place, slot, -1, -1)  # as `os.rename` does for whoever listens
    if call(_AT_FDCWD, os.fsencode(place), _AT_FDCWD, os.fsencode(slot), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_POSSIBLE:
        return False
    raise OSError(code, os.strerror(code), place)


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    try:
        return ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):  # another system than Linux, or an old C library
        return None
