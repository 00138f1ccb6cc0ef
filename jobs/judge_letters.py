"""`python -m jobs.judge_letters SETTINGS LETTERS`: which dead letters would pass now.

The job's queries are built over the letters' original records, and what would become a dead letter
again is read off the query that writes to the dead letter topic. One JSON object is written to
standard output: `records`, `rejected` (records), and `reasons` (reason -> records); `rejected` is
null when the job has no such query.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from jobs.job import Kafka
from jobs.question import open_session, queries_on, read_settings
from streamctl.resilience import dead_letter
from streamctl.settings.model import Settings

_LETTERS = (
    "partition INT, offset BIGINT, key STRING, key_base64 STRING, value STRING,"
    " value_base64 STRING, headers ARRAY<STRUCT<name: STRING, value: STRING, value_base64: STRING>>"
)


def main() -> None:
    """Judge a file of letters, as `streamctl dlq export` writes it."""
    parser = argparse.ArgumentParser(prog="python -m jobs.judge_letters", description=__doc__)
    parser.add_argument("settings", type=Path, help="settings.json")
    parser.add_argument("letters", help="file of letters")
    arguments = parser.parse_args()
    settings = read_settings(arguments.settings)
    spark = open_session(settings)
    try:
        found = judge_letters(read_letters(spark, arguments.letters, settings), settings)
        sys.stdout.write(json.dumps(found) + "\n")
    finally:
        spark.stop()


def read_letters(spark: SparkSession, file: str, settings: Settings) -> DataFrame:
    """The original records as they would come back: see `Job.queries`, with the time of today.

    Partition and offset are those of the letter, by which each can be told from the others.
    """
    headers = F.transform(
        "headers",
        lambda held: F.struct(
            held["name"].alias("key"), _bytes(held["value"], held["value_base64"]).alias("value")
        ),
    )
    return (
        spark.read.schema(_LETTERS)
        .json(file)
        .select(
            _bytes(F.col("key"), F.col("key_base64")).alias("key"),
            _bytes(F.col("value"), F.col("value_base64")).alias("value"),
            F.when(F.size("headers") > 0, headers).alias("headers"),
            F.lit(settings.kafka.topics[0]).alias("topic"),
            "partition",
            "offset",
            F.current_timestamp().alias("timestamp"),
        )
    )


def _bytes(text: Column, base64: Column) -> Column:
    return F.coalesce(F.unbase64(base64), text.cast("binary"))


def judge_letters(records: DataFrame, settings: Settings) -> dict[str, Any]:
    """Count what the job would reject, by reason; a record with several counts under each."""
    total = records.count()
    topic = settings.kafka.dead_letters
    for query in queries_on(records, settings):
        if isinstance(query.sink, Kafka) and query.sink.topic == topic:
            return {"records": total} | _rejected(query.frame)
    return {"records": total, "rejected": None, "reasons": {}}


def _rejected(letters: DataFrame) -> dict[str, Any]:
    ours = F.filter("headers", lambda held: held["key"] == dead_letter.REASONS)
    told = F.element_at(ours, -1)["value"].cast("string").alias("reasons")
    counts: Counter[str] = Counter()
    rejected = 0
    for row in letters.select(told).groupBy("reasons").count().collect():
        rejected += row["count"]
        for reason in json.loads(row["reasons"]):
            counts[reason] += row["count"]
    return {"rejected": rejected, "reasons": dict(counts.most_common())}


if __name__ == "__main__":
    main()
