"""Device telemetry of which one kind of record fails every batch it is in, for experiments."""

from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.job import Context, Query
from jobs.telemetry import TelemetryJob

POISON = "poison"


class FragileTelemetryJob(TelemetryJob):
    """The same windows and dead letters, until a record has the word `poison` in it."""

    def queries(self, records: DataFrame, context: Context) -> list[Query]:
        """Build the queries of telemetry on records that are looked at first."""
        return super().queries(records.withColumn("value", _eaten("value")), context)


def _eaten(name: str) -> Column:
    value: Any = F.col(name)
    broken = F.raise_error(F.lit("cannot digest this"))
    return F.when(value.cast("string").contains(POISON), broken).otherwise(value)
