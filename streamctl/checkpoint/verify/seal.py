"""Digests of the files that are final, so that later bit rot is found where Spark accepts it.

Most bit flips in an offset log entry load without a word. A seal is one JSON document, outside
Spark's tree, with the length and BLAKE2b digest of every file that Spark will not write again.
Files that Spark purged since are not missed; a file that is there must be as it was. Only a change
of ours, such as a rewind, lets Spark write the same names again: what it remade is left out.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from streamctl.checkpoint.formats import decode
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint, again
from streamctl.checkpoint.verify.final import final
from streamctl.checkpoint.verify.findings import Finding, finding
from streamctl.errors import Malformed, NotFound, Refused
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Remade:
    """Since a moment Spark may have written a batch and those after it anew, after a rewind."""

    at: datetime
    batch_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seal:
    query_id: str | None
    files: Digests


def seal(
    checkpoint: Checkpoint, *, directory: str, name: str, remade: Iterable[Remade] = ()
) -> SealReport:
    """Write or renew a seal. What is sealed already is not read again.

    Args:
        checkpoint: the query may be running.
        directory: where the seal lies: not in the checkpoint.
        name: the seal's file name.
        remade: changes of ours, for what was sealed before them.

    Raises:
        Refused: the seal there is of another query, or the place is in the checkpoint.
        Malformed: the seal there cannot be read.
        StreamctlError: storage fails, or files kept vanishing.
    """
    store = Store.open(directory)
    _require_outside(checkpoint, store)
    now, query_id = datetime.now(UTC), checkpoint.query_id()
    before = _read(store, name, remade)
    if before is not None and before.query_id != query_id:
        raise Refused(
            f'"{store.at(name)}" is the seal of query {before.query_id}, not of {query_id}',
            hint="Give each checkpoint a seal of its own with `--to`.",
        )
    known = before.files if before else {}
    found = again(lambda: _digests(checkpoint, known))
    document = {
        "format": _FORMAT,
        "query_id": query_id,
        "sealed_at": iso(now),
        "files": {path: list(value) for path, value in sorted(found.items())},
    }
    store.replace(name, json.dumps(document).encode())
    return SealReport(
        verdict=Verdict.OK,
        path=store.at(name),
        query_id=query_id,
        files=len(found),
        added=len(found.keys() - known.keys()),
        size_bytes=sum(size for size, _ in found.values()),
    )


def check_seal(
    checkpoint: Checkpoint, *, directory: str, name: str, remade: Iterable[Remade] = ()
) -> list[Finding]:
    """Compare every sealed file that is still there; all of the state cannot have been purged.

    Args:
        checkpoint: the query may be running.
        directory: where the seal lies.
        name: the seal's file name.
        remade: as of `seal`.

    Raises:
        NotFound: no such seal.
        Malformed: the seal cannot be read.
        StreamctlError: storage fails.
    """
    store = Store.open(directory)
    sealed = _read(store, name, remade)
    if sealed is None:
        raise NotFound(
            f'no seal "{store.at(name)}"', hint="Make it with `streamctl checkpoint seal`."
        )
    other = _other_query(checkpoint, sealed)
    if other is not None:
        return [other]
    found = [item for path, was in sorted(sealed.files.items())
             if (item := _compare(checkpoint, path, was)) is not None]  # fmt: skip
    had_state = any(path.startswith(f"{layout.STATE}/") for path in sealed.files)
    if had_state and not checkpoint.has_state():
        found.append(finding("state-gone", layout.STATE, "there was state when it was sealed"))
    return found


def _other_query(checkpoint: Checkpoint, sealed: _Seal) -> Finding | None:
    """One finding where a seal is held against another checkpoint than its own."""
    try:
        query_id = checkpoint.query_id()
    except Malformed:
        return None  # its bytes are compared
    if query_id in {sealed.query_id, None}:
        return None
    detail = f"query id {query_id}, and the seal is of query {sealed.query_id}"
    return finding("sealed-file-changed", layout.METADATA, detail)


def _compare(checkpoint: Checkpoint, path: str, sealed: tuple[int, str]) -> Finding | None:
    try:
        now = _digest(checkpoint.files, path)
    except FileNotFoundError:
        return None  # purged
    except Malformed as error:
        return finding("sealed-file-changed", path, error.message)
    if now == sealed:
        return None
    detail = f"{now[0]} bytes, digest {now[1][:12]}; sealed with {sealed[0]} bytes, "
    return finding("sealed-file-changed", path, detail + sealed[1][:12])


def _require_outside(checkpoint: Checkpoint, store: Store) -> None:
    """Guard: a foreign file in Spark's tree may stop the query.

    Raises:
        Refused: the seal would lie there.
    """
    tree, place = checkpoint.files.path(""), store.path
    if store.is_local and checkpoint.files.is_local:
        tree, place = os.path.realpath(tree), os.path.realpath(place)
    if f"{place}/".startswith(f"{tree.rstrip('/')}/"):
        raise Refused(
            f'"{store.url}" lies in the checkpoint',
            hint="Keep the seal outside, where Spark does not look, with `--to`.",
        )


def _digests(checkpoint: Checkpoint, known: Digests) -> Digests:
    found = {}
    for path in final(checkpoint, known.keys()):
        with suppress(FileNotFoundError):  # purged meanwhile
            found[path] = known.get(path) or _digest(checkpoint.files, path)
    return found


def _digest(files: Files, path: str) -> tuple[int, str]:
    total, size = hashlib.blake2b(digest_size=20), 0
    with files.open(path) as stream:
        while piece := stream.read(_PIECE_BYTES):
            total.update(piece)
            size += len(piece)
    return size, total.hexdigest()


def _read(store: Store, name: str, remade: Iterable[Remade]) -> _Seal | None:
    """The seal without what was remade since; None when there is none.

    Raises:
        Malformed: it is damaged.
    """
    data = store.read(name)
    if data is None:
        return None
    fields = decode.json_object(decode.lossy(data), name=name)
    files = fields.get("files")
    if fields.get("format") != _FORMAT or not isinstance(files, dict):
        raise Malformed(f'"{store.at(name)}" is not a seal')
    try:
        sealed_at = datetime.fromisoformat(fields["sealed_at"])
        known = {path: (int(value[0]), str(value[1])) for path, value in files.items()}
    except (TypeError, ValueError, LookupError) as error:
        raise Malformed(f'"{store.at(name)}" is not a seal') from error
    first = min((change.batch_id for change in remade if change.at >= sealed_at), default=None)
    kept = {path: value for path, value in known.items()
            if first is None or _batch_of(path) < first}  # fmt: skip
    return _Seal(query_id=fields.get("query_id"), files=kept)


def _batch_of(path: str) -> int:
    """The batch that wrote a file; -1 for what belongs to the whole query, or has a unique name."""
    name = path.rpartition("/")[2]
    if path.startswith(f"{layout.STATE}/") and (state := layout.state_file(name)) is not None:
        return state[0] - 1
    number = layout.batch_id(name)
    return -1 if number is None else number
