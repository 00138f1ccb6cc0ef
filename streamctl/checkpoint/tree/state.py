"""The state of a query as its directories show it, and which files make a version.

Follows `StateStoreId` (where a store lies), `HDFSBackedStateStoreProvider.loadMap`,
`RocksDB.loadWithoutCheckpointId` and `RocksDB.loadWithCheckpointId` (which files a load reads).
Version = batch id + 1: batch N loads version N and writes N+1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from streamctl.checkpoint.formats.model import CommitEntry
from streamctl.checkpoint.formats.operator import OperatorMetadata, parse_operator_metadata
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry, Files

if TYPE_CHECKING:
    from streamctl.checkpoint.formats.rows import LineageItem

HDFS = "HDFSBackedStateStoreProvider"
ROCKSDB = "RocksDBStateStoreProvider"
PROVIDER_CONF = "spark.sql.streaming.stateStore.providerClass"
CODEC_CONF = "spark.sql.streaming.stateStore.compression.codec"
PARTITIONS_CONF = "spark.sql.shuffle.partitions"
_INTERNAL_PARTITIONS_CONF = "spark.sql.streaming.internal.stateStore.partitions"
JOIN_STORES = tuple(
    f"{side}-{kind}"
    for side in ("left", "right")
    for kind in ("keyToNumValues", "keyWithIndexToValue")
)
"""Of a stream-stream join, in the order of the commit log's ids."""
BASES = frozenset({"snapshot", "zip"})
"""Kinds of file that a load can begin with."""


DIRECTORY = -1
"""The size of a directory that has a state file's name: Spark takes it for the file."""


class StateFile(NamedTuple):
    """One file that holds state. A tuple, because there may be a hundred thousand.

    Attributes:
        name: as in its directory.
        version: the state version that it makes.
        unique_id: of the attempt that wrote it (format 2 only).
        kind: "delta", "snapshot", "zip" or "changelog".
    """

    name: str
    version: int
    unique_id: str | None
    kind: str
    size_bytes: int
    modified_seconds: float | None

    @property
    def is_base(self) -> bool:
        """True when a load can begin with it."""
        return self.kind in BASES


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One store of one partition of one operator.

    Attributes:
        name: "default", or one of a join's.
        path: its directory, relative to the checkpoint.
        files: state files by version, then name.
        names: every name in the directory.
        sidecars: how many checksums lie beside the files.
        others: files that are neither state nor checksums: leftovers, and foreign ones.
    """

    operator_id: int
    partition_id: int
    name: str
    path: str
    files: tuple[StateFile, ...]
    names: frozenset[str]
    sidecars: int
    others: tuple[Entry, ...]

    @property
    def has_shared_files(self) -> bool:
        """True when there are RocksDB tables beside the snapshots."""
        return layout.SSTS in self.names


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One stateful operator.

    Attributes:
        path: its directory, relative to the checkpoint.
        stores: by partition, then name.
        partitions: the partition directories there are.
        others: files beside those of the stores.
    """

    operator_id: int
    path: str
    stores: tuple[Store, ...]
    partitions: tuple[int, ...]
    others: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The files that make a version: a base, then changes. No base: it begins empty."""

    version: int
    base: StateFile | None
    changes: tuple[StateFile, ...]

    @property
    def files(self) -> tuple[StateFile, ...]:
        """All of them, in the order of loading."""
        return self.changes if self.base is None else (self.base, *self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A version that cannot be made.

    Attributes:
        missing: the name of the file that Spark would look for and not find.
        reason: one line.
        lacks_base: no file is known to begin with, rather than a change missing after one.
    """

    version: int
    missing: str
    reason: str
    lacks_base: bool = False


def scan(files: Files, *, details: bool = True) -> tuple[Operator, ...]:
    """List everything under `state/`: one listing per directory, whatever the number of versions.

    Args:
        files: the checkpoint's door.
        details: sizes and times too.

    Raises:
        FileNotFoundError: a directory vanished between two listings.
    """
    found = []
    for entry in _list(files, layout.STATE, details=False):
        number = layout.batch_id(entry.name)
        if number is not None and entry.is_directory:
            path = layout.join(layout.STATE, entry.name)
            found.append(_operator(files, number, path, details=details))
    return tuple(sorted(found, key=lambda operator: operator.operator_id))


