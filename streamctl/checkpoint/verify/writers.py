"""Traces of a second writer, and of files that were put in another's place.

Spark keeps no lock and writes no run's name into its files, so that only contradictions tell: a
batch is planned with the watermark that the commit before handed on (`MicroBatchExecution`), time
goes on, a version of format 2 is built on the version that was committed (`RocksDB`, lineage), one
provider writes a store, and a key lives in one partition (`StatefulOpClusteredDistribution`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import CommitEntry, OffsetsEntry
from streamctl.checkpoint.formats.rows import Counter, LineageItem
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files, Unreadable
from streamctl.checkpoint.tree.keys import count_keys
from streamctl.checkpoint.tree.state import Chain, StateFile, Store, chain, unique_id_of
from streamctl.checkpoint.verify.findings import Finding, finding
from streamctl.checkpoint.verify.logs import Logs
from streamctl.errors import Malformed, Unsupported

_TOLD_ELSEWHERE = (Malformed, Unsupported, Unreadable, FileNotFoundError)
"""Where a file cannot be read, or was purged meanwhile."""
_HDFS_KINDS = frozenset({"delta", "snapshot"})


def look_at_logs(logs: Logs) -> Iterator[Finding]:
    """Each planned batch against the commit and the plan before it: notes, for clocks may step."""
    yield from _losers(logs)
    commits = committed(logs)
    before: OffsetsEntry | None = None
    for batch in logs.planned:
        entry = _offsets(logs, batch)
        if entry is None:
            continue
        path = f"{layout.OFFSETS}/{batch}"
        handed_on = commits.get(batch - 1)
        if handed_on is not None and handed_on.next_watermark_ms != entry.watermark_ms:
            detail = f"watermark {entry.watermark_ms} ms, and commit {batch - 1} handed on "
            yield finding("two-writers", path, f"{detail}{handed_on.next_watermark_ms} ms")
        elif before is not None and entry.timestamp_ms < before.timestamp_ms:
            late_ms = before.timestamp_ms - entry.timestamp_ms
            yield finding("two-writers", path, f"planned {late_ms} ms before the batch before it")
        before = entry


def _losers(logs: Logs) -> Iterator[Finding]:
    """Temporary files of entries that are there: the rename of another attempt came first."""
    for folder, names in ((layout.OFFSETS, logs.offsets), (layout.COMMITS, logs.commits)):
        for name in sorted(names):
            batch = name[1:].partition(".")[0]
            if layout.is_temporary(name) and not name.endswith(".crc") and batch in names:
                detail = f"there was another attempt to write {folder}/{batch}"
                yield finding("two-writers", f"{folder}/{name}", detail)


def committed(logs: Logs) -> dict[int, CommitEntry]:
    """The commits that can be read, by batch."""
    found = {}
    for batch in logs.committed:
        path = f"{layout.COMMITS}/{batch}"
        try:
            found[batch] = log.parse_commit(logs.files.read(path), name=path)
        except _TOLD_ELSEWHERE:
            continue
    return found


def _offsets(logs: Logs, batch: int) -> OffsetsEntry | None:
    path = f"{layout.OFFSETS}/{batch}"
    try:
        return log.parse_offsets(logs.files.read(path), name=path)
    except _TOLD_ELSEWHERE:
        return None


def check_provider(store: Store) -> Iterator[Finding]:
    """Both providers wrote here; Spark reads what is pinned and leaves the rest lying."""
    kinds = {file.kind for file in store.files}
    if kinds & _HDFS_KINDS and kinds - _HDFS_KINDS:
        detail = f"there are {' and '.join(sorted(kinds))} files"
        yield finding("state-providers-mixed", store.path, detail)


def check_lineage(
    store: Store,
    file: StateFile,
    lineage: tuple[LineageItem, ...],
    commits: Mapping[int, CommitEntry],
) -> Iterator[Finding]:
    """A changelog of a committed version must be built on versions that were committed."""
    own = commits.get(file.version - 1)
    if own is None or unique_id_of(own, store) != file.unique_id:
        return  # of an attempt that came to nothing
    for item in lineage:
        commit = commits.get(item.version - 1)
        wanted = unique_id_of(commit, store) if commit else None
        if wanted is not None and wanted != item.unique_id:
            detail = f"built on version {item.version} of {item.unique_id}; {wanted} was committed"
            yield finding("state-lineage-differs", layout.join(store.path, file.name), detail)
            return


class Copies:
    """Change files of one operator that have the same bytes in two partitions."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._seen: dict[tuple[str, str], tuple[int, str]] = {}

    def check(self, store: Store, file: StateFile, counter: Counter) -> Iterator[Finding]:
        """Compare one file with those before; one without records is the same everywhere."""
        if file.is_base or not counter.puts + counter.removals:
            return
        path = layout.join(store.path, file.name)
        partition, other = self._seen.setdefault(
            (store.name, self._digest(path)), (store.partition_id, path)
        )
        if partition != store.partition_id:
            yield finding("state-file-copied", path, f'"{other}" has the same bytes')

    def _digest(self, path: str) -> str:
        import xxhash

        digest = xxhash.xxh3_128()
        with self._files.open(path) as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest()


def check_snapshots(files: Files, store: Store) -> Iterator[Finding]:
    """Each HDFS-backed snapshot against what an older one and the changes since make."""
    for file in store.files:
        if file.kind != "snapshot":
            continue
        others = tuple(other for other in store.files if other != file)
        older = chain(replace(store, files=others), file.version)
        if not isinstance(older, Chain):
            continue
        try:
            made = count_keys(files, store, older).keys
            here = count_keys(files, store, Chain(version=file.version, base=file, changes=())).keys
        except _TOLD_ELSEWHERE:  # or too large to count
            continue
        if made != here:
            detail = f"it has {here} keys, and the changes up to it make {made}"
            yield finding("state-file-differs", layout.join(store.path, file.name), detail)
