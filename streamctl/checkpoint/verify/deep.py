"""Everything that the next start does not need: old log entries, all state files, all sums.

What is wrong here stops no start. It takes away a way back, or says that storage is rotting. A live
query purges old files while they are read: what is gone when it is its turn is left out, and the
look goes on. What a start needs was looked at before.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import CommitEntry
from streamctl.checkpoint.formats.operator import parse_operator_metadata, parse_schema
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry
from streamctl.checkpoint.tree.state import DIRECTORY, Operator, StateFile, Store
from streamctl.checkpoint.verify import writers
from streamctl.checkpoint.verify.files import beside, check_sum, without_sum
from streamctl.checkpoint.verify.findings import RESTORE, Finding, finding
from streamctl.checkpoint.verify.loading import Loader
from streamctl.checkpoint.verify.logs import Logs, attempt, guarded
from streamctl.errors import Malformed, Unsupported


def look(logs: Logs, operators: tuple[Operator, ...]) -> Iterator[Finding]:
    """Decode all that can be reached."""
    yield from _log(logs, layout.OFFSETS, logs.offsets, "offsets-old-damaged", log.parse_offsets)
    yield from _log(logs, layout.COMMITS, logs.commits, "commit-old-damaged", log.parse_commit)
    yield from writers.look_at_logs(logs)
    loader = Loader(logs.files)
    commits = writers.committed(logs)
    for operator in operators:
        yield from _if_there(operator.path, partial(_operator_files, logs, operator))
        copies = writers.Copies(logs.files)
        for store in operator.stores:
            for file in store.files:
                check = partial(_file, logs, store, file, loader, copies=copies, commits=commits)
                yield from _if_there(layout.join(store.path, file.name), check)
            yield from _beside(logs, store)
            yield from writers.check_provider(store)
            snapshots = partial(writers.check_snapshots, logs.files, store)
            yield from _if_there(store.path, snapshots)


_if_there = partial(guarded, purged=True)


def _log(
    logs: Logs,
    folder: str,
    names: dict[str, Entry],
    code: str,
    parse: Callable[..., Any],
) -> Iterator[Finding]:
    for name, entry in sorted(names.items()):
        path = f"{folder}/{name}"
        if layout.batch_id(name) is None or entry.is_directory:
            continue
        yield from _if_there(path, partial(_parsed, logs, path, code, parse))
        if layout.hadoop_sidecar(name) in names:
            sums = partial(check_sum, logs.files, folder, name, needed=False)
            yield from _if_there(path, sums)


def _parsed(
    logs: Logs, path: str, code: str, parse: Callable[..., Any], *, remedy: str = ""
) -> list[Finding]:
    found: list[Finding] = []
    attempt(found, code, path, lambda: parse(logs.files.read(path), name=path), remedy=remedy)
    return found


def _file(
    logs: Logs,
    store: Store,
    file: StateFile,
    loader: Loader,
    *,
    copies: writers.Copies,
    commits: Mapping[int, CommitEntry],
) -> Iterator[Finding]:
    if file.size_bytes == DIRECTORY:
        return
    try:
        counter = loader.read(store, file)
        yield from copies.check(store, file, counter)
        yield from writers.check_lineage(store, file, counter.lineage, commits)
    except (Malformed, Unsupported) as error:
        yield finding("state-old-damaged", layout.join(store.path, file.name), error.message)
    if layout.hadoop_sidecar(file.name) in store.names:
        yield from check_sum(logs.files, store.path, file.name, needed=False)


def _beside(logs: Logs, store: Store) -> Iterator[Finding]:
    """What lies in a store's directory beside its state files, and its tables."""
    known = {file.name for file in store.files}
    known |= {layout.OPERATOR_METADATA, layout.SSTS, layout.ROCKSDB_LOGS}
    entries = [Entry(name=name, is_directory=False) for name in store.names]
    for item in beside(store.path, entries, known=known):
        if not item.path.endswith(layout.STATE_SUFFIXES):
            yield item
    for sidecar in (layout.hadoop_sidecar, layout.spark_sidecar):
        yield from without_sum(store.path, [f.name for f in store.files], store.names, sidecar)
    if layout.SSTS in store.names:
        folder = f"{store.path}/{layout.SSTS}"
        yield from _if_there(folder, partial(_tables, logs, folder))


def _tables(logs: Logs, folder: str) -> Iterator[Finding]:
    names = {entry.name: entry for entry in logs.files.entries(folder)}
    for name, entry in sorted(names.items()):
        if layout.hadoop_sidecar(name) in names and entry.size_bytes:
            sums = partial(check_sum, logs.files, folder, name, needed=False)
            yield from _if_there(f"{folder}/{name}", sums)


def _operator_files(logs: Logs, operator: Operator) -> Iterator[Finding]:
    """Metadata of version 2 and schemas of version 3: one file per change."""
    place = layout.join(operator.path, layout.OPERATOR_METADATA, "v2")
    for name in _names(logs, place):
        if layout.batch_id(name) is not None:
            path, code = f"{place}/{name}", "operator-metadata-damaged"
            check = partial(_parsed, logs, path, code, parse_operator_metadata, remedy=RESTORE)
            yield from _if_there(path, check)
    schemas = layout.join(operator.path, layout.STATE_SCHEMA)
    for store in _names(logs, schemas):
        for name in _names(logs, f"{schemas}/{store}"):
            path = f"{schemas}/{store}/{name}"
            if not name.startswith(".") and layout.sidecar_of(name) is None:
                check = partial(_parsed, logs, path, "schema-damaged", parse_schema, remedy=RESTORE)
                yield from _if_there(path, check)


def _names(logs: Logs, folder: str) -> list[str]:
    try:
        return sorted(entry.name for entry in logs.files.entries(folder, details=False))
    except FileNotFoundError:
        return []
