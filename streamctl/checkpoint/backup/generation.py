"""Restores all queries of a location as a new generation, which becomes the current one.

Checkpoint and output are one thing, because Spark's file sink skips every batch that its own log
holds. So the new generation has an output of its own, whose log begins with one compaction of what
the backup's fence holds, and whose files are second names of those in the old output: readers find
everything up to the restored batch, and every batch after it as it is run again (Spark
`CompactibleFileStreamLog`).
"""

import posixpath
import shutil
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from streamctl.checkpoint.backup.format import Manifest, StoredQuery
from streamctl.checkpoint.backup.packs import PackReader, read_index
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.restore import Restored, require_empty, restore
from streamctl.checkpoint.formats import decode, filelog
from streamctl.checkpoint.location import generations, journal, lease
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import local_path
from streamctl.errors import Refused, StreamctlError, Unsupported
from streamctl.reports import OnEvent, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRestored:
    """A new generation made from a backup.

    Attributes:
        before: the generation that was current; empty for none.
        queries: each with its place.
    """

    verdict: Verdict
    id: str
    before: str
    generation: str
    queries: list[Restored]


def restore_generation(
    repository: Repository,
    manifest: Manifest,
    *,
    location: str,
    output: str,
    job: str,
    keep_rows: bool = True,
    lease_seconds: float,
    now: datetime,
    on_event: OnEvent,
) -> GenerationRestored:
    """Build the generation, then point to it.

    Args:
        repository: of the backup.
        manifest: of a location's backup.
        location: checkpoint location.
        output: where generations put their output.
        job: entry of the job that will go on.
        keep_rows: begin the output with what readers had at the restored batch; else with nothing.
        lease_seconds: how long the lease holds without renewal.
        now: UTC.
        on_event: told of bytes.

    Raises:
        Busy: the job runs.
        Refused: the backup is another job's, or of a bare checkpoint, or output files are gone.
        NotFound, Malformed, StorageFailed: of the stores.
    """
    if manifest.generation is None:
        raise Refused(
            f"backup {manifest.id} is of a checkpoint by its path",
            hint="Name an empty place with --to.",
        )
    if manifest.generation["job"] != job:
        raise Refused(
            f'backup {manifest.id} is of job "{manifest.generation["job"]}", not "{job}"',
            hint="Restore it with --to, or name the job with --set job.entry=...",
        )
    store = Store.open(location)
    held, _ = lease.acquire(store, owner=f"restore-{manifest.id}", seconds=lease_seconds, now=now)
    try:
        made = _record(manifest, generations.next_name(store), now)
        queries = _build(
            repository, manifest, store, made, output, keep_rows=keep_rows, on_event=on_event
        )
        before = generations.current(store)
        _switch(store, manifest, before, made)
    finally:
        lease.release(store, held)
    return GenerationRestored(
        verdict=Verdict.OK,
        id=manifest.id,
        before=before.name if before else "",
        generation=made.name,
        queries=queries,
    )


def _build(
    repository: Repository,
    manifest: Manifest,
    store: Store,
    made: Generation,
    output: str,
    *,
    keep_rows: bool,
    on_event: OnEvent,
) -> list[Restored]:
    """Checkpoints and the beginnings of their outputs; nothing is left where one fails."""
    base = generations.base(local_path(store.url) or store.url, made.name)
    sinks = generations.base(output, made.name)
    try:
        queries = []
        for query in manifest.queries:
            place = f"{base}/{query.name}"
            queries.append(restore(repository, manifest, query, to=place, on_event=on_event))
            begin_sink(repository, query, f"{sinks}/{query.name}", keep_rows=keep_rows)
    except (StreamctlError, OSError):
        for path in (base, local_path(sinks)):
            shutil.rmtree(path or "", ignore_errors=True)
        raise
    return queries


def _switch(store: Store, manifest: Manifest, before: Generation | None, made: Generation) -> None:
    entry = journal.Entry(
        at=made.created_at,
        who=journal.whoami(),
        verb="restore",
        why=f"from backup {manifest.id}",
        before={"generation": before.name if before else ""},
        after={"generation": made.name},
        undo={"generation": before.name} if before else None,
    )
    journal.record(store, entry)
    generations.add(store, made)


def _record(manifest: Manifest, name: str, now: datetime) -> Generation:
    fields = dict(manifest.generation or {})
    old = Generation(**fields | {"created_at": now})
    return replace(
        old, name=name, why=f"restored from backup {manifest.id}", request="",
        ending_offsets="", bounded=False, output_location="",
    )  # fmt: skip


def require_sink(query: StoredQuery, *, sink: str, accepted: bool) -> None:
    """Guard against restoring a query with a file sink without an output to go on in.

    Args:
        query: of the backup.
        sink: a new output; empty for none.
        accepted: whether the operator says that it will write no files.

    Raises:
        Refused: it wrote files, and neither is given; or the new output is not empty.
    """
    if sink and (place := local_path(sink)) is not None:
        require_empty(place)
    if query.sink_batch_id is not None and not (sink or accepted):
        raise Refused(
            "the query wrote files, and would die at its next compaction beside a new output",
            hint="Begin an output for it with --sink, or say --no-file-sink if it will write none.",
        )


def begin_sink(
    repository: Repository, query: StoredQuery, output: str, *, keep_rows: bool = True
) -> None:
    """Let a new output's log begin at the restored batch, where the query has a file sink.

    Without that the query dies at its next compaction, which reads the one before
    (`CompactibleFileStreamLog.compact`, `BATCH_METADATA_NOT_FOUND`).

    Args:
        repository: of the backup.
        query: of the backup.
        output: where nothing is yet.
        keep_rows: begin with what readers had at the restored batch; else with nothing.

    Raises:
        Refused: some of these files are gone.
        Unsupported: the output is not local.
    """
    if query.sink_batch_id is None:
        return
    place = local_path(output)
    if place is None:
        raise Unsupported(f'cannot begin the output "{output}": it is on an object store')
    require_empty(place)
    entries = _sink_entries(repository, query) if keep_rows else []
    old = local_path(query.sink) or query.sink
    lines = [decode.compact(_brought(entry, old, place)) for entry in entries]
    text = "\n".join(["v1", *lines])
    log = Store.open(posixpath.join(place, layout.SINK_LOG))
    log.replace(f"{query.batch_id}.compact", text.encode())


def _sink_entries(repository: Repository, query: StoredQuery) -> list[filelog.FileEntry]:
    """The files that readers had at the restored batch."""
    reader = PackReader(repository.store, read_index(repository.store))
    return [
        entry
        for file in query.files
        if file.path.startswith("sink/")
        for entry in filelog.parse_file_log(
            b"".join(reader.piece(piece) for piece in file.pieces), name=file.path
        )
    ]


def _brought(entry: filelog.FileEntry, old: str, new: str) -> dict[str, Any]:
    """Link a data file into the new output, and return its entry there.

    Spark's readers take only files below the path that is read, whatever the log says
    (`MetadataLogFileIndex`).

    Raises:
        Refused: the file is gone.
    """
    path = unquote(local_path(entry.path) or entry.path)
    inside = path.removeprefix(f"{old}/") if path.startswith(f"{old}/") else Path(path).name
    target = Path(new, inside)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _link(path, target)
    except FileNotFoundError as error:
        raise Refused(
            f'"{path}" is gone, which readers had at the restored batch',
            hint="Bring the old output back, or restore with --to and give it a new output.",
        ) from error
    return entry.fields | {"path": target.as_uri()}


def _link(path: str, target: Path) -> None:
    """A second name for the same bytes; a copy where the disk is another."""
    try:
        target.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(path, target)
