"""Which files make a checkpoint as of its newest committed batch, while the query runs.

Everything that a start after batch B reads is final when `commits/B` is there: nothing of it is
written again, and Spark purges it only `minBatchesToRetain` batches later. So the newest commit is
pinned, and only what leads to it is taken: entries B-1 and B of both logs, of each state store the
shortest chain that makes version B+1 with the tables that a snapshot names, and what describes
operators and schemas. Never anything newer, no temporary file, no table that nothing names.

Follows `MicroBatchExecution` (order of writes, `populateStartOffsets`), `StateStoreId`, and what
`tree.state` and `formats.snapshot` follow.
"""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from streamctl.checkpoint.formats.model import CommitEntry, OffsetsEntry
from streamctl.checkpoint.formats.rows import read_lineage
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry, Files
from streamctl.checkpoint.tree.keys import read_base
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.tree.state import (
    Broken,
    Chain,
    Operator,
    StateFile,
    Store,
    chain,
    chain_by_lineage,
    partition_count,
    scan,
    unique_id_of,
)
from streamctl.errors import Malformed, NotFound, Refused

_SOURCE_ENTRY = re.compile(r"(?P<batch>\d{1,18})(\.compact)?\Z", re.ASCII)
_SCHEMA = re.compile(r"(?P<batch>\d{1,18})_")


class NothingCommitted(NotFound):
    """There is no batch that a backup could stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a closure.

    Attributes:
        path: relative to the checkpoint.
        size_bytes: as listed; None for a sidecar, whose length is not listed.
        modified_seconds: likewise.
        of: the file that a sidecar belongs to; empty for any other.
    """

    path: str
    size_bytes: int | None = None
    modified_seconds: float | None = None
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """What makes a checkpoint at one batch.

    Attributes:
        offsets, commit: the entries of that batch.
        members: all files, in a stable order.
    """

    batch_id: int
    offsets: OffsetsEntry
    commit: CommitEntry
    members: tuple[Member, ...]


def close(checkpoint: Checkpoint, *, batch_id: int | None = None) -> Closure:
    """Find the closure of the newest committed batch, or of an older one that can still be made.

    Raises:
        NothingCommitted: no batch, or not this one, is in both logs.
        Refused: the state of that batch cannot be made any more.
        FileNotFoundError: a file was purged meanwhile; look again.
        Malformed, Unsupported: a file cannot be read.
    """
    files, ids = checkpoint.files, checkpoint.log_ids()
    both = set(ids.committed) & set(ids.planned)
    pinned = max(both, default=None) if batch_id is None else batch_id
    if pinned is None or pinned not in both:
        what = "no batch" if batch_id is None else f"batch {batch_id} is not"
        raise NothingCommitted(
            f'{what} {"is " if batch_id is None else ""}in both logs of "{checkpoint.location}"',
            hint=f"Both have {min(both)} to {max(both)}." if both else "Let the job commit one.",
        )
    offsets, commit = checkpoint.offsets(pinned), checkpoint.commit(pinned)
    members = [
        *_root(files),
        *_logs(files, pinned),
        *_sources(files, pinned),
        *_state(files, pinned, offsets, commit),
    ]
    return Closure(batch_id=pinned, offsets=offsets, commit=commit, members=tuple(members))


class _Folder:
    """One listed directory, from which members are taken with their sidecars."""

    def __init__(self, path: str, entries: Iterable[Entry]) -> None:
        self.path = path
        self.entries = {entry.name: entry for entry in entries}

    def take(self, name: str) -> Iterator[Member]:
        """A file and what lies beside it.

        Raises:
            FileNotFoundError: it is not there.
        """
        entry = self.entries.get(name)
        if entry is None:
            raise FileNotFoundError(layout.join(self.path, name))
        path = layout.join(self.path, name)
        yield Member(
            path=path, size_bytes=entry.size_bytes, modified_seconds=entry.modified_seconds
        )
        yield from _sidecars(self.path, name, self.entries)


def _sidecars(folder: str, name: str, present: Container[str]) -> Iterator[Member]:
    for beside in layout.sidecars(name):
        if beside in present:
            yield Member(path=layout.join(folder, beside), of=layout.join(folder, name))


def _folder(files: Files, path: str) -> _Folder:
    try:
        return _Folder(path, files.entries(path))
    except (FileNotFoundError, Malformed):
        return _Folder(path, ())


