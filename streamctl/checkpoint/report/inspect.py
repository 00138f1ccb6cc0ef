"""What is in a checkpoint: position, sources, watermark, settings, operators, state, the way back.

The number of listings and reads depends on operators and partitions, never on how many batches or
state versions are kept. Counting keys adds one chain of reads per store.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import CommitEntry, OffsetsEntry
from streamctl.checkpoint.formats.operator import OperatorMetadata
from streamctl.checkpoint.report.model import (
    FileKind,
    InspectReport,
    OperatorReport,
    PartitionRange,
    PartitionState,
    Rewind,
    Section,
    SourceReport,
)
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry, Files
from streamctl.checkpoint.tree.reader import Checkpoint, again
from streamctl.checkpoint.tree.start import plan_start
from streamctl.checkpoint.tree.state import (
    BASES,
    Broken,
    Operator,
    Store,
    chain,
    chain_by_lineage,
    is_rocksdb,
    read_operator_metadata,
    rebuildable,
    scan,
)
from streamctl.errors import Malformed, NotFound, StreamctlError, Unsupported
from streamctl.reports import Verdict

_FORMAT_2 = 2


def inspect(
    checkpoint: Checkpoint,
    *,
    batch_id: int | None = None,
    sections: Collection[Section] = (),
    now: datetime,
) -> InspectReport:
    """Look at a checkpoint, which a query may be writing.

    Args:
        checkpoint: O operators with P partitions: about O * P * 2 listings.
        batch_id: the batch to show; the newest planned one by default.
        sections: what is to be shown; `STATE` counts keys, which reads each store's newest chain.
        now: UTC.

    Raises:
        NotFound: the batch is not in the offset log.
        StreamctlError: storage fails, or files kept vanishing.
    """
    counts = Section.STATE in sections
    report = again(lambda: _inspect(checkpoint, batch_id=batch_id, state=counts, now=now))
    return replace(report, sections=tuple(sorted(sections)))


def _inspect(
    checkpoint: Checkpoint, *, batch_id: int | None, state: bool, now: datetime
) -> InspectReport:
    files = checkpoint.files
    unknown: list[str] = []
    commits = _named(files, layout.COMMITS)
    offsets = _named(files, layout.OFFSETS)
    planned, committed = layout.batch_ids(offsets), layout.batch_ids(commits)
    shown = planned[-1] if batch_id is None and planned else batch_id
    if shown is not None and shown not in planned:
        raise NotFound(f"batch {shown} is not in the offset log", hint=_kept(planned))
    last = _entry(checkpoint, shown, unknown)
    before = _entry(checkpoint, shown - 1, unknown) if shown and shown - 1 in planned else None
    commit = _commit(checkpoint, committed, unknown)
    operators = scan(files)
    start = plan_start(planned, committed)
    version = start.state_version if start else 0
    versions = {store.path: rebuildable(store) for item in operators for store in item.stores}
    reports = tuple(
        _operator(
            files,
            item,
            commit,
            versions=versions,
            version=version,
            state=state,
            unknown=unknown,
        )
        for item in operators
    )
    newest = commits[str(committed[-1])].modified_seconds if committed else None
    watermark = _moment(last.watermark_ms if last else None)
    return InspectReport(
        verdict=Verdict.UNKNOWN if unknown else Verdict.OK,
        location=checkpoint.location,
        inspected_at=now,
        query_id=_query_id(checkpoint, unknown),
        planned_batch_id=planned[-1] if planned else None,
        committed_batch_id=committed[-1] if committed else None,
        batch_id=shown,
        batch_in_flight=start is not None and start.runs_again,
        planned_at=_moment(last.timestamp_ms if last else None),
        committed_age_seconds=None if newest is None else round(now.timestamp() - newest, 3),
        watermark=watermark,
        watermark_behind_seconds=None if watermark is None else (now - watermark).total_seconds(),
        offset_log_version=last.version if last else None,
        commit_log_version=commit.version if commit else None,
        state_format_version=_format(commit, operators),
        sources=_sources(last, before, shown, unknown),
        conf=dict(last.conf) if last else {},
        operators=reports,
        files=_kinds(files, offsets.values(), commits.values(), operators),
        growth_bytes_per_batch=_growth(operators),
        rewind=plan_back(planned, committed, list(versions.values())),
        unknown=tuple(unknown),
        filesystem_calls=files.calls,
    )


def _kept(planned: list[int]) -> str:
    if not planned:
        return "Nothing is planned yet."
    return f"The offset log keeps batches {planned[0]} to {planned[-1]}."


def _named(files: Files, folder: str) -> dict[str, Entry]:
    try:
        return {entry.name: entry for entry in files.entries(folder)}
    except FileNotFoundError:
        return {}


def _entry(checkpoint: Checkpoint, batch: int | None, unknown: list[str]) -> OffsetsEntry | None:
    if batch is None:
        return None
    try:
        return checkpoint.offsets(batch)
    except (Malformed, Unsupported) as error:
        unknown.append(error.message)
        return None


def _commit(checkpoint: Checkpoint, committed: list[int], unknown: list[str]) -> CommitEntry | None:
    if not committed:
        return None
    try:
        return checkpoint.commit(committed[-1])
    except (Malformed, Unsupported) as error:
        unknown.append(error.message)
        return None


def _query_id(checkpoint: Checkpoint, unknown: list[str]) -> str | None:
    try:
        return checkpoint.query_id()
    except StreamctlError as error:
        unknown.append(error.message)
        return None


def _moment(ms: int | None) -> datetime | None:
    """A time of the log; None for 0, which means none yet, and for times beyond the calendar."""
    if not ms:
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    except OverflowError:
        return None


def _format(commit: CommitEntry | None, operators: tuple[Operator, ...]) -> int | None:
    if commit is None or not operators:
        return None
    return _FORMAT_2 if commit.state_unique_ids or commit.version == _FORMAT_2 else 1


def _sources(
    last: OffsetsEntry | None,
    before: OffsetsEntry | None,
    batch: int | None,
    unknown: list[str],
) -> tuple[SourceReport, ...]:
    name = f"{layout.OFFSETS}/{batch}"
    earlier = {}
    try:
        for source in before.sources if before else ():
            earlier[source.source_id] = log.source_position(source).kafka or {}
        found = [log.source_position(s, name=name) for s in (last.sources if last else ())]
    except Malformed as error:
        unknown.append(error.message)
        return ()
    reports = []
    for position in found:
        start = earlier.get(position.source_id, {})
        ranges = tuple(
            PartitionRange(
                topic=topic,
                partition=partition,
                start_offset=start.get(topic, {}).get(partition, 0 if batch == 0 else None),
                end_offset=end,
            )
            for topic, partitions in sorted((position.kafka or {}).items())
            for partition, end in sorted(partitions.items())
        )
        known = [r.end_offset - r.start_offset for r in ranges if r.start_offset is not None]
        reports.append(
            SourceReport(
                source_id=position.source_id,
                kind=_source_kind(position.kafka is not None, position.opaque),
                partitions=ranges,
                records=sum(known) if position.kafka is not None and known else None,
                offset=position.opaque,
            )
        )
    return tuple(reports)


def _source_kind(kafka: bool, opaque: Any) -> str:
    if kafka:
        return "kafka"
    if opaque is None:
        return "none"
    return "file" if isinstance(opaque, dict) and set(opaque) == {"logOffset"} else "other"


def _operator(
    files: Files,
    operator: Operator,
    commit: CommitEntry | None,
    *,
    versions: Mapping[str, frozenset[int]],
    version: int,
    state: bool,
    unknown: list[str],
) -> OperatorReport:
    metadata: OperatorMetadata | None = None
    try:
        metadata = read_operator_metadata(files, operator)
    except (Malformed, Unsupported) as error:
        unknown.append(error.message)
    parts = tuple(
        _partition(
            files,
            store,
            commit,
            versions=versions,
            version=version,
            state=state,
            unknown=unknown,
        )
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
        keys=sum(k for k in keys if k is not None) if state and None not in keys else None,
        schema_paths_absolute=bool(metadata and any(s.schema_paths for s in metadata.stores)),
        partition_states=parts,
    )


def _partition(
    files: Files,
    store: Store,
    commit: CommitEntry | None,
    *,
    versions: Mapping[str, frozenset[int]],
    version: int,
    state: bool,
    unknown: list[str],
) -> PartitionState:
    can = versions[store.path]
    count = None
    if state and version:
        from streamctl.checkpoint.tree.keys import count_keys

        try:
            found = _chain(files, store, commit, version)
            count = None if isinstance(found, Broken) else count_keys(files, store, found)
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


def _chain(files: Files, store: Store, commit: CommitEntry | None, version: int) -> Any:
    ids = (commit.state_unique_ids if commit else None) or {}
    partitions = ids.get(store.operator_id, ())
    if store.partition_id >= len(partitions):
        return chain(store, version)
    unique_id = partitions[store.partition_id][0]
    name = f"{version}_{unique_id}.changelog"
    if name not in store.names:
        return chain_by_lineage(store, version, unique_id, ())
    from streamctl.checkpoint.formats.rows import read_lineage

    with files.open(layout.join(store.path, name)) as stream:
        return chain_by_lineage(store, version, unique_id, read_lineage(stream, name=name))


def _kinds(
    files: Files,
    offsets: Iterable[Entry],
    commits: Iterable[Entry],
    operators: tuple[Operator, ...],
) -> tuple[FileKind, ...]:
    totals: dict[str, list[int]] = {}

    def add(kind: str, files: int, size_bytes: int) -> None:
        row = totals.setdefault(kind, [0, 0])
        row[0] += files
        row[1] += size_bytes

    for kind, entries in (("offsets", offsets), ("commits", commits)):
        for entry in entries:
            read = layout.batch_id(entry.name) is not None
            add(kind if read else "sidecar", 1, entry.size_bytes)
    for operator in operators:
        for store in operator.stores:
            for kind, sizes in _sizes(store).items():
                add(kind, len(sizes), sum(sizes))
            add("sidecar", store.sidecars, 0)
            if store.has_shared_files:
                for entry in files.entries(layout.join(store.path, layout.SSTS)):
                    summed = layout.sidecar_of(entry.name) is not None
                    add("sidecar" if summed else "table", 1, entry.size_bytes)
    return tuple(
        FileKind(kind=kind, files=number, size_bytes=None if kind == "sidecar" else size)
        for kind, (number, size) in sorted(totals.items())
    )


def _sizes(store: Store) -> dict[str, list[int]]:
    """Bytes of each state file, by kind; a directory of such a name has none."""
    found: dict[str, list[int]] = {}
    for _, _, _, kind, size_bytes, _ in store.files:
        found.setdefault(kind, []).append(max(0, size_bytes))
    return found


def _growth(operators: tuple[Operator, ...]) -> int | None:
    """Bytes of changes per version; snapshots repeat what is there and do not count."""
    sizes: dict[int, int] = {}
    for operator in operators:
        for store in operator.stores:
            for _, version, _, kind, size_bytes, _ in store.files:
                if kind not in BASES:
                    sizes[version] = sizes.get(version, 0) + max(0, size_bytes)
    return sum(sizes.values()) // len(sizes) if sizes else None


def plan_back(planned: list[int], committed: list[int], versions: list[frozenset[int]]) -> Rewind:
    """The oldest batch that one can go back to: its logs and its state must be there. Pure.

    Args:
        planned: batch ids in the offset log, ascending.
        committed: batch ids in the commit log, ascending.
        versions: per store, the state versions that can be made.
    """
    if not committed:
        return Rewind(oldest_batch_id=None, batches=0, reason="nothing is committed")
    newest = committed[-1]
    entries = set(planned)
    done = set(committed)
    batch, reason = newest, ""
    while not reason:
        reason = _obstacle(batch, entries, done, versions)
        batch -= 0 if reason else 1
    oldest = batch + 1 if batch < newest else None
    if oldest is None:
        return Rewind(oldest_batch_id=None, batches=0, reason=reason)
    return Rewind(oldest_batch_id=oldest, batches=newest - oldest, reason=reason)


def _obstacle(batch: int, entries: set[int], done: set[int], versions: list[frozenset[int]]) -> str:
    if batch < 0:
        return "the first batch"
    if batch not in entries:
        return f"the offset log no longer has batch {batch}"
    if batch and batch - 1 not in entries:
        return f"the offset log no longer has batch {batch - 1}, where batch {batch} begins"
    if batch not in done:
        return f"the commit log does not have batch {batch}"
    if any(batch + 1 not in can for can in versions):
        return f"state version {batch + 1} cannot be made in every partition"
    return ""
