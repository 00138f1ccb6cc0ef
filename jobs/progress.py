"""What each micro-batch did: one line in `progress.jsonl`, one line in the log.

A `progress` line has `query`, `query_id`, `spark_run_id`, `batch_id`, `timestamp`,
`duration_ms` (by phase), `input_rows`, `input_rows_per_second`, `processed_rows_per_second`,
`output_rows` (null when the sink does not tell), `sink` (as Spark describes it), `watermark`
(null without one), `late_rows` (null when not known), `rejected` (reason -> `count` of records
and one `sample`), `dead_letters` (records rejected, each counted once), `totals` (of the query in
this generation, see `jobs/totals.py`), `sources`, `state`, `jvm` (the driver's heap), `observed`
(metrics of the job's own, by observation), and `bound_rows` (records of each source that the
batch was allowed, see `jobs/catch_up.py`) with `catching_up`.

Source: Spark `StreamingQueryProgress`.
"""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)

from jobs.catch_up import CatchUp
from jobs.ending import Ending
from jobs.lateness import late_records
from jobs.quality import OBSERVATION, rejected_records, rejects
from jobs.totals import Totals
from streamctl.reports import iso
from streamctl.rundir.files import append_whole


class ProgressFile:
    """Appends lines; one old file is kept beside.

    Args:
        path: of `progress.jsonl`; the old one has `.1` behind its name.
        max_bytes: a file as large is put aside before the next line.
        bound: stands on every line.
    """

    def __init__(self, path: Path, *, max_bytes: int, bound: Mapping[str, Any]) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._bound = dict(bound)
        self._lock = threading.Lock()

    def write(self, kind: str, **fields: Any) -> None:
        """Append one line in one call, so that a reader sees a whole line or none.

        Raises:
            OSError: the disk is full.
        """
        line = {"at": iso(datetime.now(UTC)), **self._bound, "kind": kind, **fields}
        text = json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n"
        with self._lock:  # queries tell that they started on threads of their own
            with suppress(FileNotFoundError):
                if self._path.stat().st_size >= self._max_bytes:
                    self._path.replace(self._path.with_name(self._path.name + ".1"))
            append_whole(self._path, text)


class Listener(StreamingQueryListener):
    """Turns Spark's events into lines. Spark calls it on threads of its own.

    Args:
        file: where lines go.
        log: where they are told.
        lateness: query -> name of its lateness observation.
        totals: query -> counts so far in this generation.
        watermark_before: (query, batch id) -> the watermark planned for the batch before, or
            None; asked only for the first batch of a run.
        on_end: called with the name of a query that has ended.
        catch_up: is told of each batch, and bounds the next one.
        ending: is told of each batch, and notices the end of a run that has one.
        heap: tells the heap of the driver's JVM, as `Session.heap` does.
    """

    def __init__(
        self,
        *,
        file: ProgressFile,
        log: structlog.stdlib.BoundLogger,
        lateness: Mapping[str, str],
        totals: Mapping[str, Totals],
        watermark_before: Callable[[str, int], int | None],
        on_end: Callable[[str], None],
        catch_up: CatchUp,
        ending: Ending,
        heap: Callable[[], dict[str, int]],
    ) -> None:
        self._heap = heap
        self._file = file
        self._log = log
        self._lateness = lateness
        self._totals = dict(totals)
        self._watermark_before = watermark_before
        self._on_end = on_end
        self._catch_up = catch_up
        self._ending = ending
        self._names: dict[str, str] = {}
        self._last: dict[str, tuple[int, int | None]] = {}

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802
        """Remember the name: later events have only the run's id."""
        self._names[str(event.runId)] = str(event.name)
        self._write(
            "started",
            query=event.name,
            query_id=str(event.id),
            spark_run_id=str(event.runId),
        )

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        """Write the line of a finished batch."""
        try:
            self._progress(json.loads(event.progress.json))
        except Exception:  # noqa: BLE001  (it would only vanish inside Spark)
            self._log.exception("the progress of a batch could not be written")

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802
        """Asked, and found nothing to read."""
        name = self._names.get(str(event.runId), "")
        self._write("idle", query=name)
        self._ending.idle(name)

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802
        """The last event of a query."""
        name = self._names.get(str(event.runId), "")
        error = (event.exception or "").strip().splitlines()
        self._write("terminated", query=name, error=error[0] if error else None)
        self._on_end(name)

    def _write(self, kind: str, **fields: Any) -> None:
        """A line; what a full disk refuses is told, and whoever waits for the event is not."""
        try:
            self._file.write(kind, **fields)
        except OSError as error:
            self._log.error("not told in progress.jsonl", event_kind=kind, error=str(error))

    def _progress(self, progress: dict[str, Any]) -> None:
        line = summarize(progress)
        late = self._late(progress)
        query, metrics = line["query"], progress.get("observedMetrics") or {}
        rejected = rejects(metrics.get(OBSERVATION))
        dead_letters = rejected_records(metrics.get(OBSERVATION))
        own = {OBSERVATION, self._lateness.get(query)}
        observed = {name: values for name, values in metrics.items() if name not in own}
        totals = self._totals.get(query, Totals()).add(
            batch_id=line["batch_id"],
            input_rows=line["input_rows"],
            late_rows=late if query in self._lateness else 0,
            rejected={reason: reject["count"] for reason, reject in rejected.items()},
            dead_letters=dead_letters,
            repaired_snapshots=_repaired(line),
            skipped=was_skipped(progress),
        )
        self._totals[query] = totals
        self._write(
            "progress",
            **line,
            late_rows=late,
            rejected=rejected,
            dead_letters=dead_letters,
            jvm=self._heap(),
            totals=totals.as_fields(),
            observed=observed,
            bound_rows=self._catch_up.bound(query).records,
            catching_up=self._catch_up.bound(query).catching_up,
        )
        self._tell(line, late, rejected)
        self._catch_up.after(line)
        self._ending.after(line)

    def _tell(
        self, line: dict[str, Any], late: int | None, rejected: dict[str, dict[str, Any]]
    ) -> None:
        """One INFO line a batch, and one WARN line for each reason in it."""
        log = self._log.bind(query=line["query"], batch=line["batch_id"])
        log.info(
            "batch committed",
            input_rows=line["input_rows"],
            output_rows=line["output_rows"],
            late_rows=late,
            duration_ms=line["duration_ms"].get("triggerExecution"),
            watermark=line["watermark"],
        )
        for reason, reject in rejected.items():
            log.warning("records rejected", reason=reason, **reject)
        if late:
            log.warning("records came after their window was closed", count=late)
        if repaired := _repaired(line):
            log.error("Spark repaired state: the checkpoint is damaged", snapshots=repaired)

    def _late(self, progress: dict[str, Any]) -> int | None:
        query, batch = progress["name"], progress["batchId"]
        last = self._last.get(query)
        if query not in self._lateness:
            return None
        now_ms = _watermark_ms(progress)
        self._last[query] = (batch, now_ms)
        if was_skipped(progress):
            return None
        if progress["numInputRows"] == 0:
            return 0
        if last is not None and last[0] == batch - 1:
            before = last[1]
        else:
            before = self._watermark_before(query, batch)
        return late_records(progress["observedMetrics"].get(self._lateness[query]), before)


