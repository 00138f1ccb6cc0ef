"""Answers the question behind every backup: would the job start from it?

The backup is restored to a scratch place, and the real driver with the real code runs one small
batch of each query from there, against Kafka, with its output thrown away.
"""

import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamctl.checkpoint.backup.format import Manifest
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.change.restore import location_area, restore_generation
from streamctl.checkpoint.location.store import Store
from streamctl.errors import DeadlinePassed
from streamctl.lifecycle.restoring import wanted_by
from streamctl.reports import Event, OnEvent, Verdict, iso, worst
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.files import replace_file
from streamctl.rundir.records import Failure
from streamctl.settings.model import Settings
from streamctl.supervisor.attempt import Attempts
from streamctl.supervisor.logs import JobLog, pump

RECORDS = 100
_LOOK_SECONDS = 0.2


_COMPACT_INTERVAL = "spark.sql.streaming.fileSink.log.compactInterval"
"""What goes to files instead of a topic has a log that begins at the backup: a compaction would
miss the batches before. A log that was restored keeps its own interval
(Spark `CompactibleFileStreamLog.deriveCompactInterval`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrilledQuery:
    """One query.

    Attributes:
        verdict: ok when it committed the batch after the backup's, or found nothing to read.
        backup_batch_id: newest batch of the backup.
        batch_id: that it committed in the drill; None for none.
        records: of that batch.
    """

    name: str
    verdict: Verdict
    backup_batch_id: int
    batch_id: int | None
    records: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What became of the drill.

    Attributes:
        failure: why the driver failed; None when it did not.
    """

    verdict: Verdict
    id: str
    seconds: float
    queries: list[DrilledQuery]
    failure: Failure | None


def drill(
    repository: Repository,
    manifest: Manifest,
    settings: Settings,
    *,
    project: Path,
    patience_seconds: float,
    on_event: OnEvent,
) -> Drill:
    """Restore to a scratch place, and run one batch from there.

    Args:
        repository: of the backup.
        manifest: of the backup.
        settings: of the job.
        project: working directory of the driver.
        patience_seconds: for the driver, from its start to its end.
        on_event: told of each phase.

    Raises:
        Refused: the backup is another job's, or of a bare checkpoint, or is not sound.
        DeadlinePassed: the driver did not end in time.
        StreamctlError: Kafka, Java or storage fail.
    """
    began = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="streamctl-drill-"))
    try:
        tried = _settings(settings, scratch)
        wanted = wanted_by(tried, repository, manifest, keep_rows=False)
        restore_generation(location_area(tried.checkpoint.location), wanted, on_event=on_event)
        run = RunDirectory(scratch / "run")
        _run_driver(run, tried, project, patience_seconds, on_event)
        found = _judged(manifest, run, seconds=time.monotonic() - began)
        when = iso(datetime.now(UTC)) if found.verdict is Verdict.OK else ""
        repository.put_mark(manifest.id, drilled_at=when)
        return found
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _settings(settings: Settings, scratch: Path) -> Settings:
    """The job's settings, with nothing that could be seen outside of the scratch place."""
    values = settings.model_dump()
    changes: dict[str, dict[str, Any]] = {
        "checkpoint": {"location": str(scratch / "checkpoint"), "generation": ""},
        "output": {"location": str(scratch / "output"), "topics": "files"},
        "spark": {"options": settings.spark.options | {_COMPACT_INTERVAL: str(10**9)}},
    }
    for section, fields in changes.items():
        values[section] |= fields
    return Settings.model_validate(values)


def _run_driver(
    run: RunDirectory, settings: Settings, project: Path, patience: float, on_event: OnEvent
) -> None:
    replace_file(run.settings_file, settings.model_dump_json())
    store = Store.open(settings.checkpoint.location)
    attempts = Attempts(run, settings, store, run_id="drill")
    attempts.prepare(1, trial_records=RECORDS)
    log = JobLog(run.logs, max_bytes=settings.log.max_bytes, keep_files=1)
    on_event(Event(message="a driver starts from the restored checkpoint"))
    driver = attempts.spawn(directory=project)
    until = time.monotonic() + patience
    reader: threading.Thread | None = None
    try:
        reader = pump(driver.output, log)
        while driver.poll() is None:
            if time.monotonic() > until:
                raise DeadlinePassed(
                    f"the driver did not end its batch in {patience:.0f} s",
                    hint="Give it longer with --timeout.",
                )
            time.sleep(_LOOK_SECONDS)
    finally:
        ended = driver.poll()
        driver.end_session()
        if reader is not None:
            reader.join(timeout=5)
        attempts.finished(1 if ended is None else ended)
        log.close()


def _judged(manifest: Manifest, run: RunDirectory, *, seconds: float) -> Drill:
    lines = list(run.progress())
    failure = run.read(Failure)
    queries = [_query(query.name, query.batch_id, lines) for query in manifest.queries]
    verdicts = [query.verdict for query in queries]
    return Drill(
        verdict=Verdict.PROBLEM if failure else worst(verdicts) if verdicts else Verdict.UNKNOWN,
        id=manifest.id,
        seconds=round(seconds, 1),
        queries=queries,
        failure=failure,
    )


def _query(name: str, backup_batch_id: int, lines: list[dict[str, Any]]) -> DrilledQuery:
    mine = [line for line in lines if line.get("query") == name]
    batch = next((line for line in mine if line["kind"] == "progress"), None)
    idle = any(line["kind"] == "idle" for line in mine)
    if batch is None:
        verdict = Verdict.OK if idle else Verdict.UNKNOWN
    else:
        verdict = Verdict.OK if batch["batch_id"] == backup_batch_id + 1 else Verdict.PROBLEM
    return DrilledQuery(
        name=name,
        verdict=verdict,
        backup_batch_id=backup_batch_id,
        batch_id=batch["batch_id"] if batch else None,
        records=batch["input_rows"] if batch else None,
    )
