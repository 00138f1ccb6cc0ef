"""The list of finding kinds. One entry each: what it is, what Spark does, what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much it matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Effect(StrEnum):
    """What the next start of the query does."""

    STARTS = "starts"
    FAILS = "fails"
    WRONG = "starts_wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of finding.

    Attributes:
        code: stable.
        severity: usual severity.
        effect: usual effect on the next start.
        meaning: a sentence.
        condition: Spark's error condition or message text; empty when Spark does not complain.
        remedy: a sentence with a command; `{path}` is the file.
    """

    code: str
    severity: Severity
    effect: Effect
    meaning: str
    condition: str
    remedy: str


_RESTORE = "Restore the checkpoint from a backup: `streamctl checkpoint restore`."
_REWIND = (
    "Go back to a batch whose state is whole with `streamctl checkpoint rewind`, or restore a "
    "backup with `streamctl checkpoint restore`."
)
_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_STARTS, _FAILS, _WRONG, _UNKNOWN = Effect.STARTS, Effect.FAILS, Effect.WRONG, Effect.UNKNOWN

_ROWS: tuple[tuple[str, Severity, Effect, str, str, str], ...] = (
    (
        "metadata-missing",
        _ERROR,
        _FAILS,
        (
            "The file with the query id is gone. Spark before 4.2 makes a new id without a word, and "
            "sinks that know batches by query id write them again."
        ),
        "STREAMING_CHECKPOINT_MISSING_METADATA_FILE",
        "Put `metadata` back from a backup: `streamctl checkpoint restore`.",
    ),
    (
        "metadata-damaged",
        _ERROR,
        _FAILS,
        "The file with the query id cannot be read.",
        "MismatchedInputException or JsonEOFException",
        "Put `metadata` back from a backup: `streamctl checkpoint restore`.",
    ),
    (
        "format-unsupported",
        _ERROR,
        _UNKNOWN,
        "A file has a format version that this release does not know.",
        "INVALID_LOG_VERSION",
        "Upgrade streamctl with `pip install --upgrade streamctl`, or use the Spark that wrote it.",
    ),
    (
        "unreadable",
        _ERROR,
        _UNKNOWN,
        "Storage refused to give a file or directory, so nothing is known about it.",
        "CANNOT_LOAD_CHECKPOINT_FILE_MANAGER",
        "Give this user the right to read it, for example `chmod -R u+rX` on the checkpoint.",
    ),
    (
        "offsets-gone",
        _ERROR,
        _FAILS,
        "There is no offset log, but the rest of the checkpoint is there.",
        "AssertionError, or STATE_STORE_CHECKPOINT_LOCATION_NOT_EMPTY",
        _RESTORE,
    ),
    (
        "offsets-damaged",
        _ERROR,
        _FAILS,
        "An entry of the offset log that the next start reads cannot be read.",
        "Failed to read log file, JsonEOFException or MALFORMED_LOG_FILE",
        (
            "If it is the newest entry and has no commit, drop it with `streamctl checkpoint rewind "
            "--to-batch` the batch before; otherwise `streamctl checkpoint restore`."
        ),
    ),
    (
        "offsets-old-damaged",
        _WARNING,
        _STARTS,
        (
            "An old entry of the offset log cannot be read. The next start does not need it; a rewind "
            "that far back is not possible."
        ),
        "",
        "Nothing is needed to start; `streamctl checkpoint backup` now keeps what is whole.",
    ),
    (
        "offsets-previous-missing",
        _ERROR,
        _FAILS,
        "The offset log has its newest entry but not the one before, where the range begins.",
        "Previous batch not found in offset log, or batch doesn't exist",
        _RESTORE,
    ),
    (
        "offsets-hole",
        _WARNING,
        _STARTS,
        (
            "An old entry of the offset log is missing. The next start does not need it; a rewind to "
            "that batch is not possible."
        ),
        "",
        "Nothing is needed to start; `streamctl checkpoint backup` now keeps what is whole.",
    ),
    (
        "offsets-far-ahead",
        _ERROR,
        _FAILS,
        "The newest entry of the offset log does not follow the others.",
        "Previous batch not found in offset log",
        "Remove the stray entry and its sidecar after a backup: `rm {path}`.",
    ),
    (
        "log-entry-directory",
        _ERROR,
        _FAILS,
        "A directory has the name of a log entry.",
        "CONCURRENT_STREAM_LOG_UPDATE",
        "Remove it after a backup: `rmdir {path}`.",
    ),
    (
        "sources-differ",
        _ERROR,
        _FAILS,
        "The last two planned batches do not have the same number of sources.",
        "There are [n] sources in the checkpoint offsets and now there are [m] sources",
        _RESTORE,
    ),
    (
        "offset-damaged",
        _ERROR,
        _FAILS,
        "A source's offset in the offset log is not JSON, or not of the source's form.",
        'Expected e.g. {"topicA":{"0":23}}, got another text',
        _RESTORE,
    ),
    (
        "offset-backwards",
        _ERROR,
        _WRONG,
        "A planned batch ends before the batch before it.",
        "Partition's offset was changed, some data may have been missed",
        _RESTORE,
    ),
    (
        "watermark-backwards",
        _ERROR,
        _WRONG,
        (
            "A planned batch has an older watermark than the batch before it, or not the one that the "
            "commit before handed on."
        ),
        "",
        _RESTORE,
    ),
    (
        "pinned-conf-changed",
        _ERROR,
        _WRONG,
        "A setting that is pinned in the offset log changed from one batch to the next.",
        "",
        "Put the entry back from a backup: `streamctl checkpoint restore`.",
    ),
    (
        "partitions-changed",
        _ERROR,
        _FAILS,
        "The newest planned batch has another number of state partitions than the one before.",
        "STREAMING_UNFINISHED_REPARTITION_DETECTED",
        "Finish the repartition with the same number, or `streamctl checkpoint restore`.",
    ),
    (
        "commit-without-offsets",
        _ERROR,
        _FAILS,
        "A batch is committed that was never planned: the commit log is ahead of the offset log.",
        "CONCURRENT_STREAM_LOG_UPDATE",
        (
            "Restore the offset log, or drop the commits after the last planned batch with "
            "`streamctl checkpoint rewind`."
        ),
    ),
    (
        "commits-gone",
        _WARNING,
        _STARTS,
        (
            "There are planned batches and no commit at all. Spark resumes at the newest planned batch "
            "and never runs the ones before it."
        ),
        "",
        "Restore `commits/` from a backup: `streamctl checkpoint restore`.",
    ),
    (
        "commit-behind",
        _WARNING,
        _STARTS,
        (
            "The newest commit is two or more batches behind the newest planned batch. Spark only logs "
            "a warning and never runs the batches between."
        ),
        "",
        "Make sure that those batches did run, or go back with `streamctl checkpoint rewind`.",
    ),
    (
        "commit-ids-lost",
        _ERROR,
        _FAILS,
        (
            "The state files of format 2 are found by the ids in the commit log, and the commit that "
            "the next start needs does not have them."
        ),
        "CANNOT_LOAD_STATE_STORE",
        _RESTORE,
    ),
    (
        "commit-hole",
        _WARNING,
        _STARTS,
        (
            "A planned batch between committed ones has no commit. Spark does not notice; a rewind to "
            "that batch is not possible."
        ),
        "",
        "Nothing is needed to start; `streamctl checkpoint backup` now keeps what is whole.",
    ),
    (
        "commit-damaged",
        _ERROR,
        _FAILS,
        "The newest entry of the commit log cannot be read.",
        "Incomplete log file in the offset commit log, or MALFORMED_LOG_FILE",
        "Put it back from a backup: `streamctl checkpoint restore`.",
    ),
    (
        "commit-old-damaged",
        _WARNING,
        _STARTS,
        "An old entry of the commit log cannot be read. The next start does not need it.",
        "",
        "Nothing is needed to start; `streamctl checkpoint backup` now keeps what is whole.",
    ),
    (
        "state-gone",
        _ERROR,
        _FAILS,
        "The query kept state, and there is none.",
        "STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY",
        _RESTORE,
    ),
    (
        "state-perhaps-gone",
        _WARNING,
        _UNKNOWN,
        "The query has a watermark, as queries with state do, and there is no state.",
        "STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY",
        "If the query keeps state, restore it: `streamctl checkpoint restore`.",
    ),
    (
        "operator-missing",
        _ERROR,
        _FAILS,
        "A stateful operator's directory is gone.",
        "STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY or CANNOT_LOAD_STATE_STORE",
        _RESTORE,
    ),
    (
        "partition-missing",
        _ERROR,
        _FAILS,
        "A state partition's directory is gone.",
        (
            "CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS or "
            "CANNOT_READ_STREAMING_STATE_FILE"
        ),
        _RESTORE,
    ),
    (
        "store-missing",
        _ERROR,
        _FAILS,
        "One of an operator's stores is gone in a partition that should have it.",
        "CANNOT_LOAD_STATE_STORE",
        _RESTORE,
    ),
    (
        "state-file-missing",
        _ERROR,
        _FAILS,
        "The state version that the next start needs cannot be made: a file is missing.",
        (
            "CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS or "
            "CANNOT_READ_STREAMING_STATE_FILE"
        ),
        _REWIND,
    ),
    (
        "state-file-damaged",
        _ERROR,
        _FAILS,
        "The state version that the next start needs cannot be made: a file is damaged.",
        "CANNOT_LOAD_STATE_STORE.UNCATEGORIZED",
        _REWIND,
    ),
    (
        "state-file-end-lost",
        _WARNING,
        _STARTS,
        "A state file has all its rows and lacks only the compressor's end mark.",
        "",
        "Nothing is needed to start; check the disk, and `streamctl checkpoint backup`.",
    ),
    (
        "snapshot-damaged",
        _WARNING,
        _STARTS,
        (
            "A snapshot is damaged or missing, and the state can still be made from older files. Spark "
            "4.1 and later repair it on loading; earlier ones fail."
        ),
        "before 4.1: CANNOT_LOAD_STATE_STORE.UNCATEGORIZED",
        "Start with Spark 4.1 or later, which repairs it, then `streamctl checkpoint backup`.",
    ),
    (
        "state-old-damaged",
        _WARNING,
        _STARTS,
        (
            "A state file that the next start does not need cannot be used. A rewind that needs it "
            "is not possible."
        ),
        "",
        "Nothing is needed to start; `streamctl checkpoint backup` now keeps what is whole.",
    ),
    (
        "state-ahead",
        _ERROR,
        _WRONG,
        (
            "There is state of batches that were never planned: the logs were cut back without the "
            "state. Rows of the abandoned batches come back from the dead."
        ),
        "",
        (
            "Remove the state versions after the last planned batch: `streamctl checkpoint rewind "
            "--to-batch` the newest committed batch does it."
        ),
    ),
    (
        "state-stray-file",
        _ERROR,
        _FAILS,
        "A file in a state directory ends like a snapshot and has no version for a name.",
        "CANNOT_LOAD_STATE_STORE.UNCATEGORIZED <- NumberFormatException",
        "Move it out of the checkpoint: `mv {path} /somewhere/else`.",
    ),
    (
        "state-format-mixed",
        _ERROR,
        _FAILS,
        "State files have unique ids and the commit log is of format 1, or the reverse.",
        "CANNOT_LOAD_STATE_STORE.UNCATEGORIZED <- NumberFormatException",
        (
            "Start with the `spark.sql.streaming.stateStore.checkpointFormatVersion` that wrote it, or "
            "`streamctl checkpoint restore`."
        ),
    ),
    (
        "state-codec-mismatch",
        _ERROR,
        _FAILS,
        "A state file is compressed otherwise than the offset log pins.",
        "CANNOT_LOAD_STATE_STORE.UNCATEGORIZED",
        _RESTORE,
    ),
    (
        "schema-damaged",
        _ERROR,
        _FAILS,
        "A state schema file cannot be read.",
        "EOFException or MALFORMED_LOG_FILE",
        "Remove it after a backup, and Spark writes it anew: `rm {path}`.",
    ),
    (
        "schema-missing",
        _WARNING,
        _STARTS,
        (
            "A state schema file is missing. Spark writes it anew and cannot compare the query's "
            "schema with the state's."
        ),
        "",
        "Start the query as it was last run; `streamctl checkpoint backup` before a change.",
    ),
    (
        "operator-metadata-damaged",
        _WARNING,
        _STARTS,
        "An operator's metadata cannot be read.",
        "",
        "Remove it after a backup, and Spark writes it anew: `rm {path}`.",
    ),
    (
        "operator-metadata-missing",
        _WARNING,
        _STARTS,
        (
            "An operator has no metadata, and others have, or the state was written by a Spark that "
            "writes it."
        ),
        "",
        "Nothing is needed to start: Spark writes it anew. Then `streamctl checkpoint backup`.",
    ),
    (
        "checksum-mismatch",
        _ERROR,
        _WRONG,
        "A file is not what it was when its checksum was written.",
        "",
        "Put the file back from a backup: `streamctl checkpoint restore`.",
    ),
    (
        "sidecar-damaged",
        _WARNING,
        _STARTS,
        "A checksum file is itself damaged.",
        "ChecksumException where Spark reads through Hadoop's FileSystem",
        "Remove it: `rm {path}`.",
    ),
    (
        "sidecar-orphan",
        _WARNING,
        _STARTS,
        "A checksum has no file beside it.",
        "",
        "Remove it: `rm {path}`.",
    ),
    (
        "sidecar-blocks",
        _ERROR,
        _FAILS,
        (
            "A checksum without its file lies where the next log entry will be written; the rename "
            "fails and Spark takes it for a second writer."
        ),
        "CONCURRENT_STREAM_LOG_UPDATE",
        "Remove it: `rm {path}`.",
    ),
    (
        "two-writers",
        _WARNING,
        _UNKNOWN,
        "A temporary file of a log entry that exists is left: two queries may have written here.",
        "CONCURRENT_STREAM_LOG_UPDATE",
        "Make sure that one query runs: `streamctl status`. Then remove it: `rm {path}`.",
    ),
    (
        "temporary-file",
        _NOTE,
        _STARTS,
        "A writer died and left a temporary file. It is never read.",
        "",
        "Remove it when the query is stopped: `rm {path}`.",
    ),
    (
        "foreign-file",
        _NOTE,
        _STARTS,
        "A file that Spark did not write. It is never read.",
        "",
        "Keep notes and copies outside the checkpoint: `mv {path} /somewhere/else`.",
    ),
    (
        "async-gaps",
        _NOTE,
        _STARTS,
        (
            "Both logs have the same gaps, as asynchronous progress tracking leaves them. Before it is "
            "switched off, run two batches with its interval at 0."
        ),
        "batch doesn't exist, when asynchronous tracking is switched off",
        "Keep `asyncProgressTrackingEnabled`; see `streamctl explain async-gaps`.",
    ),
    (
        "gap-unexplained",
        _WARNING,
        _UNKNOWN,
        (
            "The batch before the newest is missing in both logs: either asynchronous progress "
            "tracking is on, which is fine, or entries were removed, and the start fails."
        ),
        "batch doesn't exist",
        "If the query does not use `asyncProgressTrackingEnabled`: `streamctl checkpoint restore`.",
    ),
    (
        "source-log-damaged",
        _WARNING,
        _UNKNOWN,
        "A source's own log cannot be read.",
        "Failed to read log file",
        _RESTORE,
    ),
    (
        "source-log-hole",
        _WARNING,
        _WRONG,
        "A file source's log of seen files lacks an entry: those files will be read again.",
        "",
        _RESTORE,
    ),
    (
        "sink-ahead",
        _ERROR,
        _WRONG,
        (
            "The file sink has already logged batches that the query will run again: Spark skips them "
            "without a word, and their rows are lost."
        ),
        "",
        "Put checkpoint and output of one moment together: `streamctl checkpoint restore`.",
    ),
    (
        "sink-behind",
        _ERROR,
        _WRONG,
        "Batches are committed that the file sink never logged: readers do not see their rows.",
        "",
        "Go back to the sink's newest batch: `streamctl checkpoint rewind --to-batch`.",
    ),
    (
        "sink-log-hole",
        _ERROR,
        _FAILS,
        (
            "The file sink's log lacks an entry: readers fail, and so does the query at the next "
            "compaction."
        ),
        "BATCH_METADATA_NOT_FOUND",
        _RESTORE,
    ),
    (
        "sink-log-damaged",
        _ERROR,
        _FAILS,
        (
            "An entry of the file sink's log cannot be read: readers fail, and so does the query at "
            "the next compaction."
        ),
        "Incomplete log file",
        _RESTORE,
    ),
    (
        "kafka-lost",
        _ERROR,
        _UNKNOWN,
        "Kafka no longer holds the records that the next batch begins with.",
        "Some data may have been lost because they are not available in Kafka any more",
        "Accept the loss with `failOnDataLoss=false`, or `streamctl checkpoint rotate`.",
    ),
    (
        "kafka-past-end",
        _ERROR,
        _UNKNOWN,
        (
            "The position is after the end of the partition: the topic was made anew or records "
            "were truncated."
        ),
        "Partition's offset was changed, some data may have been missed",
        "Begin anew on the new topic: `streamctl checkpoint rotate`.",
    ),
    (
        "kafka-partition-gone",
        _ERROR,
        _UNKNOWN,
        "A partition of the checkpoint is not in Kafka.",
        "Partitions are gone. Some data may have been missed",
        "Begin anew: `streamctl checkpoint rotate`.",
    ),
    (
        "kafka-partition-new",
        _NOTE,
        _STARTS,
        "A partition of the topic is not in the checkpoint yet. It will be read from its start.",
        "",
        "Nothing to do; see `streamctl lag`.",
    ),
    (
        "kafka-unreachable",
        _WARNING,
        _UNKNOWN,
        "The broker did not answer, so the offsets were not compared.",
        "",
        "Check the servers: `streamctl doctor`.",
    ),
)

KINDS: dict[str, Kind] = {
    row[0]: Kind(
        code=row[0],
        severity=row[1],
        effect=row[2],
        meaning=row[3],
        condition=row[4],
        remedy=row[5],
    )
    for row in _ROWS
}
