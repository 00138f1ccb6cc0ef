"""A topic's history: `streamctl reprocess` against Spark's `availableNow` by itself.

Both sides run the same queries of the same job with the same batches, heap and processors, from
the command to its end, the JVM's start included. Ours also plans, supervises, counts and proves.
"""

import subprocess
import sys
import time
from functools import cache, partial

from scripts.benchmarks import bare_job
from scripts.benchmarks.compare import Goal, Result, alternate, tell
from scripts.benchmarks.stage import Stage
from streamctl.jars import connector_jars
from streamctl.settings.model import Settings, SparkSettings

RECORDS = 3_000_000
BATCH_RECORDS = 100_000
GOAL = 0.95
OURS, BARE = "records/s, streamctl reprocess", "records/s, availableNow by itself"
_PATIENCE_SECONDS = 1200


def run(stage: Stage, runs: int) -> Result:
    """Both sides over the same topic."""
    sides = {OURS: partial(_ours, stage), BARE: partial(_bare, stage)}
    return Result(
        name=f"reprocess: {RECORDS:,} records from earliest",
        figures=alternate(sides, runs, unit="", more_is_better=True),
        goals=[Goal(ours=OURS, other=BARE, bound=GOAL, at_most=False)],
        notes=["No live job runs beside; ours with --nice 0."],
    )


def _ours(stage: Stage) -> dict[str, float]:
    kafka = {"bootstrap_servers": stage.servers, "topic": _history(stage)}
    with stage.project(kafka=kafka) as project:
        flags = ("--batch-records", str(BATCH_RECORDS), "--nice", "0")
        began = time.perf_counter()
        done = project("reprocess", *flags, "-o", "json", timeout=_PATIENCE_SECONDS)
        took = time.perf_counter() - began
        if done.exit_code:
            raise RuntimeError(done.stderr.strip()[-2000:])
        if any(query["input_records"] != RECORDS for query in done.data["queries"]):
            raise RuntimeError(f"not all was read: {done.data['queries']}")
        return {OURS: RECORDS / took}


def _bare(stage: Stage) -> dict[str, float]:
    conf = bare_job.COMMON | _session_options() | bare_job.local_jars()
    command = [sys.executable, str(bare_job.JOB.with_name("history.py"))]
    with stage.place() as place:
        began = time.perf_counter()
        with bare_job.process(
            stage, place, command, conf, topic=_history(stage), batch_records=BATCH_RECORDS
        ) as process:
            try:
                code = process.wait(_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                code = -1
        took = time.perf_counter() - began
        if code:
            raise RuntimeError((place / "bare.log").read_text()[-2000:])
        return {BARE: RECORDS / took}


def _session_options() -> dict[str, str]:
    """What the job's queries need of a session, and the same state store as ours."""
    from jobs.session import session_options
    from streamctl.rundir.records import Launch

    launch = Launch(
        run_id="", attempt=1, generation="", checkpoint_base="", output_base="",
        starting_offsets="", jars=[str(path) for path in connector_jars()],
    )  # fmt: skip
    return session_options(Settings(spark=SparkSettings(master="local[2]")), launch)


@cache
def _history(stage: Stage) -> str:
    """A topic of its own, filled once."""
    tell(f"{RECORDS:,} records are produced")
    return stage.fill("history", records=RECORDS)
