"""Everything that the next start does not need: old log entries, all state files, all sums.

What is wrong here stops no start. It takes away a way back, or says that storage is rotting.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import CommitEntry
from streamctl.checkpoint.formats.operator import parse_operator_metadata, parse_schema
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry
from streamctl.checkpoint.tree.state import DIRECTORY, Operator, Store
from streamctl.checkpoint.verify import writers
from streamctl.checkpoint.verify.files import beside, check_sum
from streamctl.checkpoint.verify.findings import Finding, finding
from streamctl.checkpoint.verify.loading import Loader
from streamctl.checkpoint.verify.logs import Logs, attempt
from streamctl.errors import Malformed, Unsupported


def look(logs: Logs, operators: tuple[Operator, ...]) -> Iterator[Finding]:
    """Decode all that can be reached.

    Raises:
        FileNotFoundError: a file vanished since the listing.
    """
    yield from _log(logs, layout.OFFSETS, logs.offsets, "offsets-old-damaged", log.parse_offsets)
    yield from _log(logs, layout.COMMITS, logs.commits, "commit-old-damaged", log.parse_commit)
    yield from writers.look_at_logs(logs)
    loader = Loader(logs.files)
    commits = writers.committed(logs)
    for operator in operators:
        yield from _operator_files(logs, operator)
        copies = writers.Copies(logs.files)
        for store in operator.stores:
            yield from _store(logs, store, loader, copies=copies, commits=commits)
            yield from writers.check_provider(store)
            yield from writers.check_snapshots(logs.files, store)


def _log(
    logs: Logs,
    folder: str,
    names: dict[str, Entry],
    code: str,
    parse: Callable[..., Any],
) -> Iterator[Finding]:
    found: list[Finding] = []
    for name, entry in sorted(names.items()):
        path = f"{folder}/{name}"
        if layout.batch_id(name) is None or entry.is_directory:
            continue
        attempt(
            found,
            code,
            path,
            lambda path=path: parse(logs.files.read(path), name=path),  # type: ignore[misc]
        )
        if layout.hadoop_sidecar(name) in names:
            yield from check_sum(logs.files, folder, name, needed=False)
    yield from found


def _store(
    logs: Logs,
    store: Store,
    loader: Loader,
    *,
    copies: writers.Copies,
    commits: Mapping[int, CommitEntry],
) -> Iterator[Finding]:
    for file in store.files:
        if file.size_bytes == DIRECTORY:
            continue
        path = layout.join(store.path, file.name)
        try:
            counter = loader.read(store, file)
            yield from copies.check(store, file, counter)
            yield from writers.check_lineage(store, file, counter.lineage, commits)
        except (Malformed, Unsupported) as error:
            yield finding("state-old-damaged", path, error.message)
        if layout.hadoop_sidecar(file.name) in store.names:
            yield from check_sum(logs.files, store.path, file.name, needed=False)
    known = {file.name for file in store.files}
    known |= {layout.OPERATOR_METADATA, layout.SSTS, layout.ROCKSDB_LOGS}
    entries = [Entry(name=name, is_directory=False) for name in store.names]
    for item in beside(store.path, entries, known=known):
        if not item.path.endswith(layout.STATE_SUFFIXES):
            yield item
    if layout.SSTS in store.names:
        yield from _tables(logs, f"{store.path}/{layout.SSTS}")


def _tables(logs: Logs, folder: str) -> Iterator[Finding]:
    names = {entry.name: entry for entry in logs.files.entries(folder)}
    for name, entry in sorted(names.items()):
        if layout.hadoop_sidecar(name) in names and entry.size_bytes:
            yield from check_sum(logs.files, folder, name, needed=False)


def _operator_files(logs: Logs, operator: Operator) -> Iterator[Finding]:
    """Metadata of version 2 and schemas of version 3: one file per change."""
    found: list[Finding] = []
    place = layout.join(operator.path, layout.OPERATOR_METADATA, "v2")
    for name in _names(logs, place):
        path = f"{place}/{name}"
        if layout.batch_id(name) is not None:
            attempt(
                found,
                "operator-metadata-damaged",
                path,
                lambda path=path: parse_operator_metadata(  # type: ignore[misc]
                    logs.files.read(path), name=path
                ),
            )
    schemas = layout.join(operator.path, layout.STATE_SCHEMA)
    for store in _names(logs, schemas):
        for name in _names(logs, f"{schemas}/{store}"):
            path = f"{schemas}/{store}/{name}"
            if not name.startswith(".") and layout.sidecar_of(name) is None:
                attempt(
                    found,
                    "schema-damaged",
                    path,
                    lambda path=path: parse_schema(  # type: ignore[misc]
                        logs.files.read(path), name=path
                    ),
                )
    yield from found


def _names(logs: Logs, folder: str) -> list[str]:
    try:
        return sorted(entry.name for entry in logs.files.entries(folder, details=False))
    except FileNotFoundError:
        return []