def _operator(files: Files, number: int, path: str, *, details: bool) -> Operator:
    stores: list[Store] = []
    partitions = []
    others = []
    for entry in files.entries(path, details=details):
        partition = layout.batch_id(entry.name)
        if not entry.is_directory:
            others.append(entry)
        elif partition is not None:
            partitions.append(partition)
            place = f"{path}/{entry.name}"
            found, beside = _stores(files, number, partition, place, details=details)
            stores += found
            others += beside
    return Operator(
        operator_id=number,
        path=path,
        stores=tuple(sorted(stores, key=lambda store: (store.partition_id, store.name))),
        partitions=tuple(sorted(partitions)),
        others=tuple(others),
    )


_NOT_STORES = frozenset({layout.OPERATOR_METADATA, layout.SSTS, layout.ROCKSDB_LOGS})


def _stores(
    files: Files, operator: int, partition: int, path: str, *, details: bool
) -> tuple[list[Store], list[Entry]]:
    """The stores of a partition, and the files beside them."""
    entries = files.entries(path, details=details)
    named = [e.name for e in entries if e.is_directory and _is_store(e.name)]
    found = []
    for name in named:
        inside = files.entries(f"{path}/{name}", details=details)
        found.append(_store(operator, partition, name, f"{path}/{name}", inside))
    own = [entry for entry in entries if entry.name not in named]
    if not named or any(layout.state_file(entry.name) for entry in own):
        found.append(_store(operator, partition, layout.DEFAULT_STORE, path, own))
        return found, []
    return found, [entry for entry in own if not entry.is_directory]


def _is_store(name: str) -> bool:
    """Spark's stores have plain names; a directory with a file's name is no store."""
    return name not in _NOT_STORES and "." not in name


_BY_VERSION = itemgetter(1, 0)
"""Version, then name: a tuple's places, because there may be a hundred thousand files."""


def _store(operator: int, partition: int, name: str, path: str, entries: Iterable[Entry]) -> Store:
    found = []
    names = []
    others = []
    sidecars = 0
    for entry in entries:
        file, is_directory, size, modified_seconds = entry
        names.append(file)
        parsed = None if file[0] == "." else layout.state_file(file)
        if parsed is not None:
            version, unique_id, kind = parsed
            size_bytes = DIRECTORY if is_directory else size
            found.append(StateFile(file, version, unique_id, kind, size_bytes, modified_seconds))
        elif file.endswith(".crc") and not file.endswith(".tmp.crc"):
            sidecars += 1
        elif not is_directory:
            others.append(entry)
    return Store(
        operator_id=operator,
        partition_id=partition,
        name=name,
        path=path,
        files=tuple(sorted(found, key=_BY_VERSION)),
        names=frozenset(names),
        sidecars=sidecars,
        others=tuple(others),
    )


def chain(store: Store, version: int) -> Chain | Broken:
    """The files that Spark reads to load a version with format 1: by names alone.

    The newest base at or below the version, then every change after it. Version 0 is empty.
    """
    bases = {f.version: f for f in store.files if f.is_base and f.unique_id is None}
    changes = {f.version: f for f in store.files if not f.is_base and f.unique_id is None}
    base_version = max((v for v in bases if v <= version), default=0)
    base = bases.get(base_version)
    for number in range(base_version + 1, version + 1):
        if number not in changes:
            return _missing(store, version, number, has_base=base is not None)
    wanted = range(base_version + 1, version + 1)
    return Chain(version=version, base=base, changes=tuple(changes[n] for n in wanted))


def _missing(store: Store, version: int, number: int, *, has_base: bool) -> Broken:
    rocksdb = is_rocksdb(store)
    name = f"{number}.changelog" if rocksdb else f"{number}.delta"
    if rocksdb and not any(file.kind == "changelog" for file in store.files):
        name = f"{version}.zip"
    since = "the last snapshot before it" if has_base else "an empty store"
    return Broken(
        version=version,
        missing=name,
        reason=f"version {version} needs every change since {since}, and {name} is missing",
    )


