"""The content of a checkpoint's files, as pieces in a repository."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from streamctl.checkpoint.backup.closure import Member
from streamctl.checkpoint.backup.format import PIECE_BYTES, StoredFile
from streamctl.checkpoint.backup.packs import PackWriter
from streamctl.checkpoint.tree.files import Files

_SMALL_BYTES = 16 << 10
_READS_AT_ONCE = 16
_PREFETCHED_BYTES = 1 << 20


def fetched(files: Files, members: Iterable[Member]) -> Iterator[tuple[Member, bytes | None]]:
    """Each member, in order, with the content of small ones where a store answers many at once.

    A store answers one read in some ten milliseconds, whatever its length: one after the other,
    ten thousand files take minutes.
    """
    if not files.takes_many:
        yield from ((member, None) for member in members)
        return
    waiting: deque[tuple[Member, Future[bytes] | None]] = deque()
    with ThreadPoolExecutor(_READS_AT_ONCE, thread_name_prefix="reads") as pool:
        for member in members:
            size = member.size_bytes
            small = size is not None and size <= _PREFETCHED_BYTES
            waiting.append((member, pool.submit(files.read, member.path) if small else None))
            if len(waiting) > _READS_AT_ONCE:
                first, future = waiting.popleft()
                yield first, future.result() if future else None
        for member, future in waiting:
            yield member, future.result() if future else None


def store(files: Files, member: Member, data: bytes | None, writer: PackWriter) -> StoredFile:
    """Store a file, by its content where that was read already."""
    pieces, size = writer.add_file(_pieces(files, member) if data is None else [data] * bool(data))
    if member.size_bytes is not None and size != member.size_bytes:
        raise FileNotFoundError(member.path)
    return StoredFile(
        path=member.path,
        size_bytes=size,
        modified_seconds=member.modified_seconds,
        pieces=tuple(pieces),
    )


def _pieces(files: Files, member: Member) -> Iterator[bytes]:
    """The content, in pieces; most files are one, and far smaller than a piece may be."""
    likely = _SMALL_BYTES if member.size_bytes is None else member.size_bytes + 1
    if likely <= PIECE_BYTES:
        data = files.read_start(member.path, likely)
        if len(data) < likely:
            if data:
                yield data
            return
    with files.open(member.path) as stream:
        while data := stream.read(PIECE_BYTES):
            yield data
