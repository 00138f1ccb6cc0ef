"""Build what is new, whole, in its slot, before anything changes.

A tree that differs from the old by a few files is made of hard links: no byte is copied, and the
old tree stays complete in the trash. That is sound because Spark never writes into a file that is
there: it writes beside and renames. Where the filesystem has no links, files are copied.
"""

import errno
import os
import shutil
from collections.abc import Callable, Mapping

from streamctl.checkpoint.change.exchange import sync
from streamctl.checkpoint.change.walk import walk

_NO_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})
_BEAT_FILES = 1000


def build(
    source: str,
    target: str,
    *,
    without: frozenset[str],
    written: Mapping[str, str],
    beat: Callable[[], None],
) -> None:
    """Make `target`: the tree at `source` without some files and with others written.

    Args:
        source: an existing directory.
        target: not there yet; its parent is.
        without: paths relative to the tree.
        written: the same, with their text; they replace what is there.
        beat: called now and then.

    Raises:
        OSError: the filesystem refuses or is full.
    """
    left_out = without | written.keys()
    done = 0
    for folder, folders, files in walk(source):
        relative = os.path.relpath(folder, source)
        here = target if relative == "." else f"{target}/{relative}"
        os.mkdir(here)  # noqa: PTH102
        shutil.copymode(folder, here)
        linked = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114
        for name in (*files, *linked):
            path = name if relative == "." else f"{relative}/{name}"
            if path not in left_out:
                _link(f"{folder}/{name}", f"{here}/{name}")
            done += 1
            if done % _BEAT_FILES == 0:
                beat()
        for path, text in written.items():
            if os.path.dirname(path) == ("" if relative == "." else relative):  # noqa: PTH120
                write_file(f"{target}/{path}", text)
        sync(here)


def create(target: str, *, written: Mapping[str, str]) -> None:
    """Make a new tree of some files.

    Raises:
        OSError: the filesystem refuses or is full.
    """
    os.mkdir(target)  # noqa: PTH102
    for path, text in written.items():
        os.makedirs(os.path.dirname(f"{target}/{path}"), exist_ok=True)  # noqa: PTH103, PTH120
        write_file(f"{target}/{path}", text)
    for folder, _, _ in walk(target):
        sync(folder)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(source, target, follow_symlinks=False)


def write_file(path: str, text: str) -> None:
    """Write a new file and bring it to the disk."""
    with open(path, "xb") as file:  # noqa: PTH123
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
