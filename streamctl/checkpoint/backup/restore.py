"""Puts a checkpoint back: into an empty place only, built beside it, checked, renamed.

Every piece has its digest checked as it is read. What is built must pass `verify` before it is
seen under its name. Checkpoints of `transformWithState` and of some joins hold their own absolute
path in the operators' metadata; it is changed to the new place, or the restored query would read
and write its schemas in the old one (Spark `OperatorStateMetadataV2`).
"""

import json
import os
import posixpath
import shutil
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain, groupby
from pathlib import Path

from streamctl.checkpoint.backup.format import Manifest, StoredFile, StoredQuery
from streamctl.checkpoint.backup.locks import reading
from streamctl.checkpoint.backup.packs import Index, PackReader, read_index
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import local_path
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Severity
from streamctl.checkpoint.verify.verify import Level, verify
from streamctl.errors import Interrupted, NotEmpty, NotFound, Refused, Unsupported, WouldNotStart
from streamctl.reports import Event, OnEvent, Verdict

_SCHEMAS = f"/{layout.STATE_SCHEMA}/"
_WRITERS = 4
_CACHED_GROUPS = 2
_LARGE_BYTES = 1 << 20
"""From here on a file is synced while others are read and checked; the rest at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A checkpoint that was put back.

    Attributes:
        batch_id: the next start goes on with the batch after it.
        rewritten: files whose absolute paths were changed.
        sink_batch_id: newest batch of the file sink when the backup was taken.
    """

    verdict: Verdict
    id: str
    query: str
    location: str
    batch_id: int
    files: int
    size_bytes: int
    rewritten: int
    sink_batch_id: int | None


def query_of(manifest: Manifest, name: str) -> StoredQuery:
    """The query to restore.

    Raises:
        NotFound: none of that name, or several and none is named.
    """
    found = [query for query in manifest.queries if not name or query.name == name]
    if len(found) != 1:
        there = ", ".join(query.name or query.location for query in manifest.queries)
        raise NotFound(
            f"backup {manifest.id} has {'no query' if name else 'several queries'}"
            + (f' "{name}"' if name else ""),
            hint=f"Name one with --query: {there}.",
        )
    return found[0]


def restore(
    repository: Repository,
    manifest: Manifest,
    query: StoredQuery,
    *,
    to: str,
    on_event: OnEvent,
) -> Restored:
    """Build the checkpoint of a query at a place where nothing is.

    Raises:
        NotEmpty: something is there.
        WouldNotStart: what was built does not pass `verify`.
        Unsupported: the place is on an object store.
        Malformed: the backup is damaged.
        StorageFailed: the place cannot be written.
    """
    place = local_path(to)
    if place is None:
        raise Unsupported(
            f'cannot restore to "{to}": nothing can be renamed there as a whole',
            hint="Restore to a local path, and copy it while no job runs.",
        )
    require_empty(place)
    staged = _staged(place)
    try:
        with reading(repository.store, what="restore", now=datetime.now(UTC)):
            rewritten = build(repository, query, at=staged, place=place, on_event=on_event)
        os.sync()
        if os.path.isdir(place):  # noqa: PTH112
            os.rmdir(place)  # noqa: PTH106  empty, see above; another's files would stop it
        os.rename(staged, place)  # noqa: PTH104
    except OSError as error:
        raise StorageFailed(
            f'cannot restore to "{place}": {error.strerror or error}',
            hint="See that it has space and may be written; nothing was left there.",
        ) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    files = [file for file in query.files if not file.path.startswith("sink/")]
    return Restored(
        verdict=Verdict.OK,
        id=manifest.id,
        query=query.name,
        location=place,
        batch_id=query.batch_id,
        files=len(files),
        size_bytes=sum(file.size_bytes for file in files),
        rewritten=rewritten,
        sink_batch_id=query.sink_batch_id,
    )


def require_empty(place: str) -> None:
    """Guard against restoring over anything.

    Raises:
        NotEmpty: something is there.
    """
    try:
        there = os.listdir(place)  # noqa: PTH208
    except FileNotFoundError:
        return
    except NotADirectoryError:
        there = [place]
    if there:
        raise NotEmpty(
            f'"{place}" is not empty',
            hint="Restore to another --to, or take it away first: `streamctl checkpoint clear`.",
        )


def _staged(place: str) -> str:
    head, name = posixpath.split(place)
    return posixpath.join(head, f".{name}.restoring-{uuid.uuid4().hex[:8]}")


