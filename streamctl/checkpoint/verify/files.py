"""Checksums, leftovers, sources' own logs and the file sink's log.

Follows Hadoop's `ChecksumFileSystem`, `FileStreamSourceLog`, `FileStreamSink.addBatch` (a batch id
that the sink's log already has is skipped, whatever the query) and `CompactibleFileStreamLog`.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from streamctl.checkpoint.formats import filelog, log, sidecar
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry, Files, NotAFile
from streamctl.checkpoint.verify import changed
from streamctl.checkpoint.verify.findings import Finding, finding
from streamctl.checkpoint.verify.kinds import Effect, Severity
from streamctl.checkpoint.verify.logs import Logs, attempt, listing
from streamctl.errors import Malformed


def look(logs: Logs) -> Iterator[Finding]:
    """What lies in the root and in the logs beside the entries, and whether sums agree.

    Raises:
        FileNotFoundError: a file vanished since the listing.
    """
    yield from beside("", logs.root.values(), known=layout.ROOT_NAMES)
    yield from _log_folder(layout.OFFSETS, logs.offsets, next_id=_next_offsets(logs))
    yield from _log_folder(layout.COMMITS, logs.commits, next_id=_next_commit(logs))
    yield from _sums(logs)


def _next_offsets(logs: Logs) -> int:
    return logs.start.planned + 1 if logs.start else 0


def _next_commit(logs: Logs) -> int:
    return logs.start.batch_id if logs.start else 0


def _log_folder(folder: str, names: dict[str, Entry], *, next_id: int) -> Iterator[Finding]:
    entries = {name for name in names if layout.batch_id(name) is not None}
    for item in beside(folder, names.values(), known=entries):
        owner = layout.sidecar_of(item.path.rpartition("/")[2]) or ""
        number = layout.batch_id(owner)
        if item.code == "sidecar-orphan" and number is not None and number >= next_id:
            yield finding("sidecar-blocks", item.path, f"batch {number} cannot be written")
        else:
            yield item
    numbers = layout.batch_ids(name for name in entries if not names[name].is_directory)
    yield from without_sum(folder, [str(number) for number in numbers], names)


def without_sum(
    folder: str,
    files: Sequence[str],
    there: Container[str],
    sidecar: Callable[[str], str] = layout.hadoop_sidecar,
) -> Iterator[Finding]:
    """Files without a checksum between files that have one: Spark reads them all the same.

    Args:
        folder: where, relative to the checkpoint.
        files: names, oldest first. Of the first and the last, Spark may just purge or write it.
        there: every name in the folder.
        sidecar: the name of a file's checksum.
    """
    have = [number for number, name in enumerate(files) if sidecar(name) in there]
    for number in range(have[0], have[-1]) if have else ():
        if sidecar(files[number]) not in there:
            path = layout.join(folder, files[number])
            yield finding("sidecar-missing", path, "older and newer ones have a checksum")


def beside(folder: str, entries: Iterable[Entry], *, known: Iterable[str]) -> Iterator[Finding]:
    """Names that are neither known nor the sidecar of a name that is there.

    Args:
        folder: where, relative to the checkpoint.
        entries: everything in it.
        known: names that belong there.
    """
    there = {entry.name for entry in entries}
    for name in sorted(there - set(known)):
        path = layout.join(folder, name)
        if layout.is_temporary(name):
            yield finding("temporary-file", path, "a writer died before it renamed this")
        elif (owner := layout.sidecar_of(name)) is None:
            yield finding("foreign-file", path, "not a name that Spark writes")
        elif owner not in there:
            yield finding("sidecar-orphan", path, f'"{owner}" is not there')


def _sums(logs: Logs) -> Iterator[Finding]:
    """Hadoop's sums of the entries that the next start reads."""
    needed: list[tuple[str, str, dict[str, Entry], changed.Compare]] = [
        ("", layout.METADATA, logs.root, changed.metadata)
    ]
    if logs.start is not None:
        newest = changed.newest_offsets(has_state=logs.has_state)
        needed += [
            (layout.OFFSETS, str(logs.start.planned), logs.offsets, newest),
            (layout.OFFSETS, str(logs.start.planned - 1), logs.offsets, changed.older_offsets),
        ]
    if logs.committed:
        needed.append((layout.COMMITS, str(logs.committed[-1]), logs.commits, changed.commit))
    for folder, name, names, compare in needed:
        if name in names and layout.hadoop_sidecar(name) in names and not names[name].is_directory:
            yield from check_sum(logs.files, folder, name, compare=compare)


