"""Records that cannot count go to a topic of their own, as they came, with where and why."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.job import Context, Job, Kafka, Query, Rule
from jobs.quality import observe_reasons
from jobs.transforms import reasons_of, rejected
from streamctl.resilience import dead_letter


def dead_letters(
    job: Job, judged: DataFrame, context: Context, *, rules: Sequence[Rule] | None = None
) -> Query:
    """The query that writes a job's rejected records to the dead letter topic.

    A crash may write some again (Spark's Kafka sink is at least once): origin topic, partition
    and offset, in the headers, tell one record from another.

    Args:
        job: its name goes into the headers; its schema and rules made `judged`.
        context: of the run.
        judged: streaming, as `transforms.judge` returns it.
        rules: that made `judged`, where they are not the job's own `rules`.
    """
    rules = job.rules if rules is None else rules
    bad = observe_reasons(rejected(judged), reasons_of(job.schema, rules))
    return Query(
        name="dead_letters",
        frame=bad.select("key", "value", _headers(job.name, context.run_id).alias("headers")),
        sink=Kafka(topic=context.dead_letter_topic),
    )


def _headers(job: str, run_id: str) -> Column:
    """The record's own headers, then ours: array of key (text) and value (binary)."""
    ours = {
        dead_letter.TOPIC: F.col("topic"),
        dead_letter.PARTITION: F.col("partition").cast("string"),
        dead_letter.OFFSET: F.col("offset").cast("string"),
        dead_letter.TIMESTAMP: F.unix_millis("timestamp").cast("string"),
        dead_letter.REASONS: F.to_json("reasons"),
        dead_letter.JOB: F.lit(job),
        dead_letter.RUN: F.lit(run_id),
    }
    structs = [
        F.struct(F.lit(name).alias("key"), value.cast("binary").alias("value"))
        for name, value in ours.items()
    ]
    own = F.coalesce(
        "headers", F.expr("CAST(array() AS ARRAY<STRUCT<key: STRING, value: BINARY>>)")
    )
    return F.concat(own, F.array(*structs))
