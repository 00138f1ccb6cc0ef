"""How many keys a store holds, from its files alone.

HDFS-backed stores are counted: the changes newest first, then the base with the changed keys left
out, so that memory grows with what changed since the base and not with the state. RocksDB's
snapshots say their number themselves; after changes on top of one the number is not known without
reading its tables, and is not guessed at.
"""

from dataclasses import dataclass

from streamctl.checkpoint.formats.rows import Change, read_delta, read_snapshot
from streamctl.checkpoint.formats.snapshot import Snapshot, parse_snapshot
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.state import Chain, StateFile, Store, is_rocksdb
from streamctl.errors import Unsupported

CHANGED_KEYS_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCount:
    """Keys of one store at one version.

    Attributes:
        keys: None when it cannot be known from the files.
        at_version: the version that the number belongs to: for RocksDB with changelogs that of
            the last snapshot, before the version asked for.
    """

    keys: int | None
    at_version: int


def count_keys(files: Files, store: Store, chain: Chain) -> KeyCount:
    """Count the keys of a version.

    Raises:
        FileNotFoundError: a file was purged meanwhile.
        Malformed, Unsupported: a file cannot be read.
    """
    if not is_rocksdb(store):
        return KeyCount(keys=_counted(files, store, chain), at_version=chain.version)
    if chain.base is None:
        return KeyCount(keys=None if chain.changes else 0, at_version=chain.version)
    keys = read_base(files, store, chain.base).keys
    return KeyCount(keys=keys if keys >= 0 else None, at_version=chain.base.version)


def read_base(files: Files, store: Store, base: StateFile) -> Snapshot:
    """A RocksDB snapshot.

    Raises:
        FileNotFoundError, Malformed, Unsupported: as `parse_snapshot`.
    """
    name = layout.join(store.path, base.name)
    with files.open(name) as stream:
        return parse_snapshot(stream, name=name)


def _counted(files: Files, store: Store, chain: Chain) -> int:
    present: dict[bytes, bool] = {}
    for change in reversed(chain.changes):
        name = layout.join(store.path, change.name)
        last: dict[bytes, bool] = {}
        with files.open(name) as stream:
            for row in read_delta(stream, name=name):
                last[_plain_key(row)] = not row.removed
                if len(last) + len(present) > CHANGED_KEYS_LIMIT:
                    raise Unsupported(f'"{store.path}" has too many changed keys to count')
        present = last | present
    count = sum(present.values())
    if chain.base is not None:
        name = layout.join(store.path, chain.base.name)
        with files.open(name) as stream:
            count += sum(1 for row in read_snapshot(stream, name=name) if row.key not in present)
    return count


def _plain_key(row: Change) -> bytes:
    """The key without the row checksum (4.2), which a removal carries before its key.

    A row's length is a multiple of 8 (`UnsafeRow.pointTo`), so 4 bytes more are the checksum.
    """
    return row.key[4:] if row.removed and len(row.key) % 8 == 4 else row.key  # noqa: PLR2004