def check_sum(
    files: Files,
    folder: str,
    name: str,
    *,
    needed: bool = True,
    compare: changed.Compare | None = None,
) -> Iterator[Finding]:
    """Compare a file with Hadoop's sidecar.

    Args:
        files: the checkpoint's door.
        folder: where, relative to the checkpoint.
        name: of the file.
        needed: the next start reads it.
        compare: of its kind, to tell whether a start sees the change; None: not known.

    Raises:
        FileNotFoundError: one of them vanished.
    """
    path = layout.join(folder, name)
    other = layout.join(folder, layout.hadoop_sidecar(name))
    same = True
    try:
        sums = files.read(other)
        with suppress(NotAFile), files.open(path) as stream:  # that is told elsewhere
            same = sidecar.hadoop_matches(sums, stream, name=other)
    except Malformed as error:
        yield finding("sidecar-damaged", other, error.message)
        return
    if not same:
        change = changed.Change() if needed else changed.HARMLESS
        if needed and compare is not None:
            change = changed.judge(sums, files.read(path), compare)
        detail = f'"{path}" does not match "{other}"{change.detail and ": "}{change.detail}'
        yield mismatch(path, detail, change)


def mismatch(path: str, detail: str, change: changed.Change) -> Finding:
    """The finding of a file that its checksum contradicts; a warning where it harms no start."""
    harmless = change.effect is Effect.STARTS
    severity = Severity.WARNING if harmless else Severity.ERROR
    return finding("checksum-mismatch", path, detail, effect=change.effect, severity=severity)


def check_sum_if_any(
    files: Files, path: str, compare: changed.Compare | None = None
) -> Iterator[Finding]:
    """The same for a file whose directory was not listed: most have a sidecar or none has."""
    folder, _, name = path.rpartition("/")
    with suppress(FileNotFoundError):
        yield from check_sum(files, folder, name, compare=compare)


def look_at_sources(logs: Logs) -> Iterator[Finding]:
    """The sources' own logs: Kafka's first offsets, and the file source's list of seen files.

    Raises:
        FileNotFoundError: a file vanished since the listing.
    """
    counted = _counted_sources(logs)
    for entry in listing(logs.files, layout.SOURCES).values():
        if not entry.is_directory:
            continue
        folder = f"{layout.SOURCES}/{entry.name}"
        names = listing(logs.files, folder)
        if any(filelog.log_batch(name) for name in names):
            counted.discard(entry.name)
            yield from _source(logs, folder, names)
    for source in sorted(counted):
        path = f"{layout.SOURCES}/{source}"
        yield finding("source-log-missing", path, "the offset log counts its entries")


def _counted_sources(logs: Logs) -> set[str]:
    """File sources that have read something: their offset is the number of their log's entry."""
    found = set()
    for source in logs.last.sources if logs.last else ():
        try:
            opaque = log.source_position(source).opaque
        except Malformed:
            continue
        if isinstance(opaque, dict) and isinstance(number := opaque.get("logOffset"), int):
            found |= {source.source_id} if number >= 0 else set()
    return found


