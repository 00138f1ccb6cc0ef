"""Load one state version the way Spark does, without keeping it: which file stops it, if any.

Follows `HDFSBackedStateStoreProvider.loadMap`, `RocksDB.loadWithoutCheckpointId`,
`RocksDB.loadWithCheckpointId`, `RocksDBFileManager.loadCheckpointFromDfs` and
`AutoSnapshotLoader` (when a snapshot fails, an older one and the changes since: with format 1 from
4.1 on, with format 2 from 4.2 on). Changes themselves are never repaired.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from streamctl.checkpoint.formats import sidecar
from streamctl.checkpoint.formats.rows import (
    Counter,
    LineageItem,
    read_changelog,
    read_delta,
    read_lineage,
    read_snapshot,
)
from streamctl.checkpoint.formats.snapshot import SharedFile
from streamctl.checkpoint.formats.table import FilterDamaged, RowsDamaged, check_table
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import READ_LIMIT_BYTES, Entry, Files
from streamctl.checkpoint.tree.keys import read_base
from streamctl.checkpoint.tree.state import (
    DIRECTORY,
    Broken,
    Chain,
    StateFile,
    Store,
    chain,
    chain_by_lineage,
)
from streamctl.checkpoint.verify import changed
from streamctl.checkpoint.verify.files import mismatch
from streamctl.checkpoint.verify.findings import Finding, finding
from streamctl.checkpoint.verify.kinds import Effect, Severity
from streamctl.errors import Malformed, StreamctlError, Unsupported

_TABLE_LIMIT_BYTES = 1 << 20
"""Without a sum beside it storage is remote more often than not, and tables are many."""

MOST_REPLAYED = 500
"""Changes after an older snapshot: `spark.sql.streaming.stateStore.autoSnapshotRepair.
maxChangeFileReplay`, by default. It is pinned nowhere."""
_REPAIRS_BY_ID = (4, 2)

_READERS = {"delta": read_delta, "snapshot": read_snapshot, "changelog": read_changelog}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A file that stops a load.

    Attributes:
        name: in the store's directory.
        detail: one line.
        supported: false when only this release does not know the format.
        missing: it is not there.
        codec: it is of another compression than the pinned one.
        is_base: it is a snapshot; Spark may begin with an older one instead.
    """

    name: str
    detail: str
    supported: bool = True
    missing: bool = False
    codec: bool = False
    is_base: bool = False


class CodecDiffers(Malformed):
    """A file is of another compression than the offset log pins."""


