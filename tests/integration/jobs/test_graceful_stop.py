"""Stops at random moments under back-to-back batches interrupt none.

Offsets equal commits, or one further batch was planned and not begun: its stop came in between.
"""

import os
import random
import time
from pathlib import Path

import pytest
from pyspark.sql import functions as F  # noqa: N812

from jobs.spark_query import SparkExecution, watermark_before
from jobs.stop import How, stop_after_batch

pytestmark = pytest.mark.integration
STOPS = int(os.environ.get("STREAMCTL_STOPS", "6"))


def batch_ids(checkpoint: Path, log: str) -> list[int]:
    folder = checkpoint / log
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    return sorted(int(name) for name in names if name.isdigit())


def begun(checkpoint: Path, *, version: int) -> list[Path]:
    """State files of the batch after the last committed one."""
    return [
        path
        for path in checkpoint.glob("state/*/*/*")
        if path.name.split(".")[0].split("_")[0] == str(version)
    ]


def start(spark, base: Path, name: str, trigger: str):
    frame = (
        spark.readStream.format("rate-micro-batch")
        .option("rowsPerBatch", 200)
        .option("numPartitions", 2)
        .option("advanceMillisPerBatch", 30_000)
        .load()
        .withWatermark("timestamp", "1 minute")
        .groupBy(F.window("timestamp", "1 minute"), F.col("value") % 7)
        .count()
    )
    return (
        frame.writeStream.queryName(name)
        .format("parquet")
        .option("path", str(base / "out" / name))
        .option("checkpointLocation", str(base / name))
        .trigger(processingTime=trigger)
        .start()
    )


@pytest.mark.timeout(900 + 30 * STOPS)
@pytest.mark.parametrize("trigger", ["0 seconds", "2 seconds"])
def test_no_batch_is_interrupted_by_a_stop(spark, tmp_path, trigger):
    chance = random.Random(7)
    batches = 0
    for _ in range(STOPS):
        queries = [start(spark, tmp_path, name, trigger) for name in ("one", "two")]
        time.sleep(chance.uniform(0, 4))
        how = stop_after_batch([SparkExecution(query) for query in queries], stop_now=lambda: False)
        assert how == [How.AFTER_BATCH, How.AFTER_BATCH]
        assert [query.exception() for query in queries] == [None, None]
        for name in ("one", "two"):
            planned = batch_ids(tmp_path / name, "offsets")
            committed = batch_ids(tmp_path / name, "commits")
            assert planned[: len(committed)] == committed
            assert len(planned) - len(committed) <= 1
            assert not begun(tmp_path / name, version=committed[-1] + 2 if committed else 1)
            batches = max(batches, len(planned))
    assert batches > STOPS / 2


def test_now_interrupts(spark, tmp_path):
    query = start(spark, tmp_path, "now", "0 seconds")
    how = stop_after_batch([SparkExecution(query)], stop_now=lambda: True)
    assert how == [How.INTERRUPTED]
    assert not query.isActive


def test_the_watermark_of_the_batch_before_is_in_the_offset_log(spark, tmp_path):
    query = start(spark, tmp_path, "wm", "0 seconds")
    while (query.lastProgress or {"batchId": 0})["batchId"] < 5:
        time.sleep(0.1)
    stop_after_batch([SparkExecution(query)], stop_now=lambda: False)
    last = query.lastProgress["batchId"]
    planned = (tmp_path / "wm" / "offsets" / str(last - 1)).read_text().splitlines()[1]
    assert f'"batchWatermarkMs":{watermark_before(query, last)},' in planned
    assert watermark_before(query, 0) == 0
