"""Old generations to another place: one compressed tar each, verified before the source goes.

`generation-0001.tar.zst` needs no streamctl to be opened: `tar --zstd -xf`. Its manifest,
`generation-0001.json`, is written last and holds a digest of each file: an archive without one was
interrupted, and is written anew.
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO

from streamctl.checkpoint.change.area import Area, Held
from streamctl.checkpoint.change.plan import Kind, Obstacle, Plan, Step, make_plan
from streamctl.checkpoint.change.walk import size_of, sizes
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.store import Store
from streamctl.errors import ExitCode, Malformed, NotFound, StreamctlError, Unsupported

MANIFEST_VERSION = 1
_PIECE_BYTES = 1 << 20


class GenerationNotFound(NotFound):
    """There is no old generation to archive."""


class NotTheSame(StreamctlError):
    """What was read back from the archive is not what was written."""


def plan_archive(area: Area, *, to: str, names: Sequence[str], why: str, now: datetime) -> Plan:
    """Plan to move old generations to an archive.

    Args:
        area: a location of ours.
        to: path or URL of a directory.
        names: of generations; empty for all but the current one.
        why: the operator's reason.
        now: UTC.

    Raises:
        GenerationNotFound: no such generation, or the current one.
        Unsupported: a bare checkpoint, or one on an object store.
        StorageFailed: the archive's place cannot be read.
    """
    if not area.has_generations or not area.store.is_local:
        raise Unsupported(
            f'"{area.location}" has no generations on a local filesystem',
            hint="`streamctl checkpoint backup` copies any checkpoint.",
        )
    current = generations.current(area.store)
    there = [name for name in area.store.names("") if name.isdigit()]
    old = [name for name in there if current is None or name != current.name]
    wanted = list(names) or old
    missing = [name for name in wanted if name not in old]
    if missing or not wanted:
        raise GenerationNotFound(
            f"generation {missing[0]} is current or not there" if missing else "no old generation",
            hint=f"Old ones: {', '.join(old) or 'none'}.",
        )
    target = Store.open(to)
    return make_plan(
        verb="archive",
        area=area,
        subject=f"generations {', '.join(wanted)}",
        why=why,
        now=now,
        steps=[
            Step(
                kind=Kind.REMOVE,
                place=area.store.at(name),
                reason=f"archived to {to}",
                size_bytes=size_of(area.store.at(name)),
            )
            for name in wanted
        ],
        obstacles=[o for name in wanted for o in _taken(target, to, name, area.store.at(name))],
        facts={"to": to, "archived": wanted},
    )


def _taken(target: Store, to: str, name: str, source: str) -> Iterator[Obstacle]:
    """An archive of another generation; of this one it is what a killed command left."""
    data = target.read(_manifest(name))
    if data is not None and not _is_of(data, source):
        yield Obstacle(
            code="archive-exists",
            message=f'"{to}" already holds an archive of generation {name}',
            hint="Give another place with --to.",
            exit_code=ExitCode.NOT_EMPTY,
            overridable=False,
        )


def _is_of(manifest: bytes, source: str) -> bool:
    """Whether it holds these very files: another job may have a generation of the same name."""
    try:
        digests = dict(json.loads(manifest)["sha256"])
    except (ValueError, TypeError, KeyError):
        return False
    return digests.keys() == sizes(source).keys() and all(
        _digest(f"{source}/{path}") == digest for path, digest in digests.items()
    )


def _digest(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack(area: Area, name: str, *, to: str, held: Held, now: datetime) -> dict[str, Any]:
    """Write one generation's archive, read it back, then its manifest.

    Returns:
        The manifest.

    Raises:
        NotTheSame: it read back differently.
        OSError, StorageFailed: the place refuses or is full.
    """
    target = Store.open(to)
    source = area.store.at(name)
    target.fs.makedirs(target.path, exist_ok=True)
    archive = f"generation-{name}.tar.zst"
    digests = {}
    with _writing(target, archive) as stream, tarfile.open(fileobj=stream, mode="w|") as tar:
        for path in sorted(sizes(source)):
            digests[path] = _add(tar, source, path, prefix=name)
            held.beat()
    back = _read_back(target, archive, prefix=name)
    if back != digests:
        raise NotTheSame(
            f'"{target.at(archive)}" does not read back as it was written',
            hint="Nothing was removed. See that the place is sound, and archive again.",
        )
    manifest = {
        "streamctl_archive": MANIFEST_VERSION,
        "generation": name,
        "archived_at": now.isoformat(),
        "archive": archive,
        "sha256": digests,
        "bytes": size_of(source),
    }
    target.replace(_manifest(name), json.dumps(manifest, indent=1).encode())
    return manifest


def _manifest(name: str) -> str:
    return f"generation-{name}.json"


@contextmanager
def _writing(target: Store, name: str) -> Iterator[BinaryIO]:
    import zstandard

    with (
        target.fs.open(target.at(name), "wb") as file,
        zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as stream,
    ):
        yield stream


class _Digesting:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece


def _add(tar: tarfile.TarFile, source: str, path: str, *, prefix: str) -> str:
    full = f"{source}/{path}"
    with open(full, "rb") as file:  # noqa: PTH123
        info = tar.gettarinfo(arcname=f"{prefix}/{path}", fileobj=file)
        info.type, info.linkname = tarfile.REGTYPE, ""  # a hard link of ours is a file of its own
        info.size = os.fstat(file.fileno()).st_size
        reader = _Digesting(file)
        tar.addfile(info, reader)
    return reader.digest.hexdigest()


def _read_back(target: Store, name: str, *, prefix: str) -> dict[str, str]:
    import zstandard

    found = {}
    try:
        with (
            target.fs.open(target.at(name), "rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            for info in tar:
                member = tar.extractfile(info)
                if member is not None:
                    total = hashlib.sha256()
                    while piece := member.read(_PIECE_BYTES):
                        total.update(piece)
                    found[info.name.removeprefix(f"{prefix}/")] = total.hexdigest()
    except (tarfile.TarError, zstandard.ZstdError) as error:
        raise Malformed(f'"{target.at(name)}" cannot be read back: {error}') from error
    return found
