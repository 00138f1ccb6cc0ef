"""`checkpoint inspect` against `find`, and against Spark's own reader of state metadata.

Spark's JVM start counts: an operator waits for it.
"""

import subprocess
import sys
import time
from functools import partial

from scripts.benchmarks.compare import Goal, Result, alternate, tell
from scripts.benchmarks.stage import REPOSITORY, STREAMCTL, Stage
from tests import big

SIZES = ((200, 1, 100), (200, 3, 100), (200, 3, 25))
"""Partitions, operators, versions."""

SPARK_READS = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
spark.streams.active  # makes the coordinator of state stores, which the reader asks for
spark.read.format("state-metadata").load(sys.argv[1]).collect()
spark.read.format("statestore").load(sys.argv[1]).groupBy("partition_id").count().collect()
"""


def run(stage: Stage, runs: int) -> Result:
    """Spark reads the smallest of the checkpoints only."""
    figures, goals = [], []
    for number, (partitions, operators, versions) in enumerate(SIZES):
        with stage.place() as place:
            root = place / "checkpoint"
            tell("a large checkpoint is made")
            count = big.make(root, partitions=partitions, operators=operators, versions=versions)
            mark = f"{count:,} files"
            commands = {
                f"find, {mark}": ["find", str(root), "-type", "f", "-printf", "%s\n"],
                f"inspect, {mark}": [*STREAMCTL, "checkpoint", "inspect", str(root), "-o", "json"],
            }
            goals.append(Goal(ours=f"inspect, {mark}", other=f"find, {mark}", bound=6))
            if number == 0:
                commands[f"Spark, {mark}"] = [sys.executable, "-c", SPARK_READS, str(root)]
                faster = Goal(
                    ours=f"Spark, {mark}", other=f"inspect, {mark}", bound=40, at_most=False
                )
                goals.append(faster)
            sides = {name: partial(timed, name, command) for name, command in commands.items()}
            figures += alternate(sides, runs)
    return Result(name="inspect: a large checkpoint", figures=figures, goals=goals)


def timed(name: str, command: list[str]) -> dict[str, float]:
    """Seconds of one call."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False, text=True)
    if done.returncode not in {0, 3}:
        raise RuntimeError(done.stderr.strip()[-2000:])
    return {name: time.perf_counter() - began}
