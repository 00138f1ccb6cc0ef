"""Takes a backup: close, read, store, look again, write the manifest.

A file that the newest backup of the same query has under the same name, length and time is not
read again: Spark never writes into a file that has its name already. A file that vanishes or
changes while it is read means that the query has purged the pinned batch: the newest commit is
pinned anew. What an interrupted backup stored is found again by its packs' indexes.
"""

import os
import posixpath
import socket
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streamctl import __version__
from streamctl.checkpoint.backup.closure import Closure, Member, close
from streamctl.checkpoint.backup.content import fetched, store
from streamctl.checkpoint.backup.format import Manifest, StoredFile, StoredQuery
from streamctl.checkpoint.backup.locks import locked
from streamctl.checkpoint.backup.packs import Index, PackWriter, read_index
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.formats import filelog, log
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import Malformed, StreamctlError, WouldNotStart
from streamctl.reports import Event, OnEvent, Verdict, iso

_TRIES = 5


class Moving(StreamctlError):
    """The query purges faster than its checkpoint can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A query to back up.

    Attributes:
        name: in its generation; empty for a checkpoint given by its path.
        sink: output directory of its file sink; empty when none is known.
    """

    name: str
    checkpoint: Checkpoint
    sink: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a manifest says besides the queries.

    Attributes:
        location: as it was asked for.
        generation: its record, for a location of ours.
        settings_digest, spark_version, topic_ids: as in the manifest.
        log_ends: topic -> partition -> next offset to be written.
    """

    location: str
    generation: Mapping[str, Any] | None = None
    settings_digest: str = ""
    spark_version: str = ""
    topic_ids: Mapping[str, str] = field(default_factory=dict)
    log_ends: Mapping[str, Mapping[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenQuery:
    """One query of a backup, in short."""

    name: str
    batch_id: int
    files: int
    size_bytes: int
    lag_records: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A backup that was taken.

    Attributes:
        read_files, read_bytes: of the source; the others were known.
        stored_bytes: that the repository grew by.
        repins: how often the query was faster.
    """

    verdict: Verdict
    id: str
    repository: str
    location: str
    queries: list[TakenQuery]
    files: int
    size_bytes: int
    read_files: int
    read_bytes: int
    stored_bytes: int
    repins: int
    seconds: float


def take(
    sources: Iterable[Source],
    repository: Repository,
    about: About,
    *,
    now: datetime,
    batch_id: int | None = None,
    read_all: bool = False,
    on_event: OnEvent,
) -> Taken:
    """Back up queries, each as of its newest committed batch.

    Args:
        sources: the queries.
        repository: where to.
        about: what else the manifest says.
        now: UTC; the id begins with it.
        batch_id: an older batch, where its state can still be made.
        read_all: read files that an earlier backup has as well.
        on_event: told of bytes.

    Raises:
        NothingCommitted: a query has no batch to go on from.
        Moving: the query purged files faster than they were read, five times.
        WouldNotStart: a file that the next start needs is not there.
        Busy: somebody prunes.
        StorageFailed, StreamctlError: a store fails.
    """
    began = datetime.now(UTC)
    with locked(repository.store, what="backup take", alone=False, now=now):
        index = read_index(repository.store)
        with PackWriter(repository.store, index) as writer:
            work = _Work(repository, index, writer, on_event, read_all=read_all)
            queries = [_take(source, work, about, batch_id) for source in sources]
            writer.finish()
        manifest = Manifest(
            id=f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}",
            created_at=iso(now),
            location=about.location,
            written_by=__version__,
            host=socket.gethostname(),
            generation=dict(about.generation) if about.generation else None,
            settings_digest=about.settings_digest,
            spark_version=about.spark_version,
            topic_ids=dict(about.topic_ids),
            queries=tuple(queries),
        )
        stored = writer.written_bytes + repository.add(manifest)
    return Taken(
        verdict=Verdict.OK,
        id=manifest.id,
        repository=repository.store.url,
        location=about.location,
        queries=[
            TakenQuery(
                name=query.name,
                batch_id=query.batch_id,
                files=len(query.files),
                size_bytes=query.size_bytes,
                lag_records=query.lag_records,
            )
            for query in queries
        ],
        files=sum(len(query.files) for query in queries),
        size_bytes=manifest.size_bytes,
        read_files=work.read_files,
        read_bytes=work.read_bytes,
        stored_bytes=stored,
        repins=work.repins,
        seconds=round((datetime.now(UTC) - began).total_seconds(), 3),
    )


@dataclass(slots=True)
class _Work:
    """One backup in the making, with what it has cost so far."""

    repository: Repository
    index: Index
    writer: PackWriter
    on_event: OnEvent
    read_all: bool
    read_files: int = 0
    read_bytes: int = 0
    repins: int = 0

    def known(self, location: str) -> dict[str, StoredFile]:
        """Files of the newest backup of the same place whose content is there."""
        if self.read_all:
            return {}
        for name in reversed(self.repository.ids()):
            try:
                manifest = self.repository.manifest(name)
            except StreamctlError:
                continue
            for query in manifest.queries:
                if query.location == location:
                    return {
                        file.path: file
                        for file in query.files
                        if all(piece in self.index for piece in file.pieces)
                    }
        return {}


