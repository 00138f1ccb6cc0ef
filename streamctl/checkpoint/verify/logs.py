"""The logs against each other: what a start reads, and what it would do with it.

Follows `MicroBatchExecution.populateStartOffsets`, `HDFSMetadataLog` and `StreamMetadata`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from streamctl.checkpoint.formats import decode, log
from streamctl.checkpoint.formats.model import CommitEntry, OffsetsEntry, SourcePosition
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry, Files, Unreadable
from streamctl.checkpoint.tree.start import Start, holes, plan_start
from streamctl.checkpoint.verify import pinned
from streamctl.checkpoint.verify.findings import RESTORE, Finding, finding
from streamctl.checkpoint.verify.kinds import Effect
from streamctl.errors import Malformed, Unsupported

T = TypeVar("T")
_FAR = 50
_UUID = re.compile(r"(?!.{37})[0-9a-fA-F]+(-[0-9a-fA-F]+){4}\Z", re.ASCII)


@dataclass(slots=True, kw_only=True)
class Logs:
    """What was read of the logs.

    Attributes:
        offsets, commits: entries of the two directories by name.
        planned, committed: batch ids, ascending.
        start: the next start; None when nothing is planned.
        last: the newest entry of the offset log, if it can be read.
        commit: the newest entry of the commit log, if it can be read.
        has_state: there is a `state/` directory.
    """

    files: Files
    root: dict[str, Entry]
    offsets: dict[str, Entry]
    commits: dict[str, Entry]
    planned: list[int]
    committed: list[int]
    start: Start | None
    has_state: bool
    last: OffsetsEntry | None = None
    previous: OffsetsEntry | None = None
    commit: CommitEntry | None = None
    found: list[Finding] = field(default_factory=list)


def look(files: Files) -> Logs:
    """List the logs, commits before offsets, and read what the next start reads.

    Raises:
        FileNotFoundError: an entry vanished between the listing and the reading.
    """
    root = {entry.name: entry for entry in files.entries()}
    commits = listing(files, layout.COMMITS)
    offsets = listing(files, layout.OFFSETS)
    planned = layout.batch_ids(offsets)
    # Spark takes files alone for commits (`HDFSMetadataLog.listBatches`).
    committed = layout.batch_ids(name for name, entry in commits.items() if not entry.is_directory)
    logs = Logs(
        files=files,
        root=root,
        offsets=offsets,
        commits=commits,
        planned=planned,
        committed=committed,
        start=plan_start(planned, committed),
        has_state=layout.STATE in root,
    )
    logs.found += [*_metadata(logs), *_read(logs), *_in_the_way(logs)]
    logs.found += [*_order(logs), *_holes(logs)]
    if logs.last is not None:
        logs.found += _agreement(logs, logs.last)
    return logs


def nothing(files: Files) -> Logs:
    """Logs that could not be read."""
    return Logs(
        files=files,
        root={},
        offsets={},
        commits={},
        planned=[],
        committed=[],
        start=None,
        has_state=False,
    )


def listing(files: Files, directory: str) -> dict[str, Entry]:
    """A directory by name; empty when it is not there."""
    try:
        return {entry.name: entry for entry in files.entries(directory)}
    except FileNotFoundError:
        return {}


def attempt(
    found: list[Finding],
    code: str,
    path: str,
    work: Callable[[], T],
    *,
    missing: str = "",
    remedy: str = "",
) -> T | None:
    """Do one reading; a file that is damaged, unknown or refused becomes a finding and None.

    Args:
        found: where the finding goes.
        code: of a damaged file.
        path: the file.
        work: the reading.
        missing: code of a missing file; empty: the absence is the caller's matter.
        remedy: of a damaged file, where it differs from the usual one.

    Raises:
        FileNotFoundError: the file is not there and `missing` is empty.
    """
    try:
        return work()
    except Unsupported as error:
        found.append(finding("format-unsupported", path, error.message))
    except decode.Trailing as error:
        found.append(finding("trailing-bytes", path, error.message))
    except Malformed as error:
        found.append(finding(code, path, error.message, remedy=remedy))
    except Unreadable as error:
        found.append(finding("unreadable", error.path, error.message))
    except FileNotFoundError:
        if not missing:
            raise
        found.append(finding(missing, path, f'"{path}" is missing'))
    return None


def guarded(
    path: str, work: Callable[[], Iterable[Finding]], *, purged: bool = False
) -> Iterator[Finding]:
    """What a look finds; what storage refuses on the way is a finding too, and ends it.

    Args:
        path: what is looked at.
        work: the look.
        purged: no start needs it, so that a file which vanishes under it is no matter.

    Raises:
        FileNotFoundError: a file vanished, and that matters.
    """
    try:
        yield from work()
    except FileNotFoundError:
        if not purged:
            raise
    except Unreadable as error:
        yield finding("unreadable", error.path, error.message)
    except OSError as error:  # in the middle of a file
        yield finding("unreadable", path, f'cannot read "{path}": {error.strerror or error}')


def _metadata(logs: Logs) -> list[Finding]:
    found: list[Finding] = []
    if layout.METADATA not in logs.root:
        if logs.planned or logs.committed or logs.has_state:
            found.append(finding("metadata-missing", layout.METADATA, "there is no `metadata`"))
        return found
    attempt(
        found,
        "metadata-damaged",
        layout.METADATA,
        lambda: _uuid(log.parse_metadata(logs.files.read(layout.METADATA))),
    )
    return found


def _uuid(text: str) -> str:
    """As strict as `java.util.UUID.fromString`, which wants five groups of hexadecimal digits.

    Raises:
        Malformed: not an id.
    """
    if not _UUID.match(text):
        raise Malformed(f'"{layout.METADATA}" has an id that is none: "{decode.clip(text)}"')
    return text


def _read(logs: Logs) -> list[Finding]:
    found: list[Finding] = []
    if logs.start is not None:
        newest = logs.start.planned
        logs.last = _entry(logs, found, newest)
        if newest - 1 in logs.planned:
            logs.previous = _entry(logs, found, newest - 1)
    if logs.committed:
        path = f"{layout.COMMITS}/{logs.committed[-1]}"
        logs.commit = attempt(
            found,
            "commit-damaged",
            path,
            lambda: log.parse_commit(logs.files.read(path), name=path),
        )
    return found


def _in_the_way(logs: Logs) -> Iterator[Finding]:
    """Directories with a commit's name: they count as none, and their commit cannot be written."""
    for number in layout.batch_ids(name for name, e in logs.commits.items() if e.is_directory):
        if number > (logs.committed or [-1])[-1]:
            path = f"{layout.COMMITS}/{number}"
            to_come = logs.start is None or number >= logs.start.planned
            effect = Effect.FAILS if to_come else Effect.STARTS
            detail = f'"{path}" is a directory'
            yield finding("log-entry-directory", path, detail, effect=effect)


