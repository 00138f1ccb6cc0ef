"""The state against the logs: every store of every partition at the version a start needs.

Follows `StateStoreId`, `StatefulOperatorStateInfo` and `IncrementalExecution` (what must be there),
and `loading` (whether it can be loaded).
"""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from streamctl.checkpoint.formats.operator import OperatorMetadata, parse_schema
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import NotAFile, local_path
from streamctl.checkpoint.tree.state import (
    CODEC_CONF,
    JOIN_STORES,
    Operator,
    Store,
    is_rocksdb,
    operator_metadata_file,
    partition_count,
    read_operator_metadata,
    scan,
    unique_id_of,
)
from streamctl.checkpoint.verify import changed
from streamctl.checkpoint.verify.files import check_sum_if_any
from streamctl.checkpoint.verify.findings import RESTORE, Finding, finding
from streamctl.checkpoint.verify.kinds import Effect, Severity
from streamctl.checkpoint.verify.loading import Loader
from streamctl.checkpoint.verify.logs import Logs, attempt, guarded
from streamctl.checkpoint.verify.releases import planned_by
from streamctl.errors import Malformed, Unsupported

_CODECS = frozenset({"lz4", "zstd", "snappy", "lzf"})
_FORMAT_2 = 2
_NAMES = frozenset(
    {
        "stateStoreSave",
        "StatefulStreamlineAggregate",
        "sessionWindowStateStoreSaveExec",
        "dedupe",
        "dedupeWithinWatermark",
        "symmetricHashJoin",
        "flatMapGroupsWithState",
        "applyInPandasWithState",
        "transformWithStateExec",
        "transformWithStateInPandasExec",
        "transformWithStateInPySparkExec",
        "globalLimit",
    }
)
"""`StateStoreWriter.shortName` of every operator."""


def look(
    logs: Logs, *, limit_bytes: int | None = None, in_place: bool = True
) -> tuple[tuple[Operator, ...], list[Finding], int]:
    """Check the state for the next start.

    Args:
        logs: of `verify.logs.look`.
        limit_bytes: state files larger than this are not read; None reads all.
        in_place: the checkpoint lies where a query would be started from it.

    Returns:
        The operators, the findings, and how many files were too large to read.

    Raises:
        FileNotFoundError: a file vanished since the listing.
    """
    operators = scan(logs.files) if logs.has_state else ()
    found: list[Finding] = []
    if not operators:
        found += _gone(logs)
    codec = logs.last.conf.get(CODEC_CONF, "") if logs.last else ""
    loader = Loader(
        logs.files,
        codec=codec if codec in _CODECS else "",
        planned_by=planned_by(logs.last.conf) if logs.last else (0, 0),
        limit_bytes=limit_bytes,
    )
    for operator in operators:
        found += guarded(
            operator.path, partial(_operator, logs, operator, loader, in_place=in_place)
        )
    found += _missing_operators(logs, operators)
    return operators, found, loader.unread


def _gone(logs: Logs) -> Iterator[Finding]:
    if logs.start is None or logs.start.batch_id == 0:
        return
    detail = "there is no state directory with an operator in it"
    if logs.has_state or (logs.commit is not None and logs.commit.state_unique_ids):
        yield finding("state-gone", layout.STATE, detail)
    elif logs.last is not None and logs.last.watermark_ms > 0:
        yield finding("state-perhaps-gone", layout.STATE, detail)


def _missing_operators(logs: Logs, operators: tuple[Operator, ...]) -> Iterator[Finding]:
    if not operators:
        return
    there = {operator.operator_id for operator in operators}
    wanted = set(range(max(there) + 1))
    if logs.commit is not None and logs.commit.state_unique_ids:
        wanted |= set(logs.commit.state_unique_ids)
    for number in sorted(wanted - there):
        path = f"{layout.STATE}/{number}"
        yield finding("operator-missing", path, f"operator {number} has no directory")


