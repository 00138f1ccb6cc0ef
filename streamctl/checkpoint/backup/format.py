"""What lies in a repository: packs of pieces, an index beside each, manifests.

```
repository.json          {"format": 1, "id": ...}
packs/<name>.pack        groups, one after the other; each is zstd or raw
packs/<name>.index       which pieces are in which group; written after its pack
manifests/<id>           one backup; written last
marks/<id>.json          what became known or was wished later: verified, kept
locks/<id>.json
```
A piece is at most 4 MiB of a file, known by the SHA-256 of its bytes. Small pieces share a group,
because thousands of files of some hundred bytes compress only together.

An index or a manifest is a line `streamctl <what> <format> <sha256>` and a zstd frame of JSON whose
bytes have that digest: a cut or changed one is told from a whole one.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import zstandard

from streamctl.checkpoint.formats.model import KafkaOffsets
from streamctl.errors import Malformed, Unsupported

FORMAT = 1
PIECE_BYTES = 4 << 20
GROUP_BYTES = 1 << 20
PACK_BYTES = 32 << 20
_LIMIT_BYTES = 1 << 30
_HEAD_PARTS = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece lies: in which group of which pack, and where in the group's plain bytes."""

    pack: str
    offset: int
    length: int
    codec: str
    at: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file of a backup.

    Attributes:
        path: relative to the checkpoint; below `sink/` for the log of the file sink.
        modified_seconds: of the source when it was read; None where it was not looked at.
        pieces: digests in order, as hex.
    """

    path: str
    size_bytes: int
    modified_seconds: float | None
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredQuery:
    """One query of a backup.

    Attributes:
        name: in its generation; empty for a checkpoint given by its path.
        location: of the checkpoint that was backed up.
        batch_id: newest committed batch; a restored query goes on with the one after.
        watermark_ms, planned_at_ms: of that batch, in ms since 1970; watermark 0 for none.
        offsets: topic -> partition -> next offset to read.
        lag_records: that a restore would have had at once; None when Kafka was not asked.
        state_format_version: `checkpointFormatVersion`; None without state.
        sink: output directory of the file sink; empty when none is known.
        sink_batch_id: newest batch of the sink's log up to `batch_id`; None when it has none.
    """

    name: str
    location: str
    query_id: str
    batch_id: int
    watermark_ms: int
    planned_at_ms: int
    offsets: dict[str, dict[str, int]]
    files: tuple[StoredFile, ...]
    lag_records: int | None = None
    state_format_version: int | None = None
    sink: str = ""
    sink_batch_id: int | None = None

    @property
    def size_bytes(self) -> int:
        """Of all files, as they were."""
        return sum(file.size_bytes for file in self.files)

    @property
    def positions(self) -> KafkaOffsets:
        """Next offset to read, by topic and partition."""
        return {t: {int(p): o for p, o in parts.items()} for t, parts in self.offsets.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One backup.

    Attributes:
        id: begins with the time, so that names are in order.
        created_at: ISO 8601 in UTC.
        location: as it was asked for.
        generation: the record of the generation; None for a checkpoint given by its path.
        written_by: version of streamctl.
        settings_digest: of the job's settings without secrets; empty when not known.
        spark_version: of the job's pyspark; empty when not known.
        topic_ids: topic -> the broker's id of it then; empty when Kafka was not asked.
        queries: each pinned by itself.
    """

    id: str
    created_at: str
    location: str
    written_by: str
    queries: tuple[StoredQuery, ...]
    generation: dict[str, Any] | None = None
    settings_digest: str = ""
    spark_version: str = ""
    topic_ids: dict[str, str] = field(default_factory=dict)
    host: str = ""

    @property
    def size_bytes(self) -> int:
        """Of all files, as they were."""
        return sum(query.size_bytes for query in self.queries)

    @property
    def pieces(self) -> set[str]:
        """Digests of all content."""
        return {p for query in self.queries for file in query.files for p in file.pieces}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is known of a backup beside its manifest.

    Attributes:
        verified_at: ISO 8601; empty when it was never found whole.
        read_data: whether every byte was read for that.
        drilled_at: when Spark started from it; empty when it never did.
        keep: never forgotten by a policy.
    """

    verified_at: str = ""
    read_data: bool = False
    drilled_at: str = ""
    keep: bool = False
    note: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


def seal(what: str, fields: Any) -> bytes:
    """The bytes of an index or a manifest."""
    plain = json.dumps(fields, separators=(",", ":")).encode()
    head = f"streamctl {what} {FORMAT} {hashlib.sha256(plain).hexdigest()}\n"
    return head.encode() + zstandard.ZstdCompressor(level=3).compress(plain)


def unseal(what: str, data: bytes, *, name: str) -> Any:
    """The inverse.

    Raises:
        Malformed: cut, changed, or something else.
        Unsupported: of a newer format.
    """
    head, _, frame = data.partition(b"\n")
    parts = head.split(b" ")
    if len(parts) != _HEAD_PARTS or parts[:2] != [b"streamctl", what.encode()]:
        raise Malformed(f'"{name}" is no {what} of a repository')
    if not parts[2].isdigit() or int(parts[2]) > FORMAT:
        raise Unsupported(
            f'"{name}" has format {parts[2].decode(errors="replace")}, this release knows {FORMAT}',
            hint="Use the release of streamctl that wrote it, or a newer one.",
        )
    try:
        plain = zstandard.ZstdDecompressor().decompress(frame, max_output_size=_LIMIT_BYTES)
    except zstandard.ZstdError as error:
        raise Malformed(f'"{name}" is damaged: {error}') from error
    if hashlib.sha256(plain).hexdigest().encode() != parts[3]:
        raise Malformed(f'"{name}" is damaged: its digest is another')
    return json.loads(plain)


def manifest_fields(manifest: Manifest) -> dict[str, Any]:
    """A manifest as JSON; files as short lists, because there are many."""
    from dataclasses import asdict, replace

    queries = []
    for query in manifest.queries:
        fields = asdict(replace(query, files=()))
        fields["files"] = [
            [file.path, file.size_bytes, file.modified_seconds, *file.pieces]
            for file in query.files
        ]
        queries.append(fields)
    return asdict(replace(manifest, queries=())) | {"queries": queries}


def parse_manifest(data: bytes, *, name: str) -> Manifest:
    """Read a manifest.

    Raises:
        Malformed: damaged.
        Unsupported: of a newer format.
    """
    fields = unseal("manifest", data, name=name)
    try:
        queries = tuple(_query(held) for held in fields["queries"])
        return Manifest(**fields | {"queries": queries})
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f'"{name}" is damaged: {error}') from error


def _query(fields: dict[str, Any]) -> StoredQuery:
    files = tuple(
        StoredFile(path=path, size_bytes=size, modified_seconds=modified, pieces=tuple(pieces))
        for path, size, modified, *pieces in fields["files"]
    )
    return StoredQuery(**fields | {"files": files})
