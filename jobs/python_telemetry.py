"""Device telemetry whose records pass through Python workers, so that those can be killed."""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.job import Context, Query
from jobs.telemetry import TelemetryJob


class PythonTelemetryJob(TelemetryJob):
    """The same windows and dead letters: the Python function changes nothing."""

    def queries(self, records: DataFrame, context: Context) -> list[Query]:
        """Build the queries of telemetry on records that a Python function has seen."""
        unchanged: Any = F.udf(bytes_as_they_are, "binary")
        return super().queries(records.withColumn("value", unchanged("value")), context)


def bytes_as_they_are(value: bytearray | None) -> bytearray | None:
    """Return the value."""
    return value
