"""What a reprocessing has done, read from its checkpoint and from the driver's own counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from streamctl.checkpoint.formats import filelog
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import Malformed
from streamctl.observe.status import newest_lines, query_status
from streamctl.reports import Verdict
from streamctl.reprocess.plan import gone_in
from streamctl.reprocess.request import Range
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryReceipt:
    """One query.

    Attributes:
        batches: committed.
        input_records: read from Kafka, by the offsets of the last committed batch.
        counted_records: of these, what the driver has told of; a killed one may not have told
            of its last batch.
        late_records: whose window was closed when they came; None when not all were counted.
        rejected_records: reason -> records, of those that were counted.
        output_files, output_bytes: by the file sink's own log; None without one.
    """

    name: str
    batches: int
    input_records: int
    counted_records: int
    late_records: int | None
    rejected_records: dict[str, int] = field(default_factory=dict)
    output_files: int | None = None
    output_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A finished reprocessing.

    Attributes:
        outcome: `done`, or `already_done` when the same command had ended before.
        seconds: from the first batch to the last, over interruptions.
        records_per_second: input of the slowest query over that time.
        ranges: what was asked for; a run without a bound may have read past their ends.
    """

    outcome: str
    verdict: Verdict
    generation: str
    run_id: str
    output: str
    ranges: list[Range]
    gone: int | None
    seconds: float
    records_per_second: float | None
    restarts: int
    queries: list[QueryReceipt]


def take(run: RunDirectory, status: Status, *, output: str, ranges: list[Range]) -> Receipt:
    """Write the receipt of a run that has reached its end."""
    lines = newest_lines(run.progress_file)
    starts = {(part.topic, part.partition): part.start for part in ranges}
    queries = [_query(status, name, lines.get(name), output, starts) for name in status.queries]
    seconds = _seconds(run, status.generation)
    least = min((query.input_records for query in queries), default=0)
    return Receipt(
        outcome="done",
        verdict=Verdict.OK,
        generation=status.generation,
        run_id=status.run_id,
        output=output,
        ranges=ranges,
        gone=gone_in(ranges),
        seconds=round(seconds, 3),
        records_per_second=round(least / seconds, 1) if seconds else None,
        restarts=status.restarts,
        queries=queries,
    )


def _query(
    status: Status,
    name: str,
    line: dict[str, Any] | None,
    output: str,
    starts: Mapping[tuple[str, int], int],
) -> QueryReceipt:
    known = query_status(status, name, line)
    location = f"{status.checkpoint_location.rstrip('/')}/{status.generation}/{name}"
    position = Checkpoint.open(location).position()
    files, size = _output(f"{output.rstrip('/')}/{name}")
    read = sum(
        offset - starts.get((topic, partition), 0)
        for source in position.committed
        for topic, partitions in (source.kafka or {}).items()
        for partition, offset in partitions.items()
    )
    counted = known.total_rows or 0
    return QueryReceipt(
        name=name,
        batches=0 if position.committed_batch_id is None else position.committed_batch_id + 1,
        input_records=read,
        counted_records=counted,
        late_records=known.late_rows if counted >= read else None,
        rejected_records=known.rejected_rows,
        output_files=files,
        output_bytes=size,
    )


def _seconds(run: RunDirectory, generation: str) -> float:
    """Time in which it ran: from the first line of each attempt to its last."""
    spans: dict[tuple[str, int], list[datetime]] = {}
    for line in run.progress():
        if line["generation"] == generation and line["kind"] in {"launched", "progress"}:
            spans.setdefault((line["run_id"], line["attempt"]), []).append(
                datetime.fromisoformat(line["at"])
            )
    return sum((moments[-1] - moments[0]).total_seconds() for moments in spans.values())


def _output(location: str) -> tuple[int | None, int | None]:
    """Files and bytes that the file sink's log names; None for a query without that sink."""
    files = Files(f"{location}/{layout.SINK_LOG}")
    try:
        names = {entry.name for entry in files.entries(details=False)}
    except (FileNotFoundError, Malformed):
        return None, None
    found = [
        entry
        for name in filelog.chain(names).needed
        for entry in filelog.parse_file_log(files.read(name), name=name)
    ]
    return len(found), sum(int(entry.fields.get("size", 0)) for entry in found)
