"""Walk a tree in a fixed order, and stop at what cannot be read.

`os.walk` passes over a directory that it cannot list. A tree built from such a walk would lack it.
"""

import os
from collections.abc import Iterator


def walk(top: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Directory, its directories, its files; parents first, names in order.

    Raises:
        OSError: a directory cannot be listed.
    """
    for folder, folders, files in os.walk(top, onerror=_stop):
        folders.sort()
        yield folder, folders, sorted(files)


def _stop(error: OSError) -> None:
    raise error


def sizes(top: str) -> dict[str, int]:
    """Every file below a directory, relative to it, with its length in bytes.

    Raises:
        OSError: a directory cannot be listed.
    """
    found = {}
    for folder, folders, files in walk(top):
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114
        for name in (*files, *links):
            path = f"{folder}/{name}"
            found[path[len(top) + 1 :]] = os.lstat(path).st_size
    return found


def size_of(place: str) -> int:
    """Bytes of a file or tree; 0 when nothing is there.

    Raises:
        OSError: a directory cannot be listed.
    """
    if not os.path.lexists(place):
        return 0
    if os.path.isdir(place):  # noqa: PTH112
        return sum(sizes(place).values())
    return os.lstat(place).st_size
