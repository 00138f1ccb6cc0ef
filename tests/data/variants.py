"""Versions of one job, as a project's own code: what a migration goes between."""

from pyspark.sql import functions as F  # noqa: N812

from jobs.job import Job, Parquet, Query


class Counting(Job):
    """Records by window and device."""

    name = "counting"
    fields = "device_id STRING, event_timestamp TIMESTAMP"
    keys = ("window", "device_id")

    def queries(self, records, context):
        value = F.from_json(F.col("value").cast("string"), self.fields)
        timed = (
            records.select(value.alias("data"))
            .select("data.*")
            .withWatermark("event_timestamp", context.stream.watermark)
            .withColumn("window", F.window("event_timestamp", self.window(context)))
        )
        counted = self.checked(timed).groupBy(*self.keys)
        counted = counted.agg(F.count("*").alias("records"), *self.extra())
        start = F.col("window.start").alias("window_start")
        return [
            Query(name="windows", frame=counted.select(start, "*").drop("window"), sink=Parquet())
        ]

    def window(self, context):
        return context.stream.window

    def checked(self, timed):
        return timed

    def extra(self):
        return []


class AddedField(Counting):
    """A field that is read and not kept."""

    fields = "device_id STRING, event_timestamp TIMESTAMP, battery_level DOUBLE"


class RemovedField(Counting):
    """A field that was read is not read any more: another key has to do."""

    fields = "event_timestamp TIMESTAMP"
    keys = ("window",)


class ChangedType(Counting):
    """A key of another type."""

    fields = "device_id BINARY, event_timestamp TIMESTAMP"


class ChangedKey(Counting):
    """Records by window and battery level."""

    fields = "device_id STRING, event_timestamp TIMESTAMP, battery_level DOUBLE"
    keys = ("window", "battery_level")


class ChangedWindow(Counting):
    """Windows of another length."""

    def window(self, context):
        del context
        return "5 minutes"


class AddedAggregate(Counting):
    """One more value in the state."""

    def extra(self):
        return [F.max("event_timestamp").alias("last_event_timestamp")]


class Broken(Counting):
    """The same plan, which fails on every real record."""

    def checked(self, timed):
        nobody = F.coalesce(F.col("device_id") == "nobody", F.lit(True))
        return timed.where(F.assert_true(nobody).isNull())
