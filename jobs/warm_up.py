"""A standby's rehearsal: the job's queries, once, over one made-up record, into nothing.

Half of a restart is the JVM loading and compiling what planning, parsing and state stores need.
A driver that waits has the time for that. Source, sink and checkpoint are not the job's: a
`rate-micro-batch` source, the `noop` sink, a scratch directory.
"""

import tempfile

from pyspark.sql import DataFrame, SparkSession

from jobs.job import Context, Job, Query

_AS_KAFKA = (
    "cast(null as binary) as key",
    "cast('{}' as binary) as value",
    "cast(null as array<struct<key: string, value: binary>>) as headers",
    "'rehearsal' as topic",
    "0 as partition",
    "value as offset",
    "timestamp",
)


def warm_up(spark: SparkSession, job: Job, context: Context) -> None:
    """Run each query of the job for one batch.

    Raises:
        Exception: whatever the job or Spark raises; it says nothing about the real run.
    """
    for query in job.queries(made_up_records(spark), context):
        with tempfile.TemporaryDirectory(prefix="streamctl-rehearsal-") as scratch:
            rehearse(query, checkpoint=scratch)


def rehearse(query: Query, *, checkpoint: str) -> None:
    """Run a query over what its sources have now, into nothing.

    Args:
        query: made from `made_up_records`.
        checkpoint: an empty directory.
    """
    rehearsal = (
        query.frame.writeStream.format("noop")
        .outputMode(query.output_mode)
        .option("checkpointLocation", checkpoint)
        .trigger(availableNow=True)
        .start()
    )
    rehearsal.awaitTermination()


def made_up_records(spark: SparkSession) -> DataFrame:
    """A stream of what `Job.queries` is given, without a broker."""
    return (
        spark.readStream.format("rate-micro-batch")
        .option("rowsPerBatch", "1")
        .load()
        .selectExpr(*_AS_KAFKA)
    )
