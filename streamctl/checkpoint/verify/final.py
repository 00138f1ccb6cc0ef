"""Which files Spark will not write again: up to the newest commit, none in the making.

Entries, changes and snapshots are whole when they have their name (`CheckpointFileManager`). What
RocksDB uploads is not (`RocksDBFileManager.copyFileToDfs` writes in place): it is whole once a
snapshot names it, which is written after it.
"""

from collections.abc import Collection, Iterator

from streamctl.checkpoint.formats.snapshot import parse_snapshot
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import Malformed, Unsupported

_UPLOADS = (layout.SSTS, layout.ROCKSDB_LOGS)


def final(checkpoint: Checkpoint, known: Collection[str]) -> Iterator[str]:
    """Paths of the final files.

    Args:
        checkpoint: the query may be running.
        known: paths found final before: snapshots among them are not read again.

    Raises:
        FileNotFoundError: a file vanished since the listing.
        StreamctlError: storage fails.
    """
    ids = checkpoint.log_ids()
    newest = ids.committed[-1] if ids.committed else -1
    for entry in checkpoint.files.entries(details=False):
        if entry.name == layout.METADATA:
            yield entry.name
    for folder, numbers in ((layout.OFFSETS, ids.planned), (layout.COMMITS, ids.committed)):
        yield from (f"{folder}/{number}" for number in numbers if number <= newest)
    for folder in (layout.SOURCES, layout.STATE):
        yield from _below(checkpoint.files, folder, newest, known)


def _below(files: Files, folder: str, newest: int, known: Collection[str]) -> Iterator[str]:
    try:
        entries = files.entries(folder, details=False)
    except FileNotFoundError:
        return
    whole = [f"{folder}/{e.name}" for e in entries if not e.is_directory and _whole(e.name, newest)]
    yield from whole
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if entry.is_directory and entry.name in _UPLOADS:
            yield from _uploaded(files, path, whole, known)
        elif entry.is_directory:
            yield from _below(files, path, newest, known)


def _whole(name: str, newest: int) -> bool:
    state = layout.state_file(name)
    if name.startswith(".") or layout.sidecar_of(name) is not None:
        return False
    return state is None or state[0] <= newest


def _uploaded(files: Files, folder: str, whole: list[str], known: Collection[str]) -> Iterator[str]:
    new = [path for path in whole if path.endswith(".zip") and path not in known]
    named = {name for path in new for name in _named(files, path)}
    for entry in files.entries(folder, details=False):
        path = f"{folder}/{entry.name}"
        if path in known or entry.name in named:
            yield path


def _named(files: Files, snapshot: str) -> list[str]:
    try:
        with files.open(snapshot) as stream:
            found = parse_snapshot(stream, name=snapshot)
    except (Malformed, Unsupported):
        return []  # `verify` tells
    return [item.stored_name for item in (*found.ssts, *found.logs)]
