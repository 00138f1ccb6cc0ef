"""Where the bytes are: files by kind, and what a batch adds to the state."""

from collections.abc import Iterable, Iterator, Mapping

from streamctl.checkpoint.report.model import FileKind
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry, Files
from streamctl.checkpoint.tree.state import BASES, Operator, Store

Tables = Mapping[str, list[Entry]]
"""What lies in `SSTs/`, by the path of its store."""

_SIDECAR, _TEMPORARY, _FOREIGN = "sidecar", "temporary", "foreign"


def list_tables(files: Files, operators: Iterable[Operator]) -> Tables:
    """The tables of RocksDB: one listing for each store that has any.

    Raises:
        FileNotFoundError: a directory vanished since the scan.
    """
    return {
        store.path: files.entries(layout.join(store.path, layout.SSTS))
        for operator in operators
        for store in operator.stores
        if store.has_shared_files
    }


def files_by_kind(
    files: Files,
    *,
    offsets: Iterable[Entry],
    commits: Iterable[Entry],
    operators: tuple[Operator, ...],
    tables: Tables,
) -> tuple[FileKind, ...]:
    """Count every file once.

    State files go by their names; what neither Spark nor its filesystem writes is foreign. A
    directory that Spark does not know is not looked into.

    Args:
        files: asked for what lies beside logs and state: a listing each of the root, and of every
            directory of the sources' logs, of operators' metadata and of schemas.
        offsets: names in the offset log.
        commits: names in the commit log.
        operators: of `scan`, with details.
        tables: of `list_tables`.

    Raises:
        FileNotFoundError: a directory vanished since the scan.
    """
    counts = _Counts()
    for entry in files.entries():
        if not entry.is_directory:
            counts.add(entry, "metadata" if entry.name == layout.METADATA else _FOREIGN)
    for kind, entries in (("offsets", offsets), ("commits", commits)):
        for entry in entries:
            counts.add(entry, _FOREIGN if layout.batch_id(entry.name) is None else kind)
    counts.add_all(_below(files, layout.SOURCES), "sources")
    for operator in operators:
        _count_operator(files, operator, tables, counts)
    return counts.kinds()


def _count_operator(files: Files, operator: Operator, tables: Tables, counts: "_Counts") -> None:
    counts.add_all(operator.others, _FOREIGN)
    for folder, kind in ((layout.OPERATOR_METADATA, "operators"), (layout.STATE_SCHEMA, "schemas")):
        counts.add_all(_below(files, layout.join(operator.path, folder)), kind)
    for store in operator.stores:
        counts.add_state(store)
        counts.add_all(store.others, _FOREIGN)
        for entry in tables.get(store.path, ()):
            counts.add(entry, "table" if entry.name.endswith(".sst") else _FOREIGN)
        for folder, kind in ((layout.OPERATOR_METADATA, "schemas"), (layout.ROCKSDB_LOGS, "logs")):
            if folder in store.names:
                counts.add_all(_below(files, layout.join(store.path, folder)), kind)


class _Counts:
    """Files and bytes, by kind."""

    def __init__(self) -> None:
        self._rows: dict[str, list[int]] = {}

    def add(self, entry: Entry, kind: str) -> None:
        """One file, by its name a checksum, a leftover of a writer, or else of the kind."""
        if layout.is_temporary(entry.name):
            kind = _TEMPORARY
        elif layout.sidecar_of(entry.name) is not None:
            kind = _SIDECAR
        self._add(kind, 1, entry.size_bytes)

    def add_all(self, entries: Iterable[Entry], kind: str) -> None:
        for entry in entries:
            self.add(entry, kind)

    def add_state(self, store: Store) -> None:
        """State files; a directory of such a name has no bytes."""
        sizes: dict[str, list[int]] = {}
        for _, _, _, kind, size_bytes, _ in store.files:
            sizes.setdefault(kind, []).append(max(0, size_bytes))
        for kind, found in sizes.items():
            self._add(kind, len(found), sum(found))
        if store.sidecars:
            self._add(_SIDECAR, store.sidecars, 0)

    def kinds(self) -> tuple[FileKind, ...]:
        return tuple(
            FileKind(kind=kind, files=number, size_bytes=None if kind == _SIDECAR else size)
            for kind, (number, size) in sorted(self._rows.items())
        )

    def _add(self, kind: str, files: int, size_bytes: int) -> None:
        row = self._rows.setdefault(kind, [0, 0])
        row[0] += files
        row[1] += size_bytes


def _below(files: Files, path: str) -> Iterator[Entry]:
    """Every file under a small directory; none when it is not there."""
    try:
        entries = files.entries(path)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_directory:
            yield from _below(files, layout.join(path, entry.name))
        else:
            yield entry


def growth(operators: Iterable[Operator], tables: Tables) -> int | None:
    """Bytes of state written per version, in the mean; None when no two versions are kept.

    Deltas and changelogs say what a version changed, and snapshots beside them repeat what is
    there. RocksDB without changelogs writes a zip for each version and the tables that are new in
    it: those that are younger than the oldest zip, by the times of the files, which a copy loses.
    """
    sizes: dict[int, int] = {}
    for operator in operators:
        for store in operator.stores:
            for version, size_bytes in _written(store, tables.get(store.path, ())):
                sizes[version] = sizes.get(version, 0) + max(0, size_bytes)
    return sum(sizes.values()) // len(sizes) if sizes else None


def _written(store: Store, tables: Iterable[Entry]) -> Iterator[tuple[int, int]]:
    """Versions, with bytes that were written for them."""
    changes = [(version, size) for _, version, _, kind, size, _ in store.files if kind not in BASES]
    zips = [file for file in store.files if file.kind == "zip"]
    if changes or not zips:
        yield from changes
        return
    oldest, *later = zips
    yield from ((file.version, file.size_bytes) for file in later)
    if later:
        since = oldest.modified_seconds or 0.0
        young = [t for t in tables if t.modified_seconds is None or t.modified_seconds > since]
        yield later[-1].version, sum(t.size_bytes for t in young if t.name.endswith(".sst"))
