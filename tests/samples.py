"""Samples of a job that nobody runs, for what judges and shows them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from streamctl.lag.model import LagFinding, LagReport, PartitionLag, QueryLag, Rates, State
from streamctl.observe.machine import Disk, Processes
from streamctl.observe.model import QuerySample, Sample
from streamctl.observe.sizes import Usage
from streamctl.observe.status import QueryStatus, StatusReport
from streamctl.reports import Verdict, iso
from streamctl.resilience.breaker import closed
from streamctl.rundir.records import Desired, Observed

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GIB = 1 << 30


def progress_line(batch_id: int, *, at: datetime, query: str = "windows", **more: Any) -> bytes:
    """A line as the driver writes it."""
    line = {
        "at": iso(at),
        "run_id": "r",
        "attempt": 1,
        "generation": "0001",
        "kind": "progress",
        "query": query,
        "batch_id": batch_id,
        "timestamp": iso(at),
        "duration_ms": {"triggerExecution": 800, "addBatch": 500},
        "input_rows": 60,
        "output_rows": 6,
        "watermark": iso(at - timedelta(minutes=10)),
        "late_rows": 1,
        "rejected": {"invalid_json": {"count": 3, "sample": None}},
        "dead_letters": 3,
        "jvm": {"heap_bytes": 100, "heap_max_bytes": 1000},
        "totals": {"input_rows": 60, "late_rows": 1, "rejected_rows": {}, "dead_letters": 3},
        "sources": [],
        "state": [{"operator": "stateStoreSave", "rows": 7, "memory_bytes": 70}],
        "observed": {},
    } | more
    return json.dumps(line).encode() + b"\n"


def status(**changes: Any) -> StatusReport:
    found = StatusReport(
        verdict=Verdict.OK,
        reasons=[],
        desired=Desired.RUNNING,
        observed=Observed.RUNNING,
        job="jobs.telemetry:TelemetryJob",
        run_id="r",
        attempt=1,
        attempts_left=3,
        restarts=0,
        uptime_seconds=60.0,
        supervisor_pid=1,
        driver_pid=2,
        standby_pid=None,
        next_attempt_at=None,
        generation="0001",
        checkpoint_location="/c",
        master="local[*]",
        backup=None,
        breaker=closed(NOW),
        url="http://127.0.0.1:1/",
        queries=[QueryStatus(name="windows", committed_batch_id=9, rejected_rows={"bad": 3})],
        failure=None,
        losses=[],
        measured_at=NOW,
    )
    return replace(found, **changes)


def lag(
    records: int = 0,
    *,
    seconds: float = 0.0,
    retention: float | None = None,
    findings: list[LagFinding] | None = None,
) -> LagReport:
    part = PartitionLag(
        topic="t",
        partition=0,
        committed=10,
        planned=10,
        log_start=0,
        log_end=10 + records,
        lag_records=records,
        time_lag_seconds=seconds,
        retention_left_seconds=retention,
    )
    query = QueryLag(
        query="windows",
        location="/c/0001/windows",
        verdict=Verdict.OK,
        state=State.OK,
        rule=6,
        reason="",
        completeness=1.0,
        lag_records=records,
        time_lag_seconds=seconds,
        retention_left_seconds=retention,
        skew=None,
        committed_batch_id=9,
        planned_batch_id=9,
        committed_at=NOW,
        rates=Rates(arriving=5.0, processing=6.0),
        partitions=[part],
        findings=findings or [],
    )
    return LagReport(
        verdict=Verdict.OK,
        at=NOW,
        location="/c",
        bootstrap_servers="k:1",
        lag_records=records,
        time_lag_seconds=seconds,
        queries=[query],
    )


def sample(at: datetime = NOW, *, query: dict[str, Any] | None = None, **changes: Any) -> Sample:
    """A healthy one; `query` changes its query, all else the job."""
    measured = changes.pop("lag", lag())
    found = QuerySample(
        name="windows",
        status=QueryStatus(name="windows", committed_batch_id=9, rejected_rows={"bad": 3}),
        lag=measured.queries[0] if measured else None,
        last=None,
        usual_seconds=1.0,
        commit_age_seconds=1.0,
        not_processing_seconds=1.0,
        stall_window_seconds=60.0,
        input_per_second=60.0,
        output_per_second=6.0,
        rejected_per_minute={"bad": 3},
        rejected_share=0.01,
        watermark_delay_seconds=600.0,
        repaired_last_hour=0,
        sizes=[Usage(kind="state", files=3, size_bytes=300)],
    )
    whole = Sample(
        at=at,
        status=changes.pop("status", status()),
        queries=[replace(found, **(query or {}))],
        lag=measured,
        lag_problem="" if measured else "no answer",
        disks=[Disk(place="checkpoint", path="/c", free_bytes=2 * GIB, total_bytes=9 * GIB)],
        processes=Processes(resident_bytes=5, cpu_seconds=1.0, count=2, frozen=False),
    )
    return replace(whole, **changes)
