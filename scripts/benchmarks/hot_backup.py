"""What backups cost a running query: the times of its batches with one every five seconds.

The query is the same, at full speed, in one warm Spark; the two sides alternate. The backup runs
as a user's does, as a process of its own, to the same disk.
"""

import statistics
import subprocess
import time
from functools import partial
from itertools import count
from pathlib import Path

from scripts.benchmarks.compare import Goal, Result, alternate, tell
from scripts.benchmarks.stage import REPOSITORY, STREAMCTL, Stage
from tests.warm import FLAVOURS, Warm, committed

SECONDS = 40.0
EVERY_SECONDS = 5.0
WARM_BATCHES = 10
ROWS = 2000
GOALS = {"p50": 1.02, "p99": 1.10}
WITH, WITHOUT = "with a backup every 5 s", "without"


def run(stage: Stage, runs: int) -> Result:
    """Both sides; two figures of each."""
    warm, numbers = Warm.start(), count()
    sides = {
        name: partial(_leg, stage, warm, numbers, name, backups=name == WITH)
        for name in (WITHOUT, WITH)
    }
    try:
        figures = alternate(sides, runs, unit="ms", more_is_better=False)
    finally:
        warm.spark.stop()
    return Result(
        name=f"hot backup: batch times of a running query, {SECONDS:.0f} s a leg",
        figures=figures,
        goals=[
            Goal(ours=f"{name} {WITH}", other=f"{name} {WITHOUT}", bound=bound)
            for name, bound in GOALS.items()
        ],
        notes=[f"Windows per key in RocksDB with changelog, {ROWS:,} records a batch."],
    )


def _leg(
    stage: Stage, warm: Warm, numbers: "count[int]", side: str, *, backups: bool
) -> dict[str, float]:
    place = stage.scratch / f"hot-{next(numbers)}"
    checkpoint = place / "checkpoint"
    query = warm.windows(checkpoint, place / "out", rows=ROWS, conf=FLAVOURS["rocksdb-changelog"])
    try:
        while committed(checkpoint) < WARM_BATCHES:
            time.sleep(0.1)
        first = query.lastProgress["batchId"]
        _watch(checkpoint, place / "backups", backups=backups)
        spent = [
            progress["durationMs"]["triggerExecution"]
            for progress in query.recentProgress
            if progress["batchId"] > first
        ]
    finally:
        query.stop()
    tell(f"{side}: {len(spent)} batches")
    quantiles = statistics.quantiles(spent, n=100)
    return {f"p50 {side}": quantiles[49], f"p99 {side}": quantiles[98]}


def _watch(checkpoint: Path, repository: Path, *, backups: bool) -> None:
    until = time.monotonic() + SECONDS
    command = [*STREAMCTL, "backup", "take", str(checkpoint), "--to", str(repository)]
    while (now := time.monotonic()) < until:
        if backups:
            subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
        time.sleep(max(0.0, min(until - time.monotonic(), now + EVERY_SECONDS - time.monotonic())))
