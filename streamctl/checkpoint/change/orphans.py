"""Files in a checkpoint that no start and no rewind needs.

Leftovers of writers that died; RocksDB tables that no snapshot names; state files that no version
within the logs is made of, those of versions after the newest planned batch among them. With
format 2 the ids of the commit log decide which file of a version counts, and Spark's own cleaning
follows them; there only tables and leftovers are looked for.

Follows `RocksDBFileManager.deleteOldVersions` and `HDFSBackedStateStoreProvider.cleanup`.
"""

from collections.abc import Iterator

from streamctl.checkpoint.change.plan import Item
from streamctl.checkpoint.change.walk import sizes
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.keys import read_base
from streamctl.checkpoint.tree.reader import Checkpoint, LogIds
from streamctl.checkpoint.tree.state import Chain, Store, chain, scan
from streamctl.errors import Malformed, Unsupported


def find_orphans(checkpoint: Checkpoint, *, before_seconds: float) -> Iterator[Item]:
    """Every orphan that was written before a time, with its checksums.

    Args:
        checkpoint: at rest, local.
        before_seconds: epoch; younger files are not looked at.

    Raises:
        FileNotFoundError: a directory vanished.
    """
    there = sizes(checkpoint.files.path(""))
    for path in _leftovers(checkpoint, before_seconds):
        yield Item(path=path, size_bytes=there.get(path, 0), reason="left by a writer that died")
    ids = checkpoint.log_ids()
    for operator in scan(checkpoint.files):
        for store in operator.stores:
            for name, reason in _of_store(checkpoint, store, ids, before_seconds):
                path = layout.join(store.path, name)
                yield Item(path=path, size_bytes=there.get(path, 0), reason=reason)
                for sidecar in layout.sidecars(path):
                    if sidecar in there:
                        size = there[sidecar]
                        yield Item(path=sidecar, size_bytes=size, reason=f"checksum of {name}")


def _leftovers(checkpoint: Checkpoint, before: float) -> Iterator[str]:
    folders = {path.rpartition("/")[0] for path in sizes(checkpoint.files.path(""))}
    for folder in sorted(folders):
        entries = checkpoint.files.entries(folder)
        old = {e.name for e in entries if e.modified_seconds and e.modified_seconds < before}
        for entry in entries:
            # A checksum's own time is not listed: it goes with its file, or when that is gone.
            owner = layout.sidecar_of(entry.name) or entry.name
            names = {item.name for item in entries}
            if layout.is_temporary(entry.name) and (owner in old or owner not in names):
                yield layout.join(folder, entry.name)


def _of_store(
    checkpoint: Checkpoint, store: Store, ids: LogIds, before: float
) -> Iterator[tuple[str, str]]:
    try:
        yield from _tables(checkpoint, store, before)
    except (Malformed, Unsupported):
        return  # a snapshot that cannot be read may name any of them
    if not ids.planned or any(file.unique_id for file in store.files):
        return
    wanted = {batch + more for batch in ids.planned for more in (0, 1)}
    reached = set()
    for version in wanted:
        whole = chain(store, version)
        if isinstance(whole, Chain):
            reached |= {file.name for file in whole.files}
    for file in store.files:
        young = file.modified_seconds is None or file.modified_seconds >= before
        if file.name not in reached and not young and file.size_bytes >= 0:
            late = file.version > ids.planned[-1] + 1
            why = "of a batch after the newest planned" if late else "no version in the logs needs"
            yield file.name, f"{why}: version {file.version}"


def _tables(checkpoint: Checkpoint, store: Store, before: float) -> Iterator[tuple[str, str]]:
    """RocksDB tables and logs that no snapshot of the store names."""
    if not store.has_shared_files:
        return
    bases = [file for file in store.files if file.kind == "zip" and file.size_bytes >= 0]
    named: set[str] = set()
    for base in bases:
        snapshot = read_base(checkpoint.files, store, base)
        named |= {file.stored_name for file in (*snapshot.ssts, *snapshot.logs)}
    for folder in (layout.SSTS, layout.ROCKSDB_LOGS):
        place = layout.join(store.path, folder)
        if folder not in store.names:
            continue
        for entry in checkpoint.files.entries(place):
            plain = not entry.is_directory and layout.sidecar_of(entry.name) is None
            old = entry.modified_seconds is not None and entry.modified_seconds < before
            if plain and old and entry.name not in named and not layout.is_temporary(entry.name):
                yield f"{folder}/{entry.name}", "no snapshot names it"
