"""Device telemetry: windows per device to Parquet, what cannot count to the dead letter topic."""

from collections.abc import Mapping
from typing import ClassVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.dead_letters import dead_letters
from jobs.job import Context, Counted, Job, Parquet, Query, Rule
from jobs.lateness import observe_windows
from jobs.transforms import judge, valid

_RANGES = {
    "battery_level": (0, 100),  # %
    "signal_strength": (-150, 0),  # dBm
    "latitude": (-90, 90),
    "longitude": (-180, 180),
}


class TelemetryJob(Job):
    """Count and summarize each device's records in tumbling windows of event time."""

    name = "telemetry"
    schema = (
        "device_id STRING NOT NULL, event_timestamp TIMESTAMP NOT NULL,"
        " battery_level DOUBLE NOT NULL, signal_strength DOUBLE NOT NULL,"
        " latitude DOUBLE NOT NULL, longitude DOUBLE NOT NULL, duration_seconds DOUBLE NOT NULL"
    )
    options: ClassVar[Mapping[str, str]] = {"allowed_clock_skew": "5 minutes"}

    def rules_for(self, context: Context) -> tuple[Rule, ...]:
        """The rules; how far a device's clock may be ahead of Kafka's is an option."""
        skew = context.options["allowed_clock_skew"].replace("'", "")
        return (
            *(
                Rule(reason=f"out_of_range:{name}", broken=f"{name} NOT BETWEEN {low} AND {high}")
                for name, (low, high) in _RANGES.items()
            ),
            Rule(reason="invalid_duration", broken="duration_seconds NOT BETWEEN 0 AND 86400"),
            Rule(
                reason="timestamp_in_future",
                broken=f"event_timestamp > timestamp + INTERVAL '{skew}'",
            ),
        )

    def queries(self, records: DataFrame, context: Context) -> list[Query]:
        """Build `windows` and `dead_letters`."""
        rules = self.rules_for(context)
        judged = judge(records, self.schema, rules)
        timed = (
            valid(judged)
            .withWatermark("event_timestamp", context.stream.watermark)
            .withColumn("window", F.window("event_timestamp", context.stream.window))
        )
        counted = observe_windows(timed, F.col("window"), name="lateness")
        windows = (
            counted.groupBy("window", "device_id")
            .agg(
                F.count("*").alias("records"),
                F.avg("battery_level").alias("battery_level_avg"),
                F.min("battery_level").alias("battery_level_min"),
                F.avg("signal_strength").alias("signal_strength_avg"),
                F.min("signal_strength").alias("signal_strength_min"),
                F.sum("duration_seconds").alias("duration_seconds_sum"),
                F.max("event_timestamp").alias("last_event_timestamp"),
            )
            .select(
                F.col("window.start").alias("window_start"),
                F.col("window.end").alias("window_end"),
                "*",
            )
            .drop("window")
        )
        return [
            Query(
                name="windows",
                frame=windows,
                sink=Parquet(),
                lateness="lateness",
                key=("window_start", "device_id"),
                time="window_start",
                counted=Counted(
                    output="records",
                    state="value.count",
                    state_key=("key.window.start", "key.device_id"),
                ),
            ),
            dead_letters(self, judged, context, rules=rules),
        ]