def _take(source: Source, work: _Work, about: About, batch_id: int | None) -> StoredQuery:
    known = work.known(source.checkpoint.location)
    stood: tuple[int, ...] | None = None
    for _ in range(_TRIES):
        try:
            closure = close(source.checkpoint, batch_id=batch_id)
            files = _read(source.checkpoint.files, closure, known, work)
            sink_id, fence = _fence(source.sink, closure.batch_id, work.writer)
        except FileNotFoundError as error:
            newest = tuple(source.checkpoint.log_ids().committed[-1:])
            if newest == stood:
                raise _missing(source, error) from error
            stood = newest
            work.repins += 1
            continue
        return _query(source, closure, (*files, *fence), sink_id, about)
    raise Moving(
        f'"{source.checkpoint.location}" changes faster than it can be read',
        hint="Raise `spark.sql.streaming.minBatchesToRetain`, or back up nearer to it.",
    )


def _missing(source: Source, error: FileNotFoundError) -> WouldNotStart:
    """Nothing was committed during a whole try: nobody purges, and what is needed is not there."""
    return WouldNotStart(
        f'"{source.checkpoint.location}" lacks a file that its next start needs: {error}',
        hint=f"`streamctl checkpoint verify {source.checkpoint.location}` says what that means.",
    )


def _read(
    files: Files, closure: Closure, known: Mapping[str, StoredFile], work: _Work
) -> list[StoredFile]:
    """All members, from an earlier backup or from the checkpoint.

    Raises:
        FileNotFoundError: one vanished, or is shorter or longer than listed.
    """
    found: dict[str, StoredFile] = {}
    anew: dict[str, Member] = {}
    for member in closure.members:
        before = known.get(member.path)
        if before is not None and _same(member, before, found):
            found[member.path] = before
        else:
            anew.setdefault(member.path, member)
    total = sum(member.size_bytes or 0 for member in anew.values())
    done = 0
    for number, (member, data) in enumerate(fetched(files, anew.values())):
        stored = store(files, member, data, work.writer)
        found[member.path] = stored
        work.read_files += 1
        work.read_bytes += stored.size_bytes
        done += stored.size_bytes
        if number % 64 == 0:
            work.on_event(Event(message="backing up", done=done, total=total, in_bytes=True))
    return list(found.values())


def _same(member: Member, before: StoredFile, found: Mapping[str, StoredFile]) -> bool:
    """A sidecar is the same when its file is; any other when length and time are."""
    if member.of:
        return member.of in found
    return member.modified_seconds is not None and (before.size_bytes, before.modified_seconds) == (
        member.size_bytes,
        member.modified_seconds,
    )


def _fence(sink: str, batch_id: int, writer: PackWriter) -> tuple[int | None, list[StoredFile]]:
    """The file sink's own log up to the batch, so that a restore can tell what readers had.

    Raises:
        FileNotFoundError: a compaction replaced a log file meanwhile.
    """
    if not sink:
        return None, []
    files = Files(posixpath.join(sink, layout.SINK_LOG))
    try:
        names = [entry.name for entry in files.entries(details=False)]
    except (FileNotFoundError, Malformed):
        return None, []
    up_to = [name for name in names if (b := filelog.log_batch(name)) and b[0] <= batch_id]
    chain = filelog.chain(up_to)
    stored = []
    for name in chain.needed:
        data = files.read(name)
        stored.append(
            StoredFile(
                path=f"sink/{name}",
                size_bytes=len(data),
                modified_seconds=None,
                pieces=(writer.add(data),) if data else (),
            )
        )
    return chain.latest, stored


def _query(
    source: Source,
    closure: Closure,
    files: tuple[StoredFile, ...],
    sink_id: int | None,
    about: About,
) -> StoredQuery:
    offsets: dict[str, dict[str, int]] = {}
    for held in closure.offsets.sources:
        for topic, partitions in (log.source_position(held).kafka or {}).items():
            known = offsets.setdefault(topic, {})
            known |= {str(partition): offset for partition, offset in partitions.items()}
    return StoredQuery(
        name=source.name,
        location=source.checkpoint.location,
        query_id=source.checkpoint.query_id() or "",
        batch_id=closure.batch_id,
        watermark_ms=closure.commit.next_watermark_ms,
        planned_at_ms=closure.offsets.timestamp_ms,
        offsets=offsets,
        files=files,
        lag_records=_lag(offsets, about.log_ends),
        state_format_version=source.checkpoint.state_format_version(),
        sink=source.sink,
        sink_batch_id=sink_id,
    )


def _lag(
    offsets: Mapping[str, Mapping[str, int]], ends: Mapping[str, Mapping[int, int]]
) -> int | None:
    if not offsets or not set(offsets) <= set(ends):
        return None
    return sum(
        max(0, end - offsets[topic].get(str(partition), 0))
        for topic in offsets
        for partition, end in ends[topic].items()
    )


def default_location(checkpoint: str) -> str:
    """Where backups of a checkpoint go when nothing is said: beside it, hidden from readers."""
    head, name = os.path.split(checkpoint.rstrip("/"))
    return posixpath.join(head, f".{name}.backups")
