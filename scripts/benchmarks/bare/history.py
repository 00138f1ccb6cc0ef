"""A whole topic through the telemetry job's own queries, by Spark alone: `availableNow`, no runner.

Run with `python history.py`; what it needs stands in the environment.
"""

import os

from pyspark.sql import SparkSession

from jobs.job import Context
from jobs.telemetry import TelemetryJob
from streamctl.settings.model import StreamSettings

builder = SparkSession.builder.appName("bare")
for line in os.environ["BARE_CONF"].splitlines():
    name, _, value = line.partition("=")
    builder = builder.config(name, value)
spark = builder.getOrCreate()
records = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", os.environ["KAFKA_BOOTSTRAP_SERVERS"])
    .option("subscribe", os.environ["KAFKA_TOPIC"])
    .option("startingOffsets", "earliest")
    .option("maxOffsetsPerTrigger", os.environ["BARE_BATCH_RECORDS"])
    .option("includeHeaders", "true")
    .load()
)
context = Context(
    stream=StreamSettings(), dead_letter_topic="", run_id="", options=dict(TelemetryJob.options)
)
running = [
    query.frame.writeStream.format("parquet")
    .option("path", f"{os.environ['BARE_OUTPUT']}/{query.name}")
    .option("checkpointLocation", f"{os.environ['CHECKPOINT_LOCATION']}/{query.name}")
    .trigger(availableNow=True)
    .start()
    for query in TelemetryJob().queries(records, context)
]
for query in running:
    query.awaitTermination()