class Loader:
    """Loads versions of one checkpoint's stores.

    Args:
        files: the checkpoint's door.
        codec: compression that the offset log pins; "" when it does not say.
        planned_by: the Spark that planned the last batch, as `releases.planned_by` tells it.
        limit_bytes: files larger than this are not read, only their names and lengths are
            looked at; None reads all.

    Attributes:
        unread: how many files were too large.
    """

    def __init__(
        self,
        files: Files,
        *,
        codec: str = "",
        planned_by: tuple[int, int] = (0, 0),
        limit_bytes: int | None = None,
    ) -> None:
        self.unread = 0
        self._planned_by = planned_by
        self._files = files
        self._codec = codec
        self._limit_bytes = limit_bytes
        self._shared: dict[str, dict[str, Entry]] = {}
        self._cut: list[tuple[str, str]] = []
        self._changed: list[tuple[str, changed.Change]] = []
        self._filters: list[tuple[str, str]] = []
        self._whole_tables: set[str] = set()

    def check(self, store: Store, version: int, unique_id: str | None) -> Iterator[Finding]:
        """Findings of loading one version of one store.

        Args:
            store: of `state.scan`.
            version: 0 is the empty store.
            unique_id: of that version, from the commit log; None with format 1.

        Raises:
            FileNotFoundError: a file vanished since the listing.
        """
        if version == 0:
            return
        self._cut.clear()
        self._changed.clear()
        self._filters.clear()
        lineage: tuple[LineageItem, ...] = ()
        try:
            lineage = self._first_lineage(store, version, unique_id)
            trouble = self._load(store, _chain(store, version, unique_id, lineage))
        except (Malformed, Unsupported) as error:
            trouble = _stops(f"{version}_{unique_id}.changelog", error)
        if trouble is None:
            yield from self._oddities(store)
        elif trouble.is_base and self._repairable(
            _without(store, trouble), version, unique_id, lineage
        ):
            yield self._repaired(store, trouble, unique_id)
        else:
            yield _damaged(store, trouble)

    def _first_lineage(
        self, store: Store, version: int, unique_id: str | None
    ) -> tuple[LineageItem, ...]:
        """With format 2, where the version has no snapshot of its own."""
        if unique_id is None or f"{version}_{unique_id}.zip" in store.names:
            return ()
        return self._lineage(store, version, unique_id)

    def _repairable(
        self, store: Store, version: int, unique_id: str | None, lineage: tuple[LineageItem, ...]
    ) -> bool:
        """By an older snapshot, or from the empty store, and the changes since.

        With format 2 Spark finds older ones in the lineages of the changelogs alone, and leaves it
        at the first lineage where they do not lead back as far as it would replay.
        """
        if unique_id is not None:
            lineage = self._whole_lineage(store, version, unique_id) or lineage
        while True:
            older = _chain(store, version, unique_id, lineage)
            if isinstance(older, Chain) and len(older.changes) > MOST_REPLAYED:
                return False
            trouble = self._load(store, older)
            if trouble is None or trouble.missing or not trouble.is_base:
                return trouble is None
            store = _without(store, trouble)

    def _whole_lineage(self, store: Store, version: int, unique_id: str) -> tuple[LineageItem, ...]:
        """As `RocksDB.getFullLineage` puts it together; nothing where it breaks off."""
        oldest = max(1, version - MOST_REPLAYED)
        found = [LineageItem(version=version, unique_id=unique_id)]
        while (last := found[-1]).version > oldest:
            try:
                before = self._lineage(store, last.version, last.unique_id)
            except (Malformed, Unsupported):
                return ()
            older = [item for item in before if oldest <= item.version < last.version]
            if not older:
                return ()
            found += sorted(older, key=lambda item: -item.version)
        return tuple(found)

    def _lineage(self, store: Store, version: int, unique_id: str) -> tuple[LineageItem, ...]:
        """The versions since the snapshot that the writer had begun with; none without a file.

        Raises:
            Malformed, Unsupported: the changelog cannot be read.
        """
        name = f"{version}_{unique_id}.changelog"
        if name not in store.names:
            return ()
        with self._files.open(layout.join(store.path, name)) as stream:
            return read_lineage(stream, name=name)

    def _repaired(self, store: Store, trouble: Trouble, unique_id: str | None) -> Finding:
        """Certain where the Spark that planned the last batch repairs: a later one does as well."""
        # Spark 4.1 pins no setting that 4.0 does not, but keeps checksums of its own.
        summed = any(layout.spark_sidecar(file.name) in store.names for file in store.files)
        known = self._planned_by >= _REPAIRS_BY_ID or (unique_id is None and summed)
        return finding(
            "snapshot-damaged",
            layout.join(store.path, trouble.name),
            trouble.detail,
            effect=Effect.STARTS if known else Effect.UNKNOWN,
            severity=Severity.WARNING if known else Severity.ERROR,
        )

    def _load(self, store: Store, whole: Chain | Broken) -> Trouble | None:
        if isinstance(whole, Broken):
            return Trouble(
                name=whole.missing, detail=whole.reason, missing=True, is_base=whole.lacks_base
            )
        for file in whole.files:
            trouble = self._read(store, file)
            if trouble is not None:
                return trouble
        return None

    def _read(self, store: Store, file: StateFile) -> Trouble | None:
        if file.size_bytes == DIRECTORY:
            detail = f'"{file.name}" is a directory'
            # Of snapshots, only RocksDB's is passed over.
            return Trouble(name=file.name, detail=detail, is_base=file.kind == "zip")
        if file.size_bytes == 0:
            detail = f'"{file.name}" is empty'
            return Trouble(name=file.name, detail=detail, is_base=file.is_base)
        if self._too_large(file.size_bytes):
            return None
        try:
            self.read(store, file)
        except (Malformed, Unsupported) as error:
            return _stops(file.name, error, is_base=file.is_base)
        return None

    def _too_large(self, size_bytes: int, *, limit_bytes: int | None = None) -> bool:
        """Whether a file is passed over; a limit of its own counts only where there is one."""
        if self._limit_bytes is None:
            return False
        large = size_bytes > min(self._limit_bytes, limit_bytes or self._limit_bytes)
        self.unread += large
        return large

    def read(self, store: Store, file: StateFile) -> Counter:
        """Decode one state file to its end, with what lies outside of it.

        Raises:
            FileNotFoundError: the file itself vanished.
            Malformed: it, or a file it names, is damaged or missing.
            Unsupported: a format that is not known.
        """
        path = layout.join(store.path, file.name)
        counter = Counter()
        self._checksum(store, file.name, rocksdb_v1=file.kind == "zip" and file.unique_id is None)
        if file.kind == "zip":
            self._snapshot(store, file)
            return counter
        with self._files.open(path) as stream:
            for _ in _READERS[file.kind](stream, name=path, into=counter):
                pass
        self._compare(store, file, counter.codec)
        if self._codec and counter.codec != self._codec:
            raise CodecDiffers(f'"{path}" is {counter.codec}, and {self._codec} is pinned')
        if not counter.end_seen:
            self._cut.append((file.name, counter.codec))
        return counter

    def _compare(self, store: Store, file: StateFile, codec: str) -> None:
        """Spark does not look at Hadoop's sum of these; a changed file loads all the same."""
        beside = layout.hadoop_sidecar(file.name)
        if beside not in store.names:
            return
        path = layout.join(store.path, file.name)
        sums = self._files.read(layout.join(store.path, beside))
        with (
            suppress(Malformed),  # a damaged sum says nothing of the file
            self._files.open(path) as stream,
        ):
            if not sidecar.hadoop_matches(sums, stream, name=beside):
                change = changed.Change()
                if file.size_bytes <= READ_LIMIT_BYTES:
                    now = self._files.read(path)
                    change = changed.judge(sums, now, changed.state_file(codec))
                self._changed.append((file.name, change))

    def _snapshot(self, store: Store, file: StateFile) -> None:
        found = read_base(self._files, store, file)
        path = layout.join(store.path, file.name)
        if found.empty_members:
            raise Malformed(f'"{path}" has the empty member "{found.empty_members[0]}"')
        for folder, shared in ((layout.SSTS, found.ssts), (layout.ROCKSDB_LOGS, found.logs)):
            if shared:
                present = self._listing(layout.join(store.path, folder))
                for item in shared:
                    self._shared_file(path, folder, item, present)

    def _shared_file(
        self, path: str, folder: str, item: SharedFile, present: dict[str, Entry]
    ) -> None:
        there = present.get(item.stored_name)
        where = f"{folder}/{item.stored_name}"
        if there is None:
            raise Malformed(f'"{path}" needs "{where}", which is missing')
        if there.size_bytes != item.size_bytes:
            sizes = f"{there.size_bytes} bytes instead of {item.size_bytes}"
            raise Malformed(f'"{path}" needs "{where}", which has {sizes}')
        place = layout.join(path.rpartition("/")[0], folder)
        summed = layout.hadoop_sidecar(item.stored_name) in present
        limit_bytes = None if summed or folder != layout.SSTS else _TABLE_LIMIT_BYTES
        if self._too_large(item.size_bytes, limit_bytes=limit_bytes):
            return
        self._hadoop(place, item.stored_name, present)
        if folder == layout.SSTS and not summed:
            self._table(layout.join(place, item.stored_name), item.size_bytes)

    def _table(self, path: str, size_bytes: int) -> None:
        """Where no sum lies beside it, the table's own: RocksDB stops at a block that differs."""
        if path in self._whole_tables:
            return
        try:
            with self._files.open(path) as stream:
                check_table(stream, size_bytes=size_bytes, name=path)
        except FilterDamaged as error:
            self._filters.append((path, error.message))
        self._whole_tables.add(path)

    def _checksum(self, store: Store, name: str, *, rocksdb_v1: bool) -> None:
        """The checksums that Spark itself looks at when it loads."""
        path = layout.join(store.path, name)
        if rocksdb_v1:
            self._hadoop(store.path, name, dict.fromkeys(store.names))
        beside = layout.spark_sidecar(name)
        if beside in store.names:
            data = self._files.read(layout.join(store.path, beside))
            checksum = sidecar.parse_spark_checksum(data, name=beside)
            with self._files.open(path) as stream:
                same = sidecar.spark_matches(checksum, stream, name=beside)
            if not same:
                raise Malformed(f'"{path}" does not match its checksum "{beside}"')

    def _hadoop(self, folder: str, name: str, present: dict[str, Entry] | dict[str, None]) -> None:
        beside = layout.hadoop_sidecar(name)
        if beside not in present:
            return
        sums = self._files.read(layout.join(folder, beside))
        with self._files.open(layout.join(folder, name)) as stream:
            same = sidecar.hadoop_matches(sums, stream, name=beside)
        if not same:
            raise Malformed(f'"{folder}/{name}" does not match its checksum "{beside}"')

    def _listing(self, path: str) -> dict[str, Entry]:
        if path not in self._shared:
            try:
                found = {entry.name: entry for entry in self._files.entries(path)}
            except FileNotFoundError:
                found = {}
            self._shared[path] = found
        return self._shared[path]

    def _oddities(self, store: Store) -> Iterator[Finding]:
        """What is not right and stops no load."""
        for name, codec in self._cut:
            detail = f'"{name}" lacks the end mark of its {codec} stream'
            yield finding("state-file-end-lost", layout.join(store.path, name), detail)
        for name, change in self._changed:
            detail = f'"{name}" does not match its checksum{change.detail and ": "}{change.detail}'
            yield mismatch(layout.join(store.path, name), detail, change)
        for path, detail in self._filters:
            yield finding("table-filter-damaged", path, detail)


def _chain(
    store: Store, version: int, unique_id: str | None, lineage: tuple[LineageItem, ...]
) -> Chain | Broken:
    if unique_id is None:
        return chain(store, version)
    return chain_by_lineage(store, version, unique_id, lineage)


def _stops(name: str, error: StreamctlError, *, is_base: bool = False) -> Trouble:
    supported = not isinstance(error, Unsupported)
    if isinstance(error, RowsDamaged):  # found when the snapshot is loaded already
        is_base = False
    return Trouble(
        name=name,
        detail=error.message,
        supported=supported,
        codec=isinstance(error, CodecDiffers),
        is_base=is_base,
    )


def _without(store: Store, trouble: Trouble) -> Store:
    return replace(store, files=tuple(file for file in store.files if file.name != trouble.name))


def _damaged(store: Store, trouble: Trouble) -> Finding:
    path = layout.join(store.path, trouble.name)
    if not trouble.supported:
        return finding("format-unsupported", path, trouble.detail, effect=Effect.UNKNOWN)
    if trouble.codec:
        return finding("state-codec-mismatch", path, trouble.detail)
    code = "state-file-missing" if trouble.missing else "state-file-damaged"
    return finding(code, path, trouble.detail)
