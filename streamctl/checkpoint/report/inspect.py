"""What is in a checkpoint: position, sources, watermark, settings, operators, state, the way back.

The number of listings and reads depends on operators and partitions, never on how many batches or
state versions are kept. Counting keys adds one chain of reads per store.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from streamctl.checkpoint.formats.model import CommitEntry, OffsetsEntry
from streamctl.checkpoint.report.model import InspectReport, Rewind, Section
from streamctl.checkpoint.report.operators import Counted, read_operator
from streamctl.checkpoint.report.sources import read_sources
from streamctl.checkpoint.report.usage import files_by_kind, growth, list_tables
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Entry, Files
from streamctl.checkpoint.tree.reader import Checkpoint, again
from streamctl.checkpoint.tree.start import plan_start
from streamctl.checkpoint.tree.state import Operator, rebuildable, scan
from streamctl.errors import Malformed, NotFound, StreamctlError, Unsupported
from streamctl.reports import Verdict

_FORMAT_2 = 2


def inspect(
    checkpoint: Checkpoint,
    *,
    batch_id: int | None = None,
    sections: Collection[Section] = (),
    now: datetime,
) -> InspectReport:
    """Look at a checkpoint, which a query may be writing.

    Args:
        checkpoint: O operators with P partitions: about O * P * 2 listings.
        batch_id: the batch to show; the newest planned one by default.
        sections: what is to be shown; `STATE` counts keys, which reads one chain of each store:
            as of the end of the batch, or of its start while it has no commit.
        now: UTC.

    Raises:
        NotFound: the batch is not in the offset log.
        StreamctlError: storage fails, or files kept vanishing.
    """
    counts = Section.STATE in sections
    report = again(lambda: _inspect(checkpoint, batch_id=batch_id, state=counts, now=now))
    return replace(report, sections=tuple(sorted(sections)))


def _inspect(
    checkpoint: Checkpoint, *, batch_id: int | None, state: bool, now: datetime
) -> InspectReport:
    files = checkpoint.files
    unknown: list[str] = []
    commits = _named(files, layout.COMMITS)
    offsets = _named(files, layout.OFFSETS)
    planned, committed = layout.batch_ids(offsets), layout.batch_ids(commits)
    shown = _shown(batch_id, planned)
    entry = _entry(checkpoint, shown, planned, unknown)
    before = _entry(checkpoint, shown - 1, planned, unknown) if shown else None
    commit = _commit(checkpoint, committed[-1] if committed else None, committed, unknown)
    operators = scan(files)
    tables = list_tables(files, operators)
    state_format = _format(commit, operators)
    versions = {store.path: rebuildable(store) for item in operators for store in item.stores}
    by_ids = state_format == _FORMAT_2
    counted = _counted(checkpoint, shown, committed, by_ids, unknown) if state else None
    reports = tuple(
        read_operator(files, item, versions=versions, counted=counted, unknown=unknown)
        for item in operators
    )
    kinds = files_by_kind(
        files,
        offsets=offsets.values(),
        commits=commits.values(),
        operators=operators,
        tables=tables,
    )
    query_id = _query_id(checkpoint, unknown)
    sources = read_sources(checkpoint, shown, entry=entry, before=before, unknown=unknown)
    start = plan_start(planned, committed)
    newest = commits[str(committed[-1])].modified_seconds if committed else None
    watermark = entry.watermark if entry else None
    return InspectReport(
        verdict=Verdict.UNKNOWN if unknown else Verdict.OK,
        location=checkpoint.location,
        inspected_at=now,
        query_id=query_id,
        planned_batch_id=planned[-1] if planned else None,
        committed_batch_id=committed[-1] if committed else None,
        batch_id=shown,
        batch_in_flight=start is not None and start.runs_again,
        planned_at=entry.planned_at if entry else None,
        committed_age_seconds=None if newest is None else round(now.timestamp() - newest, 3),
        watermark=watermark,
        watermark_behind_seconds=None if watermark is None else (now - watermark).total_seconds(),
        offset_log_version=entry.version if entry else None,
        commit_log_version=commit.version if commit else None,
        state_format_version=state_format,
        sources=sources,
        conf=dict(entry.conf) if entry else {},
        operators=reports,
        files=kinds,
        growth_bytes_per_batch=growth(operators, tables),
        rewind=plan_back(planned, committed, list(versions.values())),
        unknown=tuple(unknown),
        filesystem_calls=files.calls,
    )


def _shown(batch_id: int | None, planned: list[int]) -> int | None:
    if batch_id is None:
        return planned[-1] if planned else None
    if batch_id not in planned:
        raise NotFound(f"batch {batch_id} is not in the offset log", hint=_kept(planned))
    return batch_id


def _counted(
    checkpoint: Checkpoint,
    batch: int | None,
    committed: list[int],
    by_ids: bool,
    unknown: list[str],
) -> Counted | None:
    """The state after a batch, or before it while it has no commit: batch N makes version N+1."""
    if batch is None:
        return None
    made_by = batch if batch in committed else batch - 1
    commit = _commit(checkpoint, made_by, committed, unknown) if by_ids else None
    return Counted(version=made_by + 1, commit=commit, by_ids=by_ids)


def _kept(planned: list[int]) -> str:
    if not planned:
        return "Nothing is planned yet."
    return f"The offset log keeps batches {planned[0]} to {planned[-1]}."


def _named(files: Files, folder: str) -> dict[str, Entry]:
    try:
        return {entry.name: entry for entry in files.entries(folder)}
    except FileNotFoundError:
        return {}


def _entry(
    checkpoint: Checkpoint, batch: int | None, planned: list[int], unknown: list[str]
) -> OffsetsEntry | None:
    if batch is None or batch not in planned:
        return None
    try:
        return checkpoint.offsets(batch)
    except (Malformed, Unsupported) as error:
        unknown.append(error.message)
        return None


def _commit(
    checkpoint: Checkpoint, batch: int | None, committed: list[int], unknown: list[str]
) -> CommitEntry | None:
    if batch is None or batch not in committed:
        return None
    try:
        return checkpoint.commit(batch)
    except (Malformed, Unsupported) as error:
        unknown.append(error.message)
        return None


def _query_id(checkpoint: Checkpoint, unknown: list[str]) -> str | None:
    try:
        found = checkpoint.query_id()
    except StreamctlError as error:
        unknown.append(error.message)
        return None
    if found is None:
        unknown.append(f"{layout.METADATA} is not there, which names the query")
    return found


def _format(commit: CommitEntry | None, operators: tuple[Operator, ...]) -> int | None:
    if commit is None or not operators:
        return None
    return _FORMAT_2 if commit.state_unique_ids or commit.version == _FORMAT_2 else 1


def plan_back(planned: list[int], committed: list[int], versions: list[frozenset[int]]) -> Rewind:
    """The oldest batch that one can go back to: its logs and its state must be there. Pure.

    Args:
        planned: batch ids in the offset log, ascending.
        committed: batch ids in the commit log, ascending.
        versions: per store, the state versions that can be made.
    """
    if not committed:
        return Rewind(oldest_batch_id=None, batches=0, reason="nothing is committed")
    newest = committed[-1]
    entries = set(planned)
    done = set(committed)
    batch, reason = newest, ""
    while not reason:
        reason = _obstacle(batch, entries, done, versions)
        batch -= 0 if reason else 1
    oldest = batch + 1 if batch < newest else None
    if oldest is None:
        return Rewind(oldest_batch_id=None, batches=0, reason=reason)
    return Rewind(oldest_batch_id=oldest, batches=newest - oldest, reason=reason)


def _obstacle(batch: int, entries: set[int], done: set[int], versions: list[frozenset[int]]) -> str:
    if batch < 0:
        return "the first batch"
    if batch not in entries:
        return f"the offset log no longer has batch {batch}"
    if batch and batch - 1 not in entries:
        return f"the offset log no longer has batch {batch - 1}, where batch {batch} begins"
    if batch not in done:
        return f"the commit log does not have batch {batch}"
    if any(batch + 1 not in can for can in versions):
        return f"state version {batch + 1} cannot be made in every partition"
    return ""