def _operator(
    logs: Logs, operator: Operator, loader: Loader, *, in_place: bool
) -> Iterator[Finding]:
    found: list[Finding] = []
    path = operator_metadata_file(logs.files, operator) or _first_metadata(operator)
    metadata = _metadata(logs, operator, path, found)
    yield from found
    if metadata is not None:
        yield from _identity(operator, metadata, path)
    if metadata is not None and in_place and logs.files.is_local:
        yield from _elsewhere(logs, operator, metadata, path)
    yield from _places(logs, operator, metadata)
    yield from _schemas(logs, operator, metadata)
    count = partition_count(logs.last.conf) if logs.last else None
    for store in operator.stores:
        in_use = count is None or store.partition_id < count
        yield from _strays(logs, store)
        if in_use and logs.start is not None:
            yield from guarded(store.path, partial(_store, logs, store, loader))


def _first_metadata(operator: Operator) -> str:
    return layout.join(operator.path, layout.OPERATOR_METADATA, "metadata")


def _metadata(
    logs: Logs, operator: Operator, path: str, found: list[Finding]
) -> OperatorMetadata | None:
    needed = _needs_metadata(logs, operator)

    def read() -> OperatorMetadata | None:
        try:
            return read_operator_metadata(logs.files, operator)
        except NotAFile as error:  # Spark takes it for there, and never reads it
            code = "operator-metadata-gone" if needed else "operator-metadata-missing"
            found.append(finding(code, path, error.message, remedy="" if needed else _MOVE))
            return None

    metadata = attempt(found, "operator-metadata-damaged", path, read, remedy=_anew(path))
    if metadata is not None and metadata.version == 1:
        found += check_sum_if_any(logs.files, path, changed.operator)
    if metadata is None and not found:
        found += _without_metadata(logs, operator, needed=needed)
    return metadata


def _without_metadata(logs: Logs, operator: Operator, *, needed: bool) -> Iterator[Finding]:
    path = _first_metadata(operator)
    detail = f"operator {operator.operator_id} has no metadata file"
    if needed:
        yield finding("operator-metadata-gone", f"{path.rpartition('/')[0]}/v2", detail)
        return
    blocker = list(_blocker(logs, path))
    if blocker or _writes_metadata(logs):
        yield finding("operator-metadata-missing", path, detail)
    yield from blocker


def _blocker(logs: Logs, path: str) -> Iterator[Finding]:
    """The old checksum of a file that Spark would write anew: the rename stumbles over it."""
    sums = layout.hadoop_sidecar(path)
    if logs.files.exists(sums):
        says = "Rename destination already exists"
        yield finding("sidecar-blocks", sums, f'"{path}" cannot be written', condition=says)


_MOVE = "Nothing is needed to start; move it away, and Spark writes the file anew: `{move}`."


def _anew(path: str) -> str:
    """What to do with metadata: Spark writes version 1 anew, and version 2 in batch 0 alone."""
    return RESTORE if path.rpartition("/")[0].endswith("/v2") else ""


def _needs_metadata(logs: Logs, operator: Operator) -> bool:
    """True when the state's schemas are found through the metadata: Spark writes it in batch 0."""
    later = logs.start is not None and logs.start.batch_id > 0
    return later and logs.files.exists(layout.join(operator.path, layout.STATE_SCHEMA))


def _identity(operator: Operator, metadata: OperatorMetadata, path: str) -> Iterator[Finding]:
    """Id and name, by which Spark finds the operator in the query's plan."""
    remedy = _anew(path)
    if metadata.operator_id != operator.operator_id:
        detail = f"it is of operator {metadata.operator_id}"
        yield finding("operator-metadata-damaged", path, detail, remedy=remedy)
    if not metadata.stores:
        yield finding(
            "operator-metadata-damaged",
            path,
            "it names no stores, which a start does not need",
            effect=Effect.STARTS,
            severity=Severity.WARNING,
            remedy=remedy,
        )
    if metadata.name not in _NAMES:
        detail = f'it is named "{metadata.name[:60]}"'
        yield finding("operator-unknown", path, detail, remedy=remedy)


