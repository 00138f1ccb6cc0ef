"""A checkpoint, read while Spark may be writing it.

Spark adds and purges log entries at any time. So the commit log is listed before the offset log
(a commit is never newer than what is planned), and a file that vanishes between the listing and
the reading means: list again. Nothing here writes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import (
    CommitEntry,
    KafkaOffsets,
    OffsetsEntry,
    Position,
    SourcePosition,
)
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.errors import CheckpointNotFound, Malformed, StreamctlError

ATTEMPTS = 5
"""How often a look is taken anew when files vanish under it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIds:
    """The batches in both logs, ascending."""

    committed: tuple[int, ...]
    planned: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One Spark checkpoint of one query. Use `Checkpoint.open`.

    Attributes:
        location: as given.
        files: the door to its storage; counts the calls.
    """

    location: str
    files: Files = field(repr=False)

    @classmethod
    def open(cls, location: str) -> "Checkpoint":
        """Look for a checkpoint at a path or URL: one listing.

        Raises:
            CheckpointNotFound: nothing there that Spark would call a checkpoint.
            Unsupported: no filesystem for the URL's scheme is installed.
            StreamctlError: the store refuses or fails.
        """
        files = Files(location)
        try:
            names = {entry.name for entry in files.entries(details=False)}
        except (FileNotFoundError, Malformed) as error:
            raise CheckpointNotFound(
                f'no directory "{location}"',
                hint="Give the directory that holds `offsets/` and `commits/`.",
            ) from error
        if not names & {layout.METADATA, layout.OFFSETS, layout.COMMITS}:
            raise CheckpointNotFound(
                f'no Spark checkpoint in "{location}"',
                hint="Give the directory that holds `offsets/` and `commits/`.",
            )
        return cls(location=location, files=files)

    def query_id(self) -> str | None:
        """The query id of `metadata`; None when the file is absent.

        Raises:
            Malformed: the file is damaged.
        """
        try:
            return log.parse_metadata(self.files.read(layout.METADATA))
        except FileNotFoundError:
            return None

    def log_ids(self) -> LogIds:
        """The batch ids in both logs: two listings."""
        committed = self._ids(layout.COMMITS)
        return LogIds(committed=committed, planned=self._ids(layout.OFFSETS))

    def offsets(self, batch_id: int) -> OffsetsEntry:
        """One entry of the offset log.

        Raises:
            FileNotFoundError: no such entry (any more).
            Malformed, Unsupported: see `log.parse_offsets`.
        """
        name = f"{layout.OFFSETS}/{batch_id}"
        return log.parse_offsets(self.files.read(name), name=name)

    def commit(self, batch_id: int) -> CommitEntry:
        """One entry of the commit log.

        Raises:
            FileNotFoundError: no such entry (any more).
            Malformed, Unsupported: see `log.parse_commit`.
        """
        name = f"{layout.COMMITS}/{batch_id}"
        return log.parse_commit(self.files.read(name), name=name)

    def initial_offsets(self, source_id: str) -> KafkaOffsets | None:
        """Where a Kafka source began: `sources/<id>/0`, from which its first batch reads.

        Returns:
            None when there is no such file.

        Raises:
            Malformed, Unsupported: see `log.parse_kafka_initial`.
        """
        name = f"{layout.SOURCES}/{source_id}/0"
        try:
            return log.parse_kafka_initial(self.files.read(name), name=name)
        except FileNotFoundError:
            return None

    def position(self) -> Position:
        """Where the query stands: two listings and at most two reads.

        Raises:
            Malformed, Unsupported: the newest entries cannot be read.
            StreamctlError: the store fails, or files kept vanishing.
        """
        return again(self._position)

    def state_format_version(self) -> int | None:
        """`spark.sql.streaming.stateStore.checkpointFormatVersion` that wrote this checkpoint.

        It is not among the pinned settings, and starting with the other one breaks the checkpoint.

        Returns:
            2 or 1; None when the query keeps no state, or nothing is committed yet.

        Raises:
            Malformed, Unsupported: the newest commit cannot be read.
        """
        return again(self._state_format_version)

    def has_state(self) -> bool:
        """True when there is a `state/` directory with an operator in it."""
        try:
            entries = self.files.entries(layout.STATE, details=False)
        except FileNotFoundError:
            return False
        return any(entry.is_directory for entry in entries)

    def _position(self) -> Position:
        ids = self.log_ids()
        planned_id = ids.planned[-1] if ids.planned else None
        committed_id = ids.committed[-1] if ids.committed else None
        planned = self.offsets(planned_id) if planned_id is not None else None
        committed = planned
        if committed_id is None:
            committed = None
        elif committed_id != planned_id:
            committed = self.offsets(committed_id) if committed_id in ids.planned else None
        return Position(
            planned_batch_id=planned_id,
            committed_batch_id=committed_id,
            committed=_positions(committed, batch_id=committed_id),
            planned=_positions(planned, batch_id=planned_id),
            watermark_ms=planned.watermark_ms if planned else None,
            planned_at_ms=planned.timestamp_ms if planned else None,
            batch_in_flight=planned_id is not None
            and (committed_id is None or committed_id < planned_id),
        )

    def _state_format_version(self) -> int | None:
        committed = self._ids(layout.COMMITS)
        if not committed:
            return None
        entry = self.commit(committed[-1])
        if entry.state_unique_ids:
            return 2
        if not self.has_state():
            return None
        return 2 if entry.version == 2 else 1  # noqa: PLR2004  the format's own number

    def _ids(self, directory: str) -> tuple[int, ...]:
        try:
            entries = self.files.entries(directory, details=False)
        except FileNotFoundError:
            return ()
        return tuple(layout.batch_ids(entry.name for entry in entries))


def again(look: Callable[[], T]) -> T:
    """Take a look anew while files vanish under it, a bounded number of times.

    Raises:
        StreamctlError: they kept vanishing.
    """
    missing: FileNotFoundError | None = None
    for _ in range(ATTEMPTS):
        try:
            return look()
        except FileNotFoundError as error:
            missing = error
    raise StreamctlError(
        f"files kept vanishing while they were read: {missing}",
        hint="Try again: the query purges faster than its checkpoint can be read.",
    )


def _positions(entry: OffsetsEntry | None, *, batch_id: int | None) -> tuple[SourcePosition, ...]:
    if entry is None:
        return ()
    name = f"{layout.OFFSETS}/{batch_id}"
    return tuple(log.source_position(source, name=name) for source in entry.sources)
