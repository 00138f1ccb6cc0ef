"""A job, and what may become of it: each class is a change that an operator may want to deploy."""

from typing import ClassVar

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.job import Context, Job, Parquet, Query


class Counts(Job):
    """Records per key and minute."""

    name = "counts"
    window = "1 minute"
    keys: ClassVar[tuple[str, ...]] = ("device",)

    def queries(self, records: DataFrame, context: Context) -> list[Query]:
        del context
        parsed = records.select(
            F.get_json_object(F.col("value").cast("string"), "$.device_id").alias("device"),
            F.col("partition").alias("place"),
            F.to_timestamp(
                F.get_json_object(F.col("value").cast("string"), "$.event_timestamp")
            ).alias("at"),
        )
        counted = self.counted(parsed.withWatermark("at", "10 minutes"))
        return [Query(name="counts", frame=counted, sink=Parquet())]

    def counted(self, rows: DataFrame) -> DataFrame:
        keys = [F.window("at", self.window), *self.keys]
        return rows.groupBy(*keys).agg(*self.aggregates())

    def aggregates(self) -> list[Column]:
        return [F.count("*").alias("count")]


class AnotherFilter(Counts):
    def counted(self, rows: DataFrame) -> DataFrame:
        return super().counted(rows.where("place >= 0"))


class AddedAggregate(Counts):
    def aggregates(self) -> list[Column]:
        return [*super().aggregates(), F.max("at").alias("last")]


class RenamedKey(Counts):
    keys = ("machine",)

    def counted(self, rows: DataFrame) -> DataFrame:
        return super().counted(rows.withColumnRenamed("device", "machine"))


class ChangedKey(Counts):
    keys = ("place",)


class ChangedWindow(Counts):
    window = "5 minutes"


class RemovedOperator(Counts):
    def counted(self, rows: DataFrame) -> DataFrame:
        return rows.select("device", "at")


class AddedOperator(Counts):
    def counted(self, rows: DataFrame) -> DataFrame:
        return super().counted(rows.dropDuplicatesWithinWatermark(["device", "at"]))


class AddedSource(Counts):
    def counted(self, rows: DataFrame) -> DataFrame:
        more = rows.sparkSession.readStream.format("rate-micro-batch").option("rowsPerBatch", 1)
        other = more.load().selectExpr("'x' as device", "0 as place", "timestamp as at")
        return super().counted(rows.union(other.withWatermark("at", "10 minutes")))