def build(
    repository: Repository, query: StoredQuery, *, at: str, place: str, on_event: OnEvent
) -> int:
    """Write all files of a checkpoint, and verify it.

    Args:
        repository: of the backup.
        query: of the backup.
        at: a new directory.
        place: where it will be moved to.
        on_event: told of bytes.

    Returns:
        How many files had their paths changed.

    Raises:
        WouldNotStart: what was built does not pass `verify`.
        Malformed: the backup is damaged.
        OSError: the place cannot be written.
    """
    index = read_index(repository.store)
    files = [file for file in query.files if not file.path.startswith("sink/")]
    files.sort(key=lambda file: _order(file, index))
    os.makedirs(at)  # noqa: PTH103
    for folder in {posixpath.dirname(_inside(at, file.path)) for file in files}:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    total = sum(file.size_bytes for file in files)
    rewritten: list[str] = []
    done = 0
    groups = [list(held) for _, held in groupby(files, key=lambda file: _order(file, index))]
    beside = [held for held in groups if _is_worth_a_thread(held, repository.store)]
    small = [held for held in groups if not _is_worth_a_thread(held, repository.store)]
    given_up = threading.Event()
    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="restore") as pool:
        write = partial(_write, repository.store, index, at=at, place=place, given_up=given_up)
        try:
            large = zip(beside, pool.map(write, beside), strict=True)
            for held, changed in chain(((held, write(held)) for held in small), large):
                rewritten += changed
                done += sum(file.size_bytes for file in held)
                on_event(Event(message="restoring", done=done, total=total, in_bytes=True))
        finally:
            given_up.set()
    for name in rewritten:
        for sidecar in layout.sidecars(name):
            Path(at, sidecar).unlink(missing_ok=True)
    _require_sound(at)
    return len(rewritten)


def _is_worth_a_thread(files: list[StoredFile], store: Store) -> bool:
    """Small files keep the interpreter busy, and threads only in each other's way."""
    return store.takes_many or (store.is_local and files[0].size_bytes >= _LARGE_BYTES)


def _write(
    store: Store,
    index: Index,
    files: list[StoredFile],
    *,
    at: str,
    place: str,
    given_up: threading.Event,
) -> list[str]:
    """Write files whose content lies together; return those whose paths were changed."""
    reader, rewritten = PackReader(store, index, cached_groups=_CACHED_GROUPS), []

    def content(file: StoredFile) -> Iterator[bytes]:
        for piece in file.pieces:
            if given_up.is_set():  # a file may be large, and whoever interrupted waits
                raise Interrupted("restoring was given up")
            yield reader.piece(piece)

    for file in files:
        if _names_itself(file.path):
            data = b"".join(content(file))
            changed = moved(data, place)
            rewritten += [file.path] if changed != data else []
            Path(at, file.path).write_bytes(changed)
            continue
        with open(posixpath.join(at, file.path), "wb") as stream:  # noqa: PTH123
            stream.writelines(content(file))
            if file.size_bytes >= _LARGE_BYTES:
                os.fsync(stream.fileno())
    return rewritten


def _order(file: StoredFile, index: Index) -> tuple[str, int]:
    place = index.get(file.pieces[0]) if file.pieces else None
    return (place.pack, place.offset) if place else ("", 0)


def _inside(staged: str, path: str) -> str:
    """A manifest must not lead out of the place.

    Raises:
        Refused: it does.
    """
    full = posixpath.normpath(posixpath.join(staged, path))
    if not full.startswith(f"{staged}/"):
        raise Refused(f'the backup holds a file "{path}", which lies outside of a checkpoint')
    return full


def _names_itself(path: str) -> bool:
    parts = path.split("/")
    if layout.sidecar_of(parts[-1]) is not None:
        return False
    return layout.OPERATOR_METADATA in parts and parts[-2:-1] == ["v2"]


def moved(data: bytes, place: str) -> bytes:
    """An operator's metadata with the paths of its schemas below a new place.

    Args:
        data: a version line and a line of JSON, as Spark writes it.
        place: of the checkpoint, absolute.
    """
    lines = data.decode().split("\n")
    try:
        fields = [json.loads(line) if line.startswith("{") else line for line in lines]
    except ValueError:
        return data
    new = [_moved(field, place) if isinstance(field, dict) else field for field in fields]
    if new == fields:
        return data
    texts = [
        field if isinstance(field, str) else json.dumps(field, separators=(",", ":"))
        for field in new
    ]
    return "\n".join(texts).encode()


def _moved(value: object, place: str) -> object:
    if isinstance(value, dict):
        return {key: _moved(held, place) for key, held in value.items()}
    if isinstance(value, list):
        return [_moved(held, place) for held in value]
    if isinstance(value, str) and _SCHEMAS in value and f"/{layout.STATE}/" in value:
        head, tail = value.split(_SCHEMAS, 1)
        operator = head.rpartition("/")[2]
        scheme = "file:" if value.startswith("file:") else ""
        return f"{scheme}{place}/{layout.STATE}/{operator}{_SCHEMAS}{tail}"
    return value


def _require_sound(staged: str) -> None:
    report = verify(Checkpoint.open(staged), level=Level.BRIEF)
    wrong = [item for item in report.findings if item.severity is Severity.ERROR]
    if wrong:
        raise WouldNotStart(
            f"what was restored is not sound: {wrong[0].code} in {wrong[0].path}",
            hint="`streamctl backup verify --read-data` looks at the backup; an older one may do.",
        )
