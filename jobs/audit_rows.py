"""`python -m jobs.audit_rows SETTINGS QUESTION`: of how many records output and state are made.

The question is JSON: query -> `files` (of its output, null without a file sink), `output` (where
they lie), `checkpoint`, `batch` (as of which the state is read; null for nothing), and
`format_version`. For each query of the job one JSON object is written to standard output: `query`,
`role` (see `streamctl/audit/account.py`), and for a counted one `output_records`, `state_records`
and `tells_late` (whether the job counts what came too late).
With `--rows` an object for each row follows: `query`, `key` (values of `Query.key`, times in
milliseconds), `records`.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import StructField, StructType, TimestampType

from jobs.job import Counted, Kafka, Query
from jobs.question import open_session, queries_on, read_settings
from jobs.warm_up import made_up_records

_STATE_FORMAT = "spark.sql.streaming.stateStore.checkpointFormatVersion"


def main() -> None:
    """Answer for all queries that were asked about."""
    parser = argparse.ArgumentParser(prog="python -m jobs.audit_rows", description=__doc__)
    parser.add_argument("settings", type=Path, help="settings.json")
    parser.add_argument("question", type=Path)
    parser.add_argument("--rows", action="store_true")
    arguments = parser.parse_args()
    settings = read_settings(arguments.settings)
    question = json.loads(arguments.question.read_text(encoding="utf-8"))
    spark = open_session(settings)
    # The reader of state asks the coordinator of state stores, which only the manager starts.
    len(spark.streams.active)
    try:
        for query in queries_on(made_up_records(spark), settings):
            asked = question.get(query.name)
            if asked is not None:
                letters = settings.kafka.dead_letters
                for line in _answer(spark, query, asked, letters=letters, rows=arguments.rows):
                    sys.stdout.write(json.dumps(line) + "\n")
    finally:
        spark.stop()


def _answer(
    spark: SparkSession, query: Query, asked: dict[str, Any], *, letters: str, rows: bool
) -> Iterator[dict[str, Any]]:
    counted = query.counted
    if counted is None:
        is_letters = isinstance(query.sink, Kafka) and query.sink.topic == letters
        yield {"query": query.name, "role": "letters" if is_letters else "other"}
        return
    output = _output(spark, query, counted, asked)
    state = _state(spark, query, counted, asked)
    yield {
        "query": query.name,
        "role": "counted",
        "output_records": _sum(output),
        "state_records": _sum(state),
        "tells_late": query.lateness is not None or not counted.state,
    }
    if rows:
        for side in filter(None, (output, state)):
            for row in side.toLocalIterator():
                key = [row[f"key{number}"] for number in range(len(query.key))]
                yield {"query": query.name, "key": key, "records": row["records"]}


def _output(
    spark: SparkSession, query: Query, counted: Counted, asked: dict[str, Any]
) -> DataFrame | None:
    if not asked["files"]:
        return None
    frame = spark.read.option("basePath", asked["output"]).parquet(*asked["files"])
    return frame.select(F.expr(counted.output).alias("records"), *_key(frame, query.key))


def _state(
    spark: SparkSession, query: Query, counted: Counted, asked: dict[str, Any]
) -> DataFrame | None:
    if not counted.state or asked["batch"] is None:
        return None
    spark.conf.set(_STATE_FORMAT, str(asked["format_version"] or 1))
    options = {"path": asked["checkpoint"], "batchId": asked["batch"]}
    frame = _told_apart(spark.read.format("statestore").options(**options).load())
    key = counted.state_key[: len(query.key)]
    return frame.select(F.expr(counted.state).alias("records"), *_key(frame, key))


def _told_apart(frame: DataFrame) -> DataFrame:
    """The state with a name for each field of `value`: `count`, `count_2`, `count_3`.

    Aggregates keep their buffers side by side, and an average has a `count` as `count(*)` has.
    """
    seen: Counter[str] = Counter()
    fields = []
    for field in frame.select("value.*").schema.fields:
        seen[field.name] += 1
        number = f"_{seen[field.name]}" if seen[field.name] > 1 else ""
        fields.append(StructField(field.name + number, field.dataType, field.nullable))
    return frame.withColumn("value", F.col("value").cast(StructType(fields)))


def _key(frame: DataFrame, names: tuple[str, ...]) -> list[Column]:
    """The key as `key0`, `key1`, ..., times in milliseconds."""
    found = []
    for number, name in enumerate(names):
        column = F.expr(name)
        if isinstance(frame.select(column).schema.fields[0].dataType, TimestampType):
            column = F.unix_millis(column)
        found.append(column.alias(f"key{number}"))
    return found


def _sum(frame: DataFrame | None) -> int:
    if frame is None:
        return 0
    row = frame.agg(F.coalesce(F.sum("records"), F.lit(0))).first()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
