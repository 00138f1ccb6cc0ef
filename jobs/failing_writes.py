"""Device telemetry whose checkpoint writes fail when a file says so.

The failing is Spark's own: `FailureInjectionCheckpointFileManager` of its published tests, set by
`spark.sql.streaming.checkpointFileManagerClass`. It takes its orders from objects of the JVM, so a
thread of the driver carries the file's words there; with a local master the tasks are in the same
JVM. Source: Spark `FailureInjectionCheckpointFileManager.scala`.
"""

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from py4j.protocol import Py4JError
from pyspark.sql import DataFrame

from jobs.job import Context, Query
from jobs.telemetry import TelemetryJob

_LOOK_SECONDS = 0.1
_EVERYWHERE = "/"
_SETTERS = {
    "create": "failureCreateAtomicRegex_$eq",
    "close": "createAtomicDelayCloseRegex_$eq",
}
"""When a write fails -> the setter of the patterns of paths that do."""


class FailingWritesJob(TelemetryJob):
    """The same windows and dead letters; option `faults` names the file."""

    options: ClassVar[Mapping[str, str]] = {**TelemetryJob.options, "faults": ""}

    def queries(self, records: DataFrame, context: Context) -> list[Query]:
        """Build the queries of telemetry, and begin to follow the file."""
        jvm: Any = records.sparkSession._jvm  # noqa: SLF001 - the only way to Spark's objects
        follow = (jvm, _injection(jvm), Path(context.options["faults"]))
        threading.Thread(target=_follow, args=follow, daemon=True).start()
        return super().queries(records, context)


def _injection(jvm: Any) -> Any:
    """The state for all paths; it is registered once in a JVM."""
    system = jvm.org.apache.spark.sql.execution.streaming.state.FailureInjectionFileSystem
    if system.tempPathToInjectionState().contains(_EVERYWHERE):
        return system.getInjectionState(_EVERYWHERE)
    return system.registerTempPath(_EVERYWHERE)


def _follow(jvm: Any, injection: Any, faults: Path) -> None:
    """Set the patterns as the file has them; without a file, none."""
    before: dict[str, list[str]] = {}
    while True:
        wanted = json.loads(faults.read_text("utf-8")) if faults.exists() else {}
        if wanted != before:
            try:
                for when, setter in _SETTERS.items():
                    patterns = jvm.PythonUtils.toSeq(wanted.get(when, []))
                    getattr(injection, setter)(patterns)
            except (Py4JError, OSError):
                return  # the JVM is gone
            before = wanted
        time.sleep(_LOOK_SECONDS)
