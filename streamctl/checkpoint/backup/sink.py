"""Begins the output of a restored query.

Checkpoint and output are one thing, because Spark's file sink skips every batch that its own log
holds. So a restored query has an output of its own, whose log begins with one compaction of what
the backup's fence holds, and whose files are second names of those in the old output: readers find
everything up to the restored batch, and every batch after it as it is run again (Spark
`CompactibleFileStreamLog`).
"""

import posixpath
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from streamctl.checkpoint.backup.format import StoredQuery
from streamctl.checkpoint.backup.packs import PackReader, read_index
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.restore import require_empty
from streamctl.checkpoint.formats import decode, filelog
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import local_path
from streamctl.errors import Refused, Unsupported


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
    repository: Repository,
    query: StoredQuery,
    output: str,
    *,
    built_at: str = "",
    keep_rows: bool = True,
) -> None:
    """Let a new output's log begin at the restored batch, where the query has a file sink.

    Without that the query dies at its next compaction, which reads the one before
    (`CompactibleFileStreamLog.compact`, `BATCH_METADATA_NOT_FOUND`).

    Args:
        repository: of the backup.
        query: of the backup.
        output: where nothing is yet.
        built_at: made there and moved to the output later; empty for made in its place.
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
    here = built_at or place
    entries = _sink_entries(repository, query) if keep_rows else []
    old = local_path(query.sink) or query.sink
    lines = [decode.compact(_brought(entry, old, place, here)) for entry in entries]
    text = "\n".join(["v1", *lines])
    log = Store.open(posixpath.join(here, layout.SINK_LOG))
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


def _brought(entry: filelog.FileEntry, old: str, new: str, built_at: str) -> dict[str, Any]:
    """Link a data file into what becomes the new output, and return its entry there.

    Spark's readers take only files below the path that is read, whatever the log says
    (`MetadataLogFileIndex`).

    Raises:
        Refused: the file is gone.
    """
    path = unquote(local_path(entry.path) or entry.path)
    inside = path.removeprefix(f"{old}/") if path.startswith(f"{old}/") else Path(path).name
    target = Path(built_at, inside)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _link(path, target)
    except FileNotFoundError as error:
        raise Refused(
            f'"{path}" is gone, which readers had at the restored batch',
            hint="Bring the old output back, or restore with --to and give it a new output.",
        ) from error
    return entry.fields | {"path": Path(new, inside).as_uri()}


def _link(path: str, target: Path) -> None:
    """A second name for the same bytes; a copy where the disk is another."""
    try:
        target.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(path, target)