def was_skipped(progress: Mapping[str, Any]) -> bool:
    """Whether the batch was not run again, because the sink had it before a crash.

    Its offsets span records, nothing was read, and no task opened a state store; so only a query
    with state can be asked. Source: Spark `FileStreamSink.addBatch`, `StateStoreWriter`.
    """
    sources, operators = progress.get("sources") or [], progress.get("stateOperators") or []
    spans = any(s.get("startOffset") not in (None, s.get("endOffset")) for s in sources)
    untouched = all(operator.get("numStateStoreInstances") == 0 for operator in operators)
    return spans and not progress.get("numInputRows") and bool(operators) and untouched


def _repaired(line: Mapping[str, Any]) -> int:
    return sum(operator["snapshots_repaired"] or 0 for operator in line["state"])


def summarize(progress: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what an operator asks for, in our own names."""
    sink = progress.get("sink") or {}
    output_rows = sink.get("numOutputRows", -1)
    watermark_ms = _watermark_ms(progress)
    return {
        "query": progress["name"],
        "query_id": progress["id"],
        "spark_run_id": progress["runId"],
        "batch_id": progress["batchId"],
        "timestamp": progress["timestamp"],
        "duration_ms": progress.get("durationMs") or {},
        "input_rows": progress.get("numInputRows", 0),
        "input_rows_per_second": progress.get("inputRowsPerSecond"),
        "processed_rows_per_second": progress.get("processedRowsPerSecond"),
        "output_rows": None if output_rows < 0 else output_rows,
        "sink": sink.get("description"),
        "watermark": None if not watermark_ms else progress["eventTime"]["watermark"],
        "sources": [_source(source) for source in progress.get("sources") or []],
        "state": [_state(operator) for operator in progress.get("stateOperators") or []],
    }


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "description": source.get("description"),
        "start_offset": source.get("startOffset"),
        "end_offset": source.get("endOffset"),
        "latest_offset": source.get("latestOffset"),
        "input_rows": source.get("numInputRows"),
        "metrics": source.get("metrics") or {},
    }


def _state(operator: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "operator": operator.get("operatorName"),
        "rows": operator.get("numRowsTotal"),
        "rows_updated": operator.get("numRowsUpdated"),
        "rows_removed": operator.get("numRowsRemoved"),
        "partial_rows_dropped_by_watermark": operator.get("numRowsDroppedByWatermark"),
        "memory_bytes": operator.get("memoryUsedBytes"),
        "commit_ms": operator.get("commitTimeMs"),
        "snapshots_repaired": (operator.get("customMetrics") or {}).get("numSnapshotsAutoRepaired"),
    }


def _watermark_ms(progress: Mapping[str, Any]) -> int | None:
    text = (progress.get("eventTime") or {}).get("watermark")
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