def _entry(logs: Logs, found: list[Finding], batch: int) -> OffsetsEntry | None:
    path = f"{layout.OFFSETS}/{batch}"
    entry = logs.offsets.get(str(batch))
    if entry is not None and entry.is_directory:
        remedy = RESTORE if batch in logs.committed else ""  # the entry itself is lost
        detail = f'"{path}" is a directory'
        found.append(finding("log-entry-directory", path, detail, remedy=remedy))
        return None
    parsed = attempt(
        found,
        "offsets-damaged",
        path,
        lambda: log.parse_offsets(logs.files.read(path), name=path),
    )
    for source in parsed.sources if parsed else ():
        attempt(
            found,
            "offset-damaged",
            path,
            lambda source=source: log.source_position(source, name=path),  # type: ignore[misc]
        )
    return parsed


def _order(logs: Logs) -> Iterator[Finding]:
    """The newest entries of both logs against each other."""
    newest_commit = logs.committed[-1] if logs.committed else None
    if logs.start is None:
        if newest_commit is not None or logs.has_state:
            path = layout.OFFSETS
            yield finding("offsets-gone", path, "no batch is planned, and the rest is there")
        return
    newest = logs.start.planned
    if newest_commit is None:
        if newest > 0:
            detail = f"batch {newest} is planned, and no batch is committed"
            yield finding("commits-gone", layout.COMMITS, detail, effect=_behind(logs))
        return
    path = f"{layout.COMMITS}/{newest_commit}"
    if newest_commit > newest:
        detail = f"batch {newest_commit} is committed, and the newest planned batch is {newest}"
        yield finding("commit-without-offsets", path, detail)
    elif newest_commit < newest - 1 and not _async(logs):
        detail = f"batch {newest_commit} is committed, batch {newest} is planned"
        yield finding("commit-behind", path, detail, effect=_behind(logs))


def _behind(logs: Logs) -> Effect:
    """With format 2 the ids of the state are in the commit that is missing."""
    unique = logs.commit is not None and bool(logs.commit.state_unique_ids)
    return Effect.FAILS if unique else Effect.STARTS


def _async(logs: Logs) -> bool:
    """Gaps of asynchronous progress tracking: no state, and the same gaps in both logs.

    Entries that somebody removed from both logs look the same. That cannot be told apart, and
    a checkpoint as Spark left it must not raise an alarm: the note says what to look at.
    """
    if logs.has_state:
        return False
    gaps = {n for n in holes(logs.planned) if n >= (logs.committed or [0])[0]}
    return not _far(logs) and bool(gaps) and not gaps & set(logs.committed)


def _far(logs: Logs) -> bool:
    """The newest entry is a stray number, far away from the others."""
    return len(logs.planned) > 1 and logs.planned[-1] - logs.planned[-2] > _FAR