def _source(logs: Logs, folder: str, names: dict[str, Entry]) -> Iterator[Finding]:
    chain = filelog.chain(names)
    first = f"{folder}/{chain.needed[0]}" if chain.needed else folder
    found: list[Finding] = []
    data = attempt(
        found, "source-log-damaged", first, lambda: logs.files.read(first, limit_bytes=1 << 30)
    )
    if (data is not None and _is_file_log(data)) or len(chain.needed) > 1:
        yield from _file_source(logs, folder, chain)
        yield from _blocked(folder, names, after=chain.latest)
        return
    if data is not None and data.startswith(b"\0"):  # Kafka's; rate sources keep a plain text
        attempt(
            found, "source-log-damaged", first, lambda: log.parse_kafka_initial(data, name=first)
        )
    elif data == b"":
        found.append(finding("source-log-damaged", first, f'"{first}" is empty'))
    for item in found:
        # With an offset log the first offsets are only looked at when a partition is new.
        effect = Effect.STARTS if logs.start is not None else item.effect
        yield item if item.code == "unreadable" else replace(item, effect=effect)


def _is_file_log(data: bytes) -> bool:
    lines = data.split(b"\n", 2)
    return len(lines) > 1 and lines[0] == b"v1" and b'"path"' in lines[1]


def _file_source(logs: Logs, folder: str, chain: filelog.LogChain) -> Iterator[Finding]:
    for number in chain.missing:
        yield finding("source-log-hole", f"{folder}/{number}", f"entry {number} is missing")
    found: list[Finding] = []
    for name in chain.needed:
        path = f"{folder}/{name}"
        attempt(
            found,
            "source-log-damaged",
            path,
            lambda path=path: filelog.parse_file_log(  # type: ignore[misc]
                logs.files.read(path, limit_bytes=1 << 30), name=path
            ),
        )
        yield from check_sum_if_any(logs.files, path)
    for item in found:
        yield item if item.code == "unreadable" else replace(item, effect=Effect.FAILS)


def _blocked(folder: str, names: Iterable[str], *, after: int | None) -> Iterator[Finding]:
    """Checksums of entries to come, over which the rename of the new entry stumbles."""
    there = set(names)
    for name in sorted(there):
        owner = layout.sidecar_of(name) or ""
        entry = filelog.log_batch(owner)
        if entry is not None and owner not in there and entry[0] > (-1 if after is None else after):
            yield finding("sidecar-blocks", f"{folder}/{name}", f"{owner} cannot be written")


def look_at_sink(logs: Logs, sink: Files, *, newest_state: int) -> Iterator[Finding]:
    """The file sink's log against the commit log.

    Args:
        logs: of `verify.logs.look`.
        sink: the output directory.
        newest_state: newest state version there is; 0 without state. A batch that the sink skips
            is not run, so it writes no state either.

    Raises:
        FileNotFoundError: a file vanished since the listing.
    """
    folder = layout.SINK_LOG
    names = listing(sink, folder)
    chain = filelog.chain(names)
    yield from _blocked(folder, names, after=chain.latest)
    planned = logs.start.planned if logs.start else -1
    committed = logs.committed[-1] if logs.committed else -1
    if chain.latest is None:
        if committed >= 0:
            yield finding("sink-behind", folder, "the sink's log is empty or not there")
        return
    newest = f"{folder}/{chain.needed[-1]}" if chain.needed else folder
    if chain.latest > planned:
        detail = f"the sink has batch {chain.latest}, and batch {planned} is the newest planned"
        no_state = logs.has_state and newest_state <= planned + 1
        effect = Effect.FAILS if no_state else Effect.WRONG
        yield finding("sink-ahead", newest, detail, effect=effect)
    if chain.latest < committed:
        detail = f"the sink has batch {chain.latest}, and batch {committed} is committed"
        yield finding("sink-behind", newest, detail)
    for number in chain.missing:
        yield finding("sink-log-hole", f"{folder}/{number}", f"entry {number} is missing")
    found: list[Finding] = []
    for name in chain.needed:
        path = f"{folder}/{name}"
        attempt(
            found,
            "sink-log-damaged",
            path,
            lambda path=path: filelog.parse_file_log(  # type: ignore[misc]
                sink.read(path, limit_bytes=1 << 30), name=path
            ),
        )
    yield from found