def _elsewhere(
    logs: Logs, operator: Operator, metadata: OperatorMetadata, path: str
) -> Iterator[Finding]:
    """Schema files that are named at another place than here."""
    for store in metadata.stores:
        for place in store.schema_paths[-1:]:
            folder = layout.join(operator.path, layout.STATE_SCHEMA, store.name)
            here = logs.files.path(f"{folder}/{place.rpartition('/')[2]}")
            there = local_path(place)
            if there is not None and os.path.realpath(there) != os.path.realpath(here):
                effect = Effect.UNKNOWN if Path(there).exists() else _without_schema(metadata)
                detail = f'the schema is read from "{there}"'
                yield finding("schema-elsewhere", path, detail, effect=effect)


def _writes_metadata(logs: Logs) -> bool:
    """True when Spark 4.0 or later planned the last batch: it pins settings that 3.5 has not."""
    return logs.last is not None and planned_by(logs.last.conf) >= (4, 0)


def _places(logs: Logs, operator: Operator, metadata: OperatorMetadata | None) -> Iterator[Finding]:
    """Partition directories, and the stores in each."""
    if logs.start is None or logs.start.state_version == 0:
        return
    count = partition_count(logs.last.conf) if logs.last else None
    expected = 1 if count and _in_one_partition(logs, operator) else count or 0
    for number in sorted(set(range(expected)) - set(operator.partitions)):
        path = f"{operator.path}/{number}"
        yield finding("partition-missing", path, f"partition {number} has no directory")
    names = {store.name for store in operator.stores}
    if names & set(JOIN_STORES):
        names |= set(JOIN_STORES)
    elif metadata is not None:
        names |= {info.name for info in metadata.stores}
    present = {(store.partition_id, store.name) for store in operator.stores}
    for number in operator.partitions:
        if count is not None and number >= count:
            continue
        for name in sorted(names):
            if (number, name) not in present:
                path = layout.join(operator.path, str(number), name)
                yield finding("store-missing", path, f"partition {number} has no store {name}")


def _in_one_partition(logs: Logs, operator: Operator) -> bool:
    """True where a query without keys has all its state in partition 0, whatever the setting says.

    So with a limit and with an aggregation of everything: their operators ask for `AllTuples`
    (Spark `StreamingGlobalLimitExec`, `StateStoreSaveExec`). The operator's metadata has the number
    of the setting all the same.
    """
    if operator.partitions != (0,):
        return False
    path = f"{operator.path}/0/{layout.OPERATOR_METADATA}/schema"
    try:
        keys = parse_schema(logs.files.read(path), name=path).families[0].key["fields"]
        return [(key["name"], key["type"]) for key in keys] in _NO_KEYS
    except (FileNotFoundError, Malformed, Unsupported, LookupError, TypeError):
        return False


_NO_KEYS: tuple[list[tuple[str, str]], ...] = (
    [],
    [("key", "void")],  # of a limit
)


def _without_schema(metadata: OperatorMetadata) -> Effect:
    """Measured: a join of format 3 starts without its schema, `transformWithState` does not."""
    return Effect.FAILS if metadata.name.startswith("transformWithState") else Effect.STARTS


def _schemas(
    logs: Logs, operator: Operator, metadata: OperatorMetadata | None
) -> Iterator[Finding]:
    """The schema files that a start compares the query with."""
    if logs.start is None or logs.start.state_version == 0:
        return
    found: list[Finding] = []
    if metadata is not None and metadata.version >= _FORMAT_2:
        for store in metadata.stores:
            for place in store.schema_paths[-1:]:
                folder = layout.join(operator.path, layout.STATE_SCHEMA, store.name)
                path = f"{folder}/{place.rpartition('/')[2]}"
                _schema(logs, found, path, effect=_without_schema(metadata))
    else:
        for at in operator.stores:
            if at.partition_id == 0:
                path = layout.join(at.path, layout.OPERATOR_METADATA, "schema")
                _schema(logs, found, path, effect=Effect.STARTS)
    yield from found


