"""The file sink's log, taken back to a batch. Pure but for the reading of log files.

Spark's file sink skips every batch id that its log already holds, without looking at the query.
So a log that is not taken back with the checkpoint loses records silently. What a reader needs up
to a batch is the last compaction before it and every log since; where they are purged, they are
told from the next compaction, which repeats them in order before the first file of a later batch.

Follows `FileStreamSink.addBatch`, `CompactibleFileStreamLog` (`getAllValidBatches`,
`deriveCompactInterval`: the one compaction there is always is one).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from streamctl.checkpoint.formats import decode
from streamctl.checkpoint.formats.filelog import FileEntry, LogChain, chain, log_batch

Read = Callable[[str], Sequence[FileEntry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkPlan:
    """What becomes of the sink's log and files.

    Attributes:
        latest: newest batch in the log now; None when it is empty.
        logs: names of log files to remove.
        written: log files to write, with their text.
        files: paths of data files that no kept batch wrote, as the log has them.
        kept: paths of the others.
        problem: why it cannot be done; "" when it can.
    """

    latest: int | None
    logs: tuple[str, ...] = ()
    written: dict[str, str]
    files: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    problem: str = ""


def plan_sink(names: Iterable[str], read: Read, batch_id: int) -> SinkPlan:
    """Take the log back to a batch.

    Args:
        names: in `_spark_metadata`.
        read: entries of one log file.
        batch_id: the last to keep; -1 for none.

    Raises:
        FileNotFoundError, Malformed, Unsupported: a log file cannot be read.
    """
    found = {name: log_batch(name) for name in names}
    batches = {name: batch[0] for name, batch in found.items() if batch is not None}
    now = chain(batches)
    dropped = tuple(
        sorted((n for n, b in batches.items() if b > batch_id), key=batches.__getitem__)
    )
    if now.latest is None or not dropped:
        kept_now = () if now.missing else tuple(entry.path for entry in _entries(now, read))
        problem = _behind(now, batch_id)
        return SinkPlan(latest=now.latest, written={}, kept=kept_now, problem=problem)
    if now.missing:
        gaps = ", ".join(str(number) for number in now.missing[:3])
        return SinkPlan(latest=now.latest, written={}, problem=f"its log lacks batch {gaps}")
    everything = _entries(now, read)
    kept, written = _kept([n for n in batches if n not in dropped], dropped, read, batch_id)
    if kept is None:
        problem = f"its log no longer tells which files batch {batch_id} and those before it wrote"
        return SinkPlan(latest=now.latest, written={}, problem=problem)
    stay = {entry.path for entry in kept}
    return SinkPlan(
        latest=now.latest,
        logs=dropped,
        written=written,
        files=tuple(entry.path for entry in everything if entry.path not in stay),
        kept=tuple(entry.path for entry in kept),
    )


def _behind(now: LogChain, batch_id: int) -> str:
    if now.latest is None:
        return f"it has nothing of the batches up to {batch_id}" if batch_id >= 0 else ""
    if now.latest >= batch_id:
        return ""
    return f"it has nothing of the batches after {now.latest}, up to {batch_id}"


def _kept(
    remaining: list[str], dropped: tuple[str, ...], read: Read, batch_id: int
) -> tuple[list[FileEntry] | None, dict[str, str]]:
    """The entries up to the batch, and the log file that must be written to hold them."""
    there = chain(remaining)
    compactions = [name for name in dropped if name.endswith(".compact")]
    if not remaining and (batch_id < 0 or not compactions):
        return [], {}  # all of it goes, or the sink began later
    if remaining and not there.missing and there.latest == batch_id:
        return _entries(there, read), {}
    if not compactions:
        return None, {}
    kept = _before(compactions[0], dropped, read, batch_id)
    if kept is None:
        return None, {}
    return kept, {f"{batch_id}.compact": format_log(kept)}


def _before(
    compaction: str, dropped: tuple[str, ...], read: Read, batch_id: int
) -> list[FileEntry] | None:
    """Entries of a compaction up to a batch; None when it cannot be told.

    They end where the first file of the next batch stands, and that batch's own log must be there
    to name it. A batch without files says nothing; then the one after it does.
    """
    for number, name in enumerate(dropped, start=batch_id + 1):
        if name != str(number):  # purged, or the compaction itself
            return None
        later = read(name)
        if later:
            found = list(read(compaction))
            paths = [entry.path for entry in found]
            return found[: paths.index(later[0].path)] if later[0].path in paths else None
    return None


def _entries(chain_: LogChain, read: Read) -> list[FileEntry]:
    return [entry for name in chain_.needed for entry in read(name)]


def format_log(entries: Iterable[FileEntry]) -> str:
    """The text of a log file, as `CompactibleFileStreamLog.serialize` writes it."""
    return "\n".join(["v1", *(decode.compact(entry.fields) for entry in entries)])


def local(path: str) -> str | None:
    """The local path of a log's absolute URI; None for another scheme."""
    if path.startswith("file:"):
        return "/" + unquote(path.removeprefix("file:")).lstrip("/")
    return None if "://" in path else unquote(path)
