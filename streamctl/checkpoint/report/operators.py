"""What each stateful operator holds, and how many keys it has at one state version."""

from collections.abc import Mapping
from dataclasses import dataclass

from streamctl.checkpoint.formats.model import CommitEntry
from streamctl.checkpoint.formats.operator import OperatorMetadata
from streamctl.checkpoint.report.model import OperatorReport, PartitionState
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.state import (
    Broken,
    Chain,
    Operator,
    Store,
    chain,
    chain_by_lineage,
    is_rocksdb,
    read_operator_metadata,
    unique_id_of,
)
from streamctl.errors import Malformed, Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The state whose keys are counted.

    Attributes:
        version: as stores number them; 0 is empty.
        commit: of the batch that made it; None when it has none, or it cannot be read.
        by_ids: with format 2 the commit names the files, with format 1 the version does.
    """

    version: int
    commit: CommitEntry | None
    by_ids: bool


def read_operator(
    files: Files,
    operator: Operator,
    *,
    versions: Mapping[str, frozenset[int]],
    counted: Counted | None,
    unknown: list[str],
) -> OperatorReport:
    """Report on one operator.

    Args:
        files: the checkpoint's door.
        operator: of `scan`.
        versions: those that can be made, by each store's path.
        counted: reads each store's chain of files to count keys; None: no key is counted.
        unknown: takes what could not be read, one line each.

    Raises:
        FileNotFoundError: a file was purged meanwhile.
    """
    metadata: OperatorMetadata | None = None
    try:
        metadata = read_operator_metadata(files, operator)
    except (Malformed, Unsupported) as error:
        unknown.append(error.message)
    parts = tuple(
        _partition(files, store, can=versions[store.path], counted=counted, unknown=unknown)
        for store in operator.stores
    )
    sizes: dict[int, int] = dict.fromkeys(operator.partitions, 0)
    for part in parts:
        sizes[part.partition] += part.size_bytes
    total = sum(sizes.values())
    keys = [part.keys for part in parts]
    return OperatorReport(
        operator_id=operator.operator_id,
        name=metadata.name if metadata else None,
        provider="rocksdb" if any(is_rocksdb(store) for store in operator.stores) else "hdfs",
        stores=tuple(sorted({store.name for store in operator.stores})),
        partitions=len(operator.partitions),
        size_bytes=total,
        skew=round(max(sizes.values()) * len(sizes) / total, 2) if total else None,
        keys=sum(k for k in keys if k is not None) if counted and None not in keys else None,
        schema_paths_absolute=bool(metadata and any(s.schema_paths for s in metadata.stores)),
        partition_states=parts,
    )


def _partition(
    files: Files,
    store: Store,
    *,
    can: frozenset[int],
    counted: Counted | None,
    unknown: list[str],
) -> PartitionState:
    count = None
    if counted is not None and counted.version:
        from streamctl.checkpoint.tree.keys import count_keys

        try:
            found = _chain(files, store, counted)
            if isinstance(found, Broken):
                unknown.append(f'keys of "{store.path}": {found.reason}')
            else:
                count = count_keys(files, store, found)
        except (Malformed, Unsupported) as error:
            unknown.append(error.message)
    return PartitionState(
        partition=store.partition_id,
        store=store.name,
        files=len(store.files),
        size_bytes=sum(max(0, file.size_bytes) for file in store.files),
        oldest_version=min(can, default=None),
        newest_version=max(can, default=None),
        keys=count.keys if count else None,
        keys_at_version=count.at_version if count else None,
    )


def _chain(files: Files, store: Store, counted: Counted) -> Chain | Broken:
    version = counted.version
    if not counted.by_ids:
        return chain(store, version)
    unique_id = unique_id_of(counted.commit, store) if counted.commit else None
    if unique_id is None:
        name = f"{layout.COMMITS}/{version - 1}"
        return Broken(version=version, missing=name, reason=f"{name} does not name its files")
    name = f"{version}_{unique_id}.changelog"
    if name not in store.names:
        return chain_by_lineage(store, version, unique_id, ())
    from streamctl.checkpoint.formats.rows import read_lineage

    with files.open(layout.join(store.path, name)) as stream:
        return chain_by_lineage(store, version, unique_id, read_lineage(stream, name=name))