def _root(files: Files) -> Iterator[Member]:
    yield from _folder(files, "").take(layout.METADATA)


def _logs(files: Files, batch_id: int) -> Iterator[Member]:
    """The entry of the batch and the one before it; asynchronous progress leaves legal gaps."""
    for name in (layout.OFFSETS, layout.COMMITS):
        folder = _folder(files, name)
        before = [batch for batch in layout.batch_ids(folder.entries) if batch < batch_id]
        for batch in (*before[-1:], batch_id):
            yield from folder.take(str(batch))


def _sources(files: Files, batch_id: int) -> Iterator[Member]:
    """What each source keeps: Kafka its first offsets, the file source its log of seen files."""
    for source in _folder(files, layout.SOURCES).entries.values():
        if not source.is_directory:
            continue
        folder = _folder(files, layout.join(layout.SOURCES, source.name))
        for name in sorted(folder.entries):
            entry = _SOURCE_ENTRY.match(name)
            if entry and int(entry["batch"]) <= batch_id:
                yield from folder.take(name)


def _state(
    files: Files, batch_id: int, offsets: OffsetsEntry, commit: CommitEntry
) -> Iterator[Member]:
    partitions = partition_count(offsets.conf)
    for operator in scan(files):
        yield from _described(files, operator, batch_id)
        for store in operator.stores:
            if partitions is None or store.partition_id < partitions:
                yield from _store(files, store, batch_id + 1, commit)


def _described(files: Files, operator: Operator, batch_id: int) -> Iterator[Member]:
    """Metadata and schemas, up to the batch."""
    place = layout.join(operator.path, layout.OPERATOR_METADATA)
    folder = _folder(files, place)
    if "metadata" in folder.entries:
        yield from folder.take("metadata")
    newer = _folder(files, layout.join(place, "v2"))
    for name in sorted(newer.entries):
        if (batch := layout.batch_id(name)) is not None and batch <= batch_id:
            yield from newer.take(name)
    schemas = layout.join(operator.path, layout.STATE_SCHEMA)
    for store in _folder(files, schemas).entries.values():
        inside = _folder(files, layout.join(schemas, store.name))
        for name in sorted(inside.entries):
            match = _SCHEMA.match(name)
            if match and int(match["batch"]) <= batch_id:
                yield from inside.take(name)


def _store(files: Files, store: Store, version: int, commit: CommitEntry) -> Iterator[Member]:
    """One store at a version: the chain of state files, and the tables that its base names."""
    if layout.OPERATOR_METADATA in store.names:
        folder = _folder(files, layout.join(store.path, layout.OPERATOR_METADATA))
        if "schema" in folder.entries:
            yield from folder.take("schema")
    found = _chain(files, store, version, commit)
    if isinstance(found, Broken):
        raise Refused(
            f"{store.path}: {found.reason}",
            hint="`streamctl checkpoint verify` tells what is wrong with it.",
        )
    for file in found.files:
        yield Member(
            path=layout.join(store.path, file.name),
            size_bytes=file.size_bytes,
            modified_seconds=file.modified_seconds,
        )
        yield from _sidecars(store.path, file.name, store.names)
    if found.base is not None and found.base.kind == "zip":
        yield from _tables(files, store, found.base)


def _tables(files: Files, store: Store, base: StateFile) -> Iterator[Member]:
    """Files outside of a RocksDB snapshot that it names."""
    snapshot = read_base(files, store, base)
    for name, shared in ((layout.SSTS, snapshot.ssts), (layout.ROCKSDB_LOGS, snapshot.logs)):
        folder = _folder(files, layout.join(store.path, name)) if shared else None
        for item in shared:
            if folder is not None:
                yield from folder.take(item.stored_name)


def _chain(files: Files, store: Store, version: int, commit: CommitEntry) -> Chain | Broken:
    unique_id = unique_id_of(commit, store)
    if unique_id is None:
        return chain(store, version)
    name = f"{version}_{unique_id}.changelog"
    lineage = ()
    if name in store.names:
        with files.open(layout.join(store.path, name)) as stream:
            lineage = read_lineage(stream, name=name)  # type: ignore[assignment]
    return chain_by_lineage(store, version, unique_id, lineage)
