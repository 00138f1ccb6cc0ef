"""Reads backups back: is everything there, and is it what was stored?"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import groupby

from streamctl.checkpoint.backup.format import Manifest, Place
from streamctl.checkpoint.backup.locks import reading
from streamctl.checkpoint.backup.packs import Index, PackReader, read_index
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.location.store import Store
from streamctl.errors import Malformed, NotFound, StreamctlError
from streamctl.reports import Event, OnEvent, Verdict, iso, worst

_READS_AT_ONCE, _LOCAL_READS_AT_ONCE = 8, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One backup.

    Attributes:
        problems: what is missing or damaged, a line each.
    """

    id: str
    verdict: Verdict
    files: int
    size_bytes: int
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """Some backups, or all.

    Attributes:
        read_data: whether every byte was read; else only what is there was looked at.
    """

    verdict: Verdict
    repository: str
    read_data: bool
    backups: list[Checked]
    problems: list[str] = field(default_factory=list)


def check(
    repository: Repository,
    *,
    ids: list[str],
    read_data: bool,
    now: datetime,
    on_event: OnEvent,
) -> CheckReport:
    """Check backups, and remember those that are whole.

    Args:
        repository: to look at.
        ids: of backups; empty for all.
        read_data: read and digest all content.
        now: UTC.
        on_event: told of pieces.

    Raises:
        NotFound: no backup of an id.
        StorageFailed: the repository cannot be read.
    """
    wanted = [repository.find(name) for name in ids] or repository.ids()
    damaged: list[str] = []
    with reading(repository.store, what="backup verify", now=now):
        index = read_index(repository.store, damaged=damaged)
        bad = _cut_pieces(repository, index)
        if read_data:
            bad |= _bad_pieces(repository, wanted, index, on_event)
    found = [_checked(repository, name, index, bad) for name in wanted]
    for item in found:
        whole = item.verdict is Verdict.OK
        repository.put_mark(
            item.id, verified_at=iso(now) if whole else "", read_data=whole and read_data
        )
    problems = [f'index "{name}" cannot be read' for name in damaged]
    verdicts = [item.verdict for item in found] + [Verdict.PROBLEM for _ in problems]
    return CheckReport(
        verdict=worst(verdicts) if verdicts else Verdict.UNKNOWN,
        repository=repository.store.url,
        read_data=read_data,
        backups=found,
        problems=problems,
    )


def _cut_pieces(repository: Repository, index: Index) -> dict[str, str]:
    """Pieces beyond the end of their pack, or whose pack is gone: told without reading any."""
    sizes = {
        name: repository.store.size(name) for name in {_pack(place) for place in index.values()}
    }
    return {
        digest: f'pack "{place.pack[:12]}" is missing or cut'
        for digest, place in index.items()
        if place.offset + place.length > sizes[_pack(place)]
    }


def _pack(place: Place) -> str:
    return f"packs/{place.pack}.pack"


def _bad_pieces(
    repository: Repository, names: list[str], index: Index, on_event: OnEvent
) -> dict[str, str]:
    """Read every piece once, several packs at a time."""
    pieces: set[str] = set()
    for name in names:
        manifest = _manifest(repository, name)
        pieces |= manifest.pieces if isinstance(manifest, Manifest) else set()
    there = sorted(pieces & index.keys(), key=lambda p: (index[p].pack, index[p].offset))
    packs = [list(held) for _, held in groupby(there, key=lambda p: index[p].pack)]
    bad: dict[str, str] = {}
    done = 0
    with ThreadPoolExecutor(_workers(repository.store), thread_name_prefix="reads") as pool:
        read = partial(_bad_of_pack, repository.store, index)
        for held, found in zip(packs, pool.map(read, packs), strict=True):
            bad |= found
            done += len(held)
            on_event(Event(message="reading back", done=done, total=len(there)))
    return bad


def _workers(store: Store) -> int:
    if store.takes_many:
        return _READS_AT_ONCE
    return _LOCAL_READS_AT_ONCE if store.is_local else 1


def _bad_of_pack(store: Store, index: Index, pieces: list[str]) -> dict[str, str]:
    reader, bad = PackReader(store, index, cached_groups=1), {}
    for piece in pieces:
        try:
            reader.piece(piece)
        except Malformed as error:
            bad[piece] = error.message
    return bad


def _manifest(repository: Repository, name: str) -> Manifest | str:
    try:
        return repository.manifest(name)
    except NotFound:
        raise
    except StreamctlError as error:
        return error.message


def _checked(repository: Repository, name: str, index: Index, bad: dict[str, str]) -> Checked:
    manifest = _manifest(repository, name)
    if isinstance(manifest, str):
        return Checked(id=name, verdict=Verdict.PROBLEM, files=0, size_bytes=0, problems=[manifest])
    problems = []
    files = [file for query in manifest.queries for file in query.files]
    for file in files:
        for piece in file.pieces:
            if piece not in index:
                problems.append(f'"{file.path}": piece {piece[:12]} is in no pack')
            elif piece in bad:
                problems.append(f'"{file.path}": {bad[piece]}')
    return Checked(
        id=name,
        verdict=Verdict.PROBLEM if problems else Verdict.OK,
        files=len(files),
        size_bytes=manifest.size_bytes,
        problems=problems,
    )