def _schema(logs: Logs, found: list[Finding], path: str, *, effect: Effect) -> None:
    """One schema file; `effect` is that of its absence."""
    remedy = RESTORE if effect is Effect.FAILS else ""
    try:
        attempt(
            found,
            "schema-damaged",
            path,
            lambda: parse_schema(logs.files.read(path), name=path),
            remedy=remedy,
        )
        found += check_sum_if_any(logs.files, path, changed.schema)
    except FileNotFoundError:
        detail = f'"{path}" is missing'
        found.append(finding("schema-missing", path, detail, effect=effect, remedy=remedy))
        found += _blocker(logs, path)


def _strays(logs: Logs, store: Store) -> Iterator[Finding]:
    """Names that end like state and have no version: a listing in Spark trips over them."""
    rocksdb = is_rocksdb(store)
    unique = logs.commit is not None and bool(logs.commit.state_unique_ids)
    for name in sorted(store.names):
        if name.startswith(".") or layout.state_file(name) is not None:
            continue
        if not name.endswith(layout.STATE_SUFFIXES):
            continue
        fatal = name.endswith(".zip") if rocksdb else name.endswith(".snapshot")
        fatal = fatal and not unique
        detail = f'"{name}" has no version for a name'
        yield finding(
            "state-stray-file",
            layout.join(store.path, name),
            detail,
            effect=Effect.FAILS if fatal else Effect.STARTS,
            severity=Severity.ERROR if fatal else Severity.NOTE,
        )


def _store(logs: Logs, store: Store, loader: Loader) -> Iterator[Finding]:
    start = logs.start
    if start is None:
        return
    mixed = _mixed(logs, store)
    if mixed is not None:
        yield mixed
        return
    unique_id = None
    if logs.commit is not None and logs.commit.state_unique_ids:
        unique_id = unique_id_of(logs.commit, store)
        if unique_id is None and start.state_version > 0:
            detail = f"the commit has no id for {store.path}"
            yield finding("commit-ids-lost", f"{layout.COMMITS}/{logs.committed[-1]}", detail)
            return
    yield from _ahead(store, start.planned, by_id=unique_id is not None)
    yield from loader.check(store, start.state_version, unique_id)


def _mixed(logs: Logs, store: Store) -> Finding | None:
    """Files of the other format beside those that the commit log promises."""
    named = next((file for file in store.files if file.unique_id is not None), None)
    if named is None or logs.commit is None or logs.commit.state_unique_ids:
        return None
    if logs.commit.version >= _FORMAT_2:
        detail = "the commit log is of format 2 and has no ids"
        return finding("commit-ids-lost", f"{layout.COMMITS}/{logs.committed[-1]}", detail)
    detail = f'"{named.name}" has a unique id, and the commit log is of format 1'
    return finding("state-format-mixed", layout.join(store.path, named.name), detail)


def _ahead(store: Store, planned: int, *, by_id: bool) -> Iterator[Finding]:
    """State of batches after the newest planned one: the logs were cut back alone."""
    beyond = [file for file in store.files if file.version > planned + 1]
    if beyond:
        path = layout.join(store.path, beyond[-1].name)
        detail = f"version {beyond[-1].version}, and batch {planned} is the newest planned"
        harmless = by_id or all(file.kind == "zip" for file in store.files)
        yield finding(
            "state-ahead",
            path,
            detail,
            effect=Effect.STARTS if harmless else Effect.WRONG,
            severity=Severity.WARNING if harmless else Severity.ERROR,
        )