def chain_by_lineage(
    store: Store, version: int, unique_id: str, lineage: "Iterable[LineageItem]"
) -> Chain | Broken:
    """The files that Spark reads to load a version with format 2.

    Args:
        store: the store.
        version: the version to load.
        unique_id: of that version, from the commit log.
        lineage: from the head of that version's changelog; empty when there is none.
    """
    by_id = {(f.version, f.unique_id, f.is_base): f for f in store.files}
    line = {item.version: item.unique_id for item in lineage} | {version: unique_id}
    bases = [v for v, uid in line.items() if v <= version and (v, uid, True) in by_id]
    base_version = max(bases, default=0)
    base = by_id.get((base_version, line.get(base_version), True))
    wanted = range(base_version + 1, version + 1)
    if not line.keys() >= set(wanted):
        return _without_base(store, version, line)
    changes = []
    for number in wanted:
        file = by_id.get((number, line[number], False))
        if file is None:
            name = f"{number}_{line[number]}.changelog"
            reason = f"version {version} needs {name}, which is missing"
            return Broken(version=version, missing=name, reason=reason)
        changes.append(file)
    return Chain(version=version, base=base, changes=tuple(changes))


def _without_base(store: Store, version: int, line: Mapping[int, str]) -> Broken:
    """The lineage begins with the snapshot that the version is built on; without one, itself."""
    begins = min(line)
    changelogs = any(file.kind == "changelog" for file in store.files)
    kind = "changelog" if begins == version and changelogs else "zip"
    name = f"{begins}_{line[begins]}.{kind}"
    reason = f"version {version} is built on {name}, which is missing"
    return Broken(version=version, missing=name, reason=reason, lacks_base=True)


def unique_id_of(commit: CommitEntry, store: Store) -> str | None:
    """The id of a store's newest version in a commit of format 2; None when there is none."""
    partitions = (commit.state_unique_ids or {}).get(store.operator_id, ())
    if store.partition_id >= len(partitions):
        return None
    stores = partitions[store.partition_id]
    place = JOIN_STORES.index(store.name) if store.name in JOIN_STORES else 0
    return stores[place] if place < len(stores) else None


def rebuildable(store: Store) -> frozenset[int]:
    """The versions that can be made, by file names alone; format 2's ids are not followed."""
    bases = {f.version for f in store.files if f.kind in BASES and f.size_bytes >= 0}
    changes = {f.version for f in store.files if f.kind not in BASES and f.size_bytes >= 0}
    found = set()
    for version in sorted(bases | changes):
        before = version == 1 or version - 1 in found
        if version in bases or (version in changes and before):
            found.add(version)
    return frozenset(found)


def is_rocksdb(store: Store) -> bool:
    """True when the store's files are RocksDB's."""
    return store.has_shared_files or any(f.kind in {"zip", "changelog"} for f in store.files)


def read_operator_metadata(
    files: Files, operator: Operator, *, batch_id: int | None = None
) -> OperatorMetadata | None:
    """What the operator's own metadata says; None before Spark 4.0, which wrote none.

    Args:
        files: the checkpoint's door.
        operator: of `scan`.
        batch_id: metadata version 2 has one file per change; the newest up to this batch counts.

    Raises:
        Malformed, Unsupported: the file cannot be read.
    """
    name = operator_metadata_file(files, operator, batch_id=batch_id)
    if name is None:
        return None
    try:
        return parse_operator_metadata(files.read(name), name=name)
    except FileNotFoundError:
        return None


def operator_metadata_file(
    files: Files, operator: Operator, *, batch_id: int | None = None
) -> str | None:
    """The file that says it; None when there is none.

    Args:
        files: the checkpoint's door.
        operator: of `scan`.
        batch_id: as of `read_operator_metadata`.
    """
    place = layout.join(operator.path, layout.OPERATOR_METADATA)
    names = {entry.name for entry in _list(files, place, details=False)}
    if "v2" in names:
        inside = _list(files, layout.join(place, "v2"), details=False)
        batches = layout.batch_ids(entry.name for entry in inside)
        usable = [b for b in batches if batch_id is None or b <= batch_id]
        if usable:
            return layout.join(place, "v2", str(usable[-1]))
    return layout.join(place, "metadata") if names & {"v2", "metadata"} else None


def partition_count(conf: Mapping[str, str]) -> int | None:
    """The number of state partitions that the offset log pins; None when it does not say."""
    text = conf.get(_INTERNAL_PARTITIONS_CONF) or conf.get(PARTITIONS_CONF, "")
    return int(text) if text.isdecimal() and text.isascii() else None


def _list(files: Files, path: str, *, details: bool) -> list[Entry]:
    try:
        return files.entries(path, details=details)
    except FileNotFoundError:
        return []
