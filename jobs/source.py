"""The Kafka source and the options that source and sink share."""

import json
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from streamctl.rundir.records import Launch
from streamctl.settings.model import KafkaSettings
from streamctl.settings.secrets import resolve


def connection_options(kafka: KafkaSettings) -> dict[str, str]:
    """`kafka.*` options for Spark, with secrets in place: never log the result.

    Raises:
        SettingsInvalid: a secret cannot be resolved.
    """
    options = {f"kafka.{name}": resolve(value) for name, value in kafka.options.items()}
    return options | {"kafka.bootstrap.servers": kafka.bootstrap_servers}


def read_records(spark: SparkSession, kafka: KafkaSettings, launch: Launch) -> DataFrame:
    """Read the topics as a stream of records, see `Job.queries`.

    The starting offsets are explicit for every partition: they count only for a new checkpoint,
    and there they let all queries of a generation begin at the same records.

    Source: Spark `KafkaSourceProvider`.
    """
    options = connection_options(kafka) | {
        "subscribe": ",".join(kafka.topics),
        "startingOffsets": launch.starting_offsets or kafka.starting_offsets,
        "failOnDataLoss": str(kafka.fail_on_data_loss).lower(),
        "maxOffsetsPerTrigger": str(kafka.max_offsets_per_trigger),
        "includeHeaders": "true",
    }
    records = (
        spark.readStream.format("kafka")
        .options(**options)
        .load()
        .select("key", "value", "headers", "topic", "partition", "offset", "timestamp")
    )
    if launch.hidden:
        records = records.where(~among(launch.hidden))
    return records.where(_before(launch.ending_offsets)) if launch.bounded else records


def among(parts: Iterable[Mapping[str, Any]]) -> Column:
    """Whether a record lies in one of some ranges, of which the end is not included.

    Right above the source, so that it comes before whatever the job does: Spark pushes filters
    down, and where it joins two of them the lower one is asked first (`CombineFilters`).

    Args:
        parts: each with `topic`, `partition`, `start` and `end`.
    """
    within = [
        (F.col("topic") == part["topic"])
        & (F.col("partition") == part["partition"])
        & (F.col("offset") >= part["start"])
        & (F.col("offset") < part["end"])
        for part in parts
    ]
    nothing = F.col("offset") < 0  # a constant would let Spark take the source out of the plan
    return reduce(or_, within, nothing)


def _before(ending_offsets: str) -> Column:
    """Records before the ending offsets. Spark's Kafka stream knows a beginning and no end."""
    pairs = [
        (F.lit(f"{topic}/{partition}"), F.lit(end))
        for topic, partitions in json.loads(ending_offsets).items()
        for partition, end in partitions.items()
    ]
    ends = F.create_map(*(column for pair in pairs for column in pair))
    return F.col("offset") < F.try_element_at(ends, F.concat_ws("/", "topic", "partition"))
