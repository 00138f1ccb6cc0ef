"""The windows of the telemetry job as people write it by hand: no quality rules, no supervisor.

Run with `python job.py` or `spark-submit job.py`; what it needs stands in the environment.
"""

import os

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

PROVIDER = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
SCHEMA = (
    "device_id STRING, event_timestamp TIMESTAMP, battery_level DOUBLE, signal_strength DOUBLE,"
    " latitude DOUBLE, longitude DOUBLE, duration_seconds DOUBLE"
)

builder = SparkSession.builder.appName("bare")
for line in os.environ["BARE_CONF"].splitlines():
    name, _, value = line.partition("=")
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.conf.set("spark.sql.streaming.stateStore.providerClass", PROVIDER)
spark.conf.set("spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled", "true")

records = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", os.environ["KAFKA_BOOTSTRAP_SERVERS"])
    .option("subscribe", os.environ["KAFKA_TOPIC"])
    .option("startingOffsets", "earliest")
    .option("maxOffsetsPerTrigger", os.environ["BARE_BATCH_RECORDS"])
    .load()
)
windows = (
    records.select(F.from_json(F.col("value").cast("string"), SCHEMA).alias("record"))
    .select("record.*")
    .where("device_id IS NOT NULL AND event_timestamp IS NOT NULL")
    .withWatermark("event_timestamp", "10 minutes")
    .groupBy(F.window("event_timestamp", "1 minute"), "device_id")
    .agg(
        F.count("*").alias("records"),
        F.avg("battery_level").alias("battery_level_avg"),
        F.min("battery_level").alias("battery_level_min"),
        F.avg("signal_strength").alias("signal_strength_avg"),
        F.min("signal_strength").alias("signal_strength_min"),
        F.sum("duration_seconds").alias("duration_seconds_sum"),
        F.max("event_timestamp").alias("last_event_timestamp"),
    )
)
(
    windows.writeStream.format("parquet")
    .option("path", os.environ["BARE_OUTPUT"])
    .option("checkpointLocation", os.environ["CHECKPOINT_LOCATION"])
    .start()
    .awaitTermination()
)
