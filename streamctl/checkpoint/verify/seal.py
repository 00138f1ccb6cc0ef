"""Digests of the files that are final, so that later bit rot is found where Spark accepts it.

Most bit flips in an offset log entry load without a word. A seal is one JSON document, outside
Spark's tree, with the length and BLAKE2b digest of every file that Spark will not write again.
Files that Spark purged since are not missed; a file that is there must be as it was.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from streamctl.checkpoint.formats import decode
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint, again
from streamctl.checkpoint.verify.findings import Finding, finding
from streamctl.errors import Malformed, NotFound
from streamctl.reports import Verdict, iso

_FORMAT = "streamctl.seal/1"
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SealReport:
    """What was sealed.

    Attributes:
        path: the seal's file.
        files: how many files it covers now.
        added: of these, how many the seal before did not have.
    """

    verdict: Verdict
    path: str
    query_id: str | None
    files: int
    added: int
    size_bytes: int


Digests = dict[str, tuple[int, str]]
"""Path relative to the checkpoint, then length and digest."""


def seal(checkpoint: Checkpoint, *, directory: str, name: str) -> SealReport:
    """Write or renew a seal. What is sealed already is not read again.

    Args:
        checkpoint: the query may be running.
        directory: where the seal lies: not in the checkpoint.
        name: the seal's file name.

    Raises:
        Malformed: the seal there cannot be read.
        StreamctlError: storage fails, or files kept vanishing.
    """
    store = Store.open(directory)
    known = _read(store, name)
    found = again(lambda: _digests(checkpoint, known))
    document = {
        "format": _FORMAT,
        "query_id": checkpoint.query_id(),
        "sealed_at": iso(datetime.now(UTC)),
        "files": {path: list(value) for path, value in sorted(found.items())},
    }
    store.replace(name, json.dumps(document).encode())
    return SealReport(
        verdict=Verdict.OK,
        path=store.at(name),
        query_id=document["query_id"] if isinstance(document["query_id"], str) else None,
        files=len(found),
        added=len(found.keys() - known.keys()),
        size_bytes=sum(size for size, _ in found.values()),
    )


def check_seal(checkpoint: Checkpoint, *, directory: str, name: str) -> list[Finding]:
    """Compare every sealed file that is still there; all of the state cannot have been purged.

    Raises:
        NotFound: no such seal.
        Malformed: the seal cannot be read.
        StreamctlError: storage fails.
    """
    store = Store.open(directory)
    known = _read(store, name)
    if not known:
        raise NotFound(
            f'no seal "{store.at(name)}"', hint="Make it with `streamctl checkpoint seal`."
        )
    found = []
    for path, sealed in sorted(known.items()):
        try:
            now = _digest(checkpoint.files, path)
        except FileNotFoundError:
            continue  # purged
        except Malformed as error:
            found.append(finding("sealed-file-changed", path, error.message))
            continue
        if now != sealed:
            detail = f"{now[0]} bytes, digest {now[1][:12]}; sealed with {sealed[0]} bytes, "
            found.append(finding("sealed-file-changed", path, detail + sealed[1][:12]))
    if any(path.startswith(f"{layout.STATE}/") for path in known) and not checkpoint.has_state():
        found.append(finding("state-gone", layout.STATE, "there was state when it was sealed"))
    return found


def _digests(checkpoint: Checkpoint, known: Digests) -> Digests:
    paths = list(_final(checkpoint))
    return {path: known.get(path) or _digest(checkpoint.files, path) for path in paths}


def _final(checkpoint: Checkpoint) -> Iterator[str]:
    """Files that Spark will not write again: up to the newest commit, none in the making."""
    ids = checkpoint.log_ids()
    newest = ids.committed[-1] if ids.committed else -1
    for entry in checkpoint.files.entries(details=False):
        if entry.name == layout.METADATA:
            yield entry.name
    for folder, numbers in ((layout.OFFSETS, ids.planned), (layout.COMMITS, ids.committed)):
        yield from (f"{folder}/{number}" for number in numbers if number <= newest)
    for folder in (layout.SOURCES, layout.STATE):
        yield from _below(checkpoint.files, folder, newest)


def _below(files: Files, folder: str, newest: int) -> Iterator[str]:
    try:
        entries = files.entries(folder, details=False)
    except FileNotFoundError:
        return
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if entry.is_directory:
            yield from _below(files, path, newest)
            continue
        state = layout.state_file(entry.name)
        if entry.name.startswith(".") or layout.sidecar_of(entry.name) is not None:
            continue
        if state is None or state[0] <= newest:
            yield path


def _digest(files: Files, path: str) -> tuple[int, str]:
    total, size = hashlib.blake2b(digest_size=20), 0
    with files.open(path) as stream:
        while piece := stream.read(_PIECE_BYTES):
            total.update(piece)
            size += len(piece)
    return size, total.hexdigest()


def _read(store: Store, name: str) -> Digests:
    data = store.read(name)
    if data is None:
        return {}
    fields = decode.json_object(decode.lossy(data), name=name)
    files = fields.get("files")
    if fields.get("format") != _FORMAT or not isinstance(files, dict):
        raise Malformed(f'"{store.at(name)}" is not a seal')
    try:
        return {path: (int(value[0]), str(value[1])) for path, value in files.items()}
    except (TypeError, ValueError, IndexError) as error:
        raise Malformed(f'"{store.at(name)}" is not a seal') from error
