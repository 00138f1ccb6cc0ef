"""The report of `inspect`: plain values, from which the JSON is derived."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from streamctl.reports import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRange:
    """One topic partition in one batch: records from `start_offset` up to before `end_offset`.

    Attributes:
        start_offset: None when it is not known: of a partition that is new in the batch, or when
            the entry of the batch before is gone.
    """

    topic: str
    partition: int
    start_offset: int | None
    end_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """One source in one batch.

    Attributes:
        kind: kafka, file, other, or none when it had no offset.
        records: Kafka's offsets that the batch covers; None for other sources.
        offset: the JSON of a source that is not Kafka.
    """

    source_id: str
    kind: str
    partitions: tuple[PartitionRange, ...]
    records: int | None
    offset: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionState:
    """One store of one partition.

    Attributes:
        oldest_version, newest_version: of those that can be made, by file names.
        keys: None when not counted, or not known from the files; why a version cannot be made is
            in the report's `unknown`.
        keys_at_version: the version that the number belongs to.
    """

    partition: int
    store: str
    files: int
    size_bytes: int
    oldest_version: int | None
    newest_version: int | None
    keys: int | None
    keys_at_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorReport:
    """One stateful operator.

    Attributes:
        name: Spark's short name; None before Spark 4.0, which wrote none.
        provider: "hdfs" or "rocksdb", from the files.
        skew: largest partition's bytes over the mean; None without state.
        keys: in all partitions; None when not counted, or not known of one.
        schema_paths_absolute: the checkpoint cannot be moved without a rewrite.
    """

    operator_id: int
    name: str | None
    provider: str
    stores: tuple[str, ...]
    partitions: int
    size_bytes: int
    skew: float | None
    keys: int | None
    schema_paths_absolute: bool
    partition_states: tuple[PartitionState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """Files of one kind.

    Attributes:
        kind: as the files are named, with "operators" for their metadata, "table" for RocksDB's,
            "sidecar" for checksums, "temporary" for what a writer left, "foreign" for the rest.
        size_bytes: None for sidecars, whose size is not asked for.
    """

    kind: str
    files: int
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind:
    """How far back one can go.

    Attributes:
        oldest_batch_id: None when no batch can be gone back to.
        batches: how many batches before the newest commit.
        reason: what limits it.
    """

    oldest_batch_id: int | None
    batches: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """One row of a store; `key` and `value` as Spark's `to_json` writes them."""

    partition: int
    key: Any
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRows:
    """The first rows of one store.

    Attributes:
        store: "default", one of a join's, or a state variable of `transformWithState`.
        batch_id: the batch at whose end the state is shown; None for the last committed one.
        limit: there may be more rows when so many were read; None: all were asked for.
    """

    operator_id: int
    store: str
    batch_id: int | None
    limit: int | None
    rows: tuple[StateRow, ...]


class Section(StrEnum):
    """A part of the report that may be shown alone."""

    OFFSETS = "offsets"
    STATE = "state"
    FILES = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectReport:
    """A checkpoint at one moment.

    Attributes:
        verdict: ok; unknown when something could not be read, see `unknown`.
        inspected_at: UTC.
        batch_id: the batch that sources and watermark are shown of.
        batch_in_flight: the newest planned batch has no commit.
        planned_at: when that batch was planned.
        committed_age_seconds: since the newest commit was written; None when the store keeps no
            times.
        watermark: of that batch; None when there is none yet.
        watermark_behind_seconds: from the watermark to now.
        state_format_version: 1 or 2; None without state.
        conf: settings pinned in the offset log.
        growth_bytes_per_batch: state written per batch, mean of the batches kept; None when it
            cannot be told.
        unknown: what could not be read, one line each.
        filesystem_calls: listings and reads.
        sections: what a person asked to see; empty for all. The fields are filled all the same.
        state_rows: None unless asked for.
        run_id: Spark's id of the newest run that the driver told of; None when it is not known,
            for Spark writes none into a checkpoint.
    """

    verdict: Verdict
    location: str
    inspected_at: datetime
    query_id: str | None
    planned_batch_id: int | None
    committed_batch_id: int | None
    batch_id: int | None
    batch_in_flight: bool
    planned_at: datetime | None
    committed_age_seconds: float | None
    watermark: datetime | None
    watermark_behind_seconds: float | None
    offset_log_version: int | None
    commit_log_version: int | None
    state_format_version: int | None
    sources: tuple[SourceReport, ...]
    conf: dict[str, str]
    operators: tuple[OperatorReport, ...]
    files: tuple[FileKind, ...]
    growth_bytes_per_batch: int | None
    rewind: Rewind
    unknown: tuple[str, ...]
    filesystem_calls: int
    sections: tuple[Section, ...] = ()
    state_rows: StateRows | None = None
    run_id: str | None = None
