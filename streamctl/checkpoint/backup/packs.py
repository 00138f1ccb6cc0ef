"""Writes and reads packs: pieces in groups, groups in packs, an index beside each pack."""

import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import zstandard

from streamctl.checkpoint.backup.format import (
    GROUP_BYTES,
    PACK_BYTES,
    PIECE_BYTES,
    Place,
    seal,
    unseal,
)
from streamctl.checkpoint.location.store import Store
from streamctl.errors import Malformed

_LEVEL = 3
_WORTH_IT = 0.9
"""Content that shrinks by less is kept as it is: it is compressed already."""
_SAMPLE_BYTES = 128 << 10
"""So much from the middle of a group tells whether the rest is worth the time."""
_WORKERS = 2
_CACHED_GROUPS = 16
_WAITING_GROUPS = 8
_WAITING_PACKS = 2
Index = dict[str, Place]
"""Digest of a piece, as hex -> where it lies."""


class PackWriter:
    """Adds pieces to a repository. Digests, compression and writing run beside the reading.

    Args:
        store: the repository.
        index: of what is stored already; new pieces are added to it as their pack is whole.

    Attributes:
        written_bytes: of packs and indexes.
    """

    def __init__(self, store: Store, index: Index) -> None:
        self.written_bytes = 0
        self._store = store
        self._index = index
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="packs")
        self._disk = ThreadPoolExecutor(_WORKERS, thread_name_prefix="packs-written")
        self._group: list[tuple[str, bytes]] = []
        self._group_bytes = 0
        self._waiting: list[tuple[list[tuple[str, int]], Future[tuple[str, bytes]]]] = []
        self._pack: list[bytes] = []
        self._pack_bytes = 0
        self._held: list[tuple[int, int, str, list[tuple[str, int]]]] = []
        self._writing: list[Future[None]] = []
        self._seen: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._disk.shutdown(wait=True, cancel_futures=True)

    def add(self, data: bytes) -> str:
        """Store a piece unless it is stored; return its digest."""
        return self._added(data, _digest(data))

    def add_file(self, pieces: Iterable[bytes]) -> tuple[list[str], int]:
        """Store the pieces of a file, in order; return their digests, and the length of all.

        While one that is full has its digest made, the next is read.
        """
        digests: list[str] = []
        ahead: deque[tuple[bytes, Future[str]]] = deque()
        size = 0
        for data in pieces:
            size += len(data)
            if not ahead and len(data) < PIECE_BYTES:
                digests.append(self.add(data))
                continue
            ahead.append((data, self._pool.submit(_digest, data)))
            if len(ahead) > _WORKERS:
                first, digest = ahead.popleft()
                digests.append(self._added(first, digest.result()))
        digests += [self._added(data, digest.result()) for data, digest in ahead]
        return digests, size

    def _added(self, data: bytes, digest: str) -> str:
        if digest in self._index or digest in self._seen:
            return digest
        self._seen.add(digest)
        self._group.append((digest, data))
        self._group_bytes += len(data)
        if self._group_bytes >= GROUP_BYTES:
            self._close_group()
        return digest

    def finish(self) -> None:
        """Write what is left.

        Raises:
            StorageFailed: the repository cannot be written.
        """
        self._close_group()
        self._drain(0)
        self._close_pack()
        self._await_packs(0)

    def _close_group(self) -> None:
        if not self._group:
            return
        pieces = [(digest, len(data)) for digest, data in self._group]
        joined = b"".join(data for _, data in self._group)
        self._group, self._group_bytes = [], 0
        self._waiting.append((pieces, self._pool.submit(_compressed, joined)))
        self._drain(_WAITING_GROUPS)

    def _drain(self, leave: int) -> None:
        """Take compressed groups into the pack, oldest first."""
        while len(self._waiting) > leave:
            pieces, future = self._waiting.pop(0)
            codec, data = future.result()
            self._held.append((self._pack_bytes, len(data), codec, pieces))
            self._pack.append(data)
            self._pack_bytes += len(data)
            if self._pack_bytes >= PACK_BYTES:
                self._close_pack()

    def _close_pack(self) -> None:
        """A pack bears the digest of its pieces' digests: the same pieces make the same pack."""
        if not self._held:
            return
        told = "".join(digest for _, _, _, pieces in self._held for digest, _ in pieces)
        name = hashlib.sha256(told.encode()).hexdigest()
        fields = {"pack": name, "bytes": self._pack_bytes, "groups": self._held}
        index = seal("index", fields)
        self.written_bytes += self._pack_bytes + len(index)
        self._index.update(_places(name, self._held))
        self._writing.append(self._disk.submit(self._write, name, self._pack, index))
        self._pack, self._pack_bytes, self._held = [], 0, []
        self._await_packs(_WAITING_PACKS)

    def _write(self, name: str, pack: list[bytes], index: bytes) -> None:
        """The pack first, its index after it: a pack without one was never finished."""
        self._store.replace(f"packs/{name}.pack", *pack)
        self._store.replace(f"packs/{name}.index", index)

    def _await_packs(self, leave: int) -> None:
        while len(self._writing) > leave:
            self._writing.pop(0).result()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _compressed(data: bytes) -> tuple[str, bytes]:
    compress = zstandard.ZstdCompressor(level=_LEVEL).compress
    middle = max(0, (len(data) - _SAMPLE_BYTES) // 2)
    sample = data[middle : middle + _SAMPLE_BYTES]
    if len(compress(sample)) >= _WORTH_IT * len(sample):
        return "raw", data
    shrunk = compress(data)
    return ("zstd", shrunk) if len(shrunk) < _WORTH_IT * len(data) else ("raw", data)


def _places(pack: str, groups: Any) -> Index:
    found: Index = {}
    for offset, length, codec, pieces in groups:
        at = 0
        for digest, size in pieces:
            found[digest] = Place(pack, offset, length, codec, at, size)
            at += size
    return found


def read_index(store: Store, *, damaged: list[str] | None = None) -> Index:
    """Where every piece of the repository lies.

    Args:
        store: the repository.
        damaged: takes the names of index files that cannot be read; None lets them be errors.

    Raises:
        Malformed, Unsupported: an index cannot be read.
        StorageFailed: the repository cannot be read.
    """
    found: Index = {}
    for name in store.names("packs"):
        if not name.endswith(".index"):
            continue
        try:
            fields = unseal("index", store.read(f"packs/{name}") or b"", name=name)
            found |= _places(fields["pack"], fields["groups"])
        except Malformed:
            if damaged is None:
                raise
            damaged.append(name)
    return found


class PackReader:
    """Reads pieces, with the last groups at hand.

    Args:
        store: the repository.
        index: of `read_index`.
        cached_groups: how many are kept.
    """

    def __init__(
        self, store: Store, index: Mapping[str, Place], *, cached_groups: int = _CACHED_GROUPS
    ) -> None:
        self._store = store
        self._cached_groups = cached_groups
        self._index = index
        self._groups: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def piece(self, digest: str) -> bytes:
        """The bytes with this digest, checked.

        Raises:
            Malformed: not there, cut, or changed.
            StorageFailed: the repository cannot be read.
        """
        place = self._index.get(digest)
        if place is None:
            raise Malformed(f"piece {digest[:12]} is in no pack")
        group = self._group(place)
        data = group[place.at : place.at + place.size]
        if _digest(data) != digest:
            raise Malformed(f'piece {digest[:12]} in pack "{place.pack[:12]}" is damaged')
        return data

    def _group(self, place: Place) -> bytes:
        key = (place.pack, place.offset)
        held = self._groups.get(key)
        if held is not None:
            self._groups.move_to_end(key)
            return held
        data = self._store.read_range(f"packs/{place.pack}.pack", place.offset, place.length)
        if data is None or len(data) != place.length:
            raise Malformed(f'pack "{place.pack[:12]}" is missing or cut')
        if place.codec == "zstd":
            try:
                data = zstandard.ZstdDecompressor().decompress(data)
            except zstandard.ZstdError as error:
                raise Malformed(f'pack "{place.pack[:12]}" is damaged: {error}') from error
        self._groups[key] = data
        if len(self._groups) > self._cached_groups:
            self._groups.popitem(last=False)
        return data
