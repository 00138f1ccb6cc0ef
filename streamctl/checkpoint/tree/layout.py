"""Names in a checkpoint: what lies where, which names Spark reads, and their sidecars.

Follows `CheckpointFileManager` (temporary names), Hadoop's `ChecksumFileSystem` (`.N.crc`),
`ChecksumCheckpointFileManager` (`N.crc`) and `HDFSMetadataLog` (numeric names only).
A name and its sidecars go together: whoever rewrites or removes one asks `sidecars`.
"""

import re
from collections.abc import Iterable

METADATA = "metadata"
OFFSETS = "offsets"
COMMITS = "commits"
SOURCES = "sources"
STATE = "state"
ROOT_NAMES = frozenset({METADATA, OFFSETS, COMMITS, SOURCES, STATE})

OPERATOR_METADATA = "_metadata"
STATE_SCHEMA = "_stateSchema"
SINK_LOG = "_spark_metadata"
SSTS = "SSTs"
ROCKSDB_LOGS = "logs"
DEFAULT_STORE = "default"

_NUMERIC = re.compile(r"\d{1,18}\Z", re.ASCII)
_TEMPORARY = re.compile(r"\..*\.tmp(\.crc)?\Z|\.\..*\.tmp\.crc\Z", re.DOTALL)
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_STATE_FILE = re.compile(
    rf"(\d{{1,18}})(?:_({_UUID}))?\.(delta|snapshot|zip|changelog)\Z",
    re.ASCII,
)
STATE_SUFFIXES = (".delta", ".snapshot", ".zip", ".changelog")


def batch_id(name: str) -> int | None:
    """The batch of a log entry's name; None for names that Spark does not read.

    Source: `HDFSMetadataLog.pathToBatchId` takes every name that parses as a number.
    """
    return int(name) if _NUMERIC.match(name) else None


def batch_ids(names: Iterable[str]) -> list[int]:
    """The batches of a log directory's names, ascending."""
    return sorted(int(name) for name in names if _NUMERIC.match(name))


def is_temporary(name: str) -> bool:
    """True for what a writer leaves when it dies: `.<name>.<uuid>[.TID<task>].tmp`, and its crc."""
    return _TEMPORARY.match(name) is not None


def hadoop_sidecar(name: str) -> str:
    """The file that Hadoop's local filesystem keeps beside `name`: `.name.crc`."""
    head, _, tail = name.rpartition("/")
    return f"{head}/.{tail}.crc" if head else f".{tail}.crc"


def spark_sidecar(name: str) -> str:
    """The checksum that Spark 4.1 and later keeps beside `name` with format 2: `name.crc`."""
    return f"{name}.crc"


def sidecars(name: str) -> tuple[str, ...]:
    """Everything that goes when `name` goes: both checksums, and Hadoop's of Spark's."""
    return (hadoop_sidecar(name), spark_sidecar(name), hadoop_sidecar(spark_sidecar(name)))


def sidecar_of(name: str) -> str | None:
    """The file that a checksum belongs to; None when `name` is not a checksum."""
    if not name.endswith(".crc"):
        return None
    if name.startswith("."):
        return name[1:-4]
    return name[:-4]


def state_file(name: str) -> tuple[int, str | None, str] | None:
    """Version, unique id (format 2 only) and kind of a state file; None for other names."""
    match = _STATE_FILE.match(name)
    if match is None:
        return None
    version, unique_id, kind = match.groups()
    return int(version), unique_id, kind


def join(*parts: str) -> str:
    """A relative path of the parts that are not empty."""
    return "/".join(part for part in parts if part)