def _holes(logs: Logs) -> Iterator[Finding]:
    if logs.start is None:
        return
    newest = logs.start.planned
    gaps = set(holes(logs.planned))
    if not gaps and len(logs.planned) > 1 and newest - 1 not in logs.planned:
        yield finding(
            "offsets-far-ahead", f"offsets/{newest}", f"batch {newest - 1} is not planned"
        )
        return
    if _far(logs):
        detail = f"the entry before it is of batch {logs.planned[-2]}"
        yield finding("offsets-far-ahead", f"offsets/{newest}", detail)
        return
    if _async(logs):
        yield finding("async-gaps", layout.OFFSETS, f"{len(gaps)} batches are in neither log")
        return
    if newest > 0 and newest - 1 not in logs.planned:
        yield _previous(newest)
    for number in sorted(gaps - {newest - 1}):
        yield finding("offsets-hole", f"offsets/{number}", f"batch {number} is not planned")
    for number in holes(logs.committed):
        if number in logs.planned:
            yield finding("commit-hole", f"commits/{number}", f"batch {number} is not committed")


def _previous(newest: int) -> Finding:
    detail = f"batch {newest} is planned, and batch {newest - 1} is not"
    return finding("offsets-previous-missing", f"{layout.OFFSETS}/{newest - 1}", detail)


def _agreement(logs: Logs, last: OffsetsEntry) -> Iterator[Finding]:
    """The newest planned batch against the one before, and against the commit before."""
    start = logs.start
    if start is None:
        return
    path = f"{layout.OFFSETS}/{start.planned}"
    before = logs.previous
    if before is not None:
        yield from _sources(path, before, last, runs_again=start.runs_again)
        yield from pinned.compare(path, before.conf, last.conf, has_state=logs.has_state)
        if last.watermark_ms < before.watermark_ms:
            detail = f"watermark {last.watermark_ms} ms after {before.watermark_ms} ms"
            yield finding("watermark-backwards", path, detail)
    handed_on = logs.commit if logs.committed and logs.committed[-1] == start.planned - 1 else None
    if handed_on is not None and handed_on.next_watermark_ms > last.watermark_ms:
        detail = f"watermark {last.watermark_ms} ms, and the commit before handed on "
        detail += f"{handed_on.next_watermark_ms} ms"
        yield finding("watermark-backwards", path, detail)


def _sources(
    path: str, before: OffsetsEntry, last: OffsetsEntry, *, runs_again: bool
) -> Iterator[Finding]:
    if len(before.sources) != len(last.sources) or not last.sources:
        detail = f"{len(last.sources)} sources after {len(before.sources)}"
        yield finding("sources-differ", path, detail)
        return
    earlier = {source.source_id: source for source in before.sources}
    for source in last.sources:
        was = earlier.get(source.source_id)
        if was is None or was.text is None or source.text is None:
            continue
        try:
            start, end = log.source_position(was), log.source_position(source)
        except Malformed:
            continue
        yield from _moved(path, start, end, runs_again=runs_again)


def _moved(
    path: str, start: SourcePosition, end: SourcePosition, *, runs_again: bool
) -> Iterator[Finding]:
    """One source from one batch to the next: it must not go back.

    Once committed, the next batch begins there and repeats what was read. A batch that is still to
    run is refused by the source; Kafka's refuses it unless `failOnDataLoss` is false.
    """
    if (start.kafka is None) != (end.kafka is None):
        yield finding("offset-damaged", path, f"source {start.source_id} changed its form")
        return
    was, now = _counter(start.opaque), _counter(end.opaque)
    if was is not None and now is not None and now < was:
        effect = Effect.FAILS if runs_again else Effect.WRONG
        detail = f"source {start.source_id}: {now} after {was}"
        yield finding("offset-backwards", path, detail, effect=effect)
    effect = Effect.UNKNOWN if runs_again else Effect.WRONG
    # Which of the two lacks the partition rightly cannot be told: only the newer one counts.
    for topic, partitions in (start.kafka or {}).items():
        for partition, offset in partitions.items():
            reached = (end.kafka or {}).get(topic, {}).get(partition)
            place = f"{topic}-{partition}"
            if reached is None:
                detail = f"{place} is in the batch before and not in this one"
                yield finding("offset-backwards", path, detail, effect=Effect.UNKNOWN)
            elif reached < offset:
                detail = f"{place}: {reached} after {offset}"
                yield finding("offset-backwards", path, detail, effect=effect)


def _counter(opaque: Any) -> int | None:
    """The number that only grows in the offsets of the rate and file sources; None of others."""
    if isinstance(opaque, dict) and len(opaque) <= 2:  # noqa: PLR2004  a number and a time
        opaque = opaque.get("offset", opaque.get("logOffset"))
    return opaque if isinstance(opaque, int) and not isinstance(opaque, bool) else None
