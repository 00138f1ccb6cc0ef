"""One warm Spark session, and a query whose right result can be computed without Spark.

Event time is made of the value alone, so that batch bounds do not matter: every window of 10
values and every key has as many records as arithmetic says, whatever was rewound in between.
"""

import contextlib
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamctl.checkpoint.tree.reader import Checkpoint

STORE = "spark.sql.streaming.stateStore."
ROCKSDB = STORE + "providerClass"
PROVIDER = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
FLAVOURS: dict[str, dict[str, str]] = {
    "hdfs": {},
    "rocksdb": {ROCKSDB: PROVIDER},
    "rocksdb-changelog": {
        ROCKSDB: PROVIDER,
        STORE + "rocksdb.changelogCheckpointing.enabled": "true",
    },
    "rocksdb-format-2": {
        ROCKSDB: PROVIDER,
        STORE + "rocksdb.changelogCheckpointing.enabled": "true",
        STORE + "checkpointFormatVersion": "2",
    },
    "rocksdb-format-2-no-changelog": {
        ROCKSDB: PROVIDER,
        STORE + "checkpointFormatVersion": "2",
    },
}
KEYS = 5
WINDOW_SECONDS = 10
DELAY_SECONDS = 20
EPOCH = 1_700_000_000
REST_SECONDS = 1.5


@dataclass
class Warm:
    """A session for many queries, one after the other."""

    spark: Any

    @classmethod
    def start(cls) -> "Warm":
        """A JVM with two cores and a small heap."""
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master("local[2]").appName("warm")
        for key, value in {
            "spark.driver.memory": "1g",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.session.timeZone": "UTC",
            # Snapshots of abandoned batches are what a naive rewind trips over: make many.
            STORE + "maintenanceInterval": "500ms",
            STORE + "minDeltasForSnapshot": "2",
            "spark.sql.streaming.fileSink.log.compactInterval": "5",
        }.items():
            builder = builder.config(key, value)
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("OFF")
        return cls(spark)

    def windows(self, checkpoint: Path, output: Path, *, rows: int, conf: dict[str, str]) -> Any:
        """Start windows per key to Parquet files, `rows` records a batch."""
        from pyspark.sql import functions as F  # noqa: N812

        self._set(conf)
        at = F.timestamp_seconds(F.lit(EPOCH) + F.col("value"))
        frame = (
            self._ticks(rows)
            .withColumn("at", at)
            .withColumn("key", F.col("value") % KEYS)
            .withWatermark("at", f"{DELAY_SECONDS} seconds")
            .groupBy(F.window("at", f"{WINDOW_SECONDS} seconds"), "key")
            .agg(F.count("*").alias("records"), F.sum("value").alias("total"))
            .select(F.unix_timestamp("window.start").alias("start"), "key", "records", "total")
        )
        return self._write(frame, checkpoint, output)

    def values(self, checkpoint: Path, output: Path, *, rows: int) -> Any:
        """Start a copy of every value to Parquet files."""
        self._set({})
        return self._write(self._ticks(rows).select("value"), checkpoint, output)

    def _set(self, conf: dict[str, str]) -> None:
        for key in {key for flavour in FLAVOURS.values() for key in flavour}:
            self.spark.conf.unset(key)  # of the query before
        for key, value in conf.items():
            self.spark.conf.set(key, value)

    def _ticks(self, rows: int) -> Any:
        return (
            self.spark.readStream.format("rate-micro-batch")
            .option("rowsPerBatch", rows)
            .option("numPartitions", 1)
            .option("startTimestamp", EPOCH * 1000)
            .option("advanceMillisPerBatch", 1000)
            .load()
        )

    @staticmethod
    def _write(frame: Any, checkpoint: Path, output: Path) -> Any:
        return (
            frame.writeStream.format("parquet")
            .option("path", str(output))
            .option("checkpointLocation", str(checkpoint))
            .trigger(processingTime="0 seconds")
            .start()
        )

    def read(self, output: Path) -> list[Any]:
        """All rows of an output, as a reader that goes by the sink's log sees them."""
        return self.spark.read.parquet(str(output)).collect()


def run_until(query: Any, checkpoint: Path, batch_id: int, *, seconds: float = 120) -> str:
    """Wait for a committed batch, stop, wait until files are at rest.

    Returns:
        What the query died of; "" when it lived.
    """
    limit = time.monotonic() + seconds
    error = ""
    while time.monotonic() < limit:
        if not query.isActive:
            error = str(query.exception())
            break
        if committed(checkpoint) >= batch_id:
            break
        time.sleep(0.05)
    else:
        error = f"batch {batch_id} was not committed in {seconds} s"
    with contextlib.suppress(Exception):
        query.stop()
    time.sleep(REST_SECONDS)
    return error


def committed(checkpoint: Path) -> int:
    """The last committed batch; -1 for none."""
    try:
        ids = Checkpoint.open(str(checkpoint)).log_ids().committed
    except Exception:  # noqa: BLE001 - not there yet
        return -1
    return ids[-1] if ids else -1


def moved(checkpoint: Path, number: int) -> Path:
    """The checkpoint at a new path: this JVM still holds the stores of the old one in memory."""
    target = checkpoint.with_name(f"{checkpoint.name.split('@')[0]}@{number}")
    shutil.copytree(checkpoint, target)
    shutil.rmtree(checkpoint)
    return target


def wrong_windows(rows: list[Any]) -> list[str]:
    """Every window that was written, against arithmetic: each once, none missing between."""
    wrong = []
    seen = Counter((row["start"], row["key"]) for row in rows)
    wrong += [f"window {key} {count} times" for key, count in seen.items() if count > 1]
    starts = sorted({start for start, _ in seen})
    for start in range(starts[0], starts[-1] + 1, WINDOW_SECONDS) if starts else ():
        for key in range(KEYS):
            if (start, key) not in seen and start + WINDOW_SECONDS > EPOCH:
                wrong.append(f"window {start} key {key} is missing")
    for row in rows:
        values = [
            value
            for value in range(max(0, row["start"] - EPOCH), row["start"] - EPOCH + WINDOW_SECONDS)
            if value % KEYS == row["key"]
        ]
        if (row["records"], row["total"]) != (len(values), sum(values)):
            wrong.append(f"window {row['start']} key {row['key']}: {row['records']} records")
    if starts and starts[0] > EPOCH - EPOCH % WINDOW_SECONDS:
        wrong.append(f"the first window is {starts[0]}")
    return wrong


def wrong_values(rows: list[Any]) -> list[str]:
    """Every value once, from 0 on."""
    seen = Counter(row["value"] for row in rows)
    wrong = [f"value {value} {count} times" for value, count in seen.items() if count > 1]
    return wrong + [
        f"value {value} is missing" for value in range(max(seen, default=0)) if value not in seen
    ]
