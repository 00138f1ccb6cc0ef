"""`python -m jobs.compare RUN_DIRECTORY ONE OTHER`: two outputs of a job, row against row.

Each query that writes files is compared over the range of its time column that both outputs
have; rows are paired by the query's key. What one output began or ended with may be incomplete,
so the first and the last time of the range are counted apart. Numbers with a fraction are equal
when they agree to nine digits: a sum depends on the order in which it was added up.
One JSON object a query is written to standard output.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import DoubleType, FloatType

from jobs.job import Kafka, Query
from jobs.question import open_session, queries_on, read_settings
from jobs.warm_up import made_up_records
from streamctl.settings.model import Settings

_RELATIVE_TOLERANCE = 1e-9
_EDGE, _SAME, _DIFFERENT, _ONE, _OTHER = "edge", "equal", "different", "only_one", "only_other"


def main() -> None:
    """Compare all queries that have files on both sides."""
    parser = argparse.ArgumentParser(prog="python -m jobs.compare", description=__doc__)
    parser.add_argument("settings", type=Path, help="settings.json")
    parser.add_argument("one", help="directory with one output per query")
    parser.add_argument("other")
    parser.add_argument("--samples", type=int, default=5)
    arguments = parser.parse_args()
    settings = read_settings(arguments.settings)
    spark = open_session(settings)
    try:
        for query in _queries(spark, settings):
            one, other = f"{arguments.one}/{query.name}", f"{arguments.other}/{query.name}"
            found = compare(
                spark.read.parquet(one),
                spark.read.parquet(other),
                key=query.key,
                time=query.time,
                samples=arguments.samples,
            )
            sys.stdout.write(json.dumps({"query": query.name} | found, default=str) + "\n")
    finally:
        spark.stop()


def _queries(spark: SparkSession, settings: Settings) -> list[Query]:
    made = queries_on(made_up_records(spark), settings)
    return [query for query in made if not isinstance(query.sink, Kafka)]


def compare(
    one: DataFrame, other: DataFrame, *, key: tuple[str, ...], time: str, samples: int
) -> dict[str, Any]:
    """Count rows that are equal, different, or on one side only.

    Args:
        one: an output.
        other: the other one, of the same columns.
        key: columns that identify a row; empty takes all.
        time: column by which both are cut to the range that both have; empty for the whole.
        samples: rows of each kind that are shown.

    Returns:
        Counts by kind; `range` (first and last time, null without one); `repeated` (rows whose
        key was there before, on both sides together); `samples` by kind.
    """
    columns = [name for name in one.columns if name in other.columns]
    names = list(key or columns)
    first, last = _range(one, other, time) if time else (None, None)
    if time and (first is None or last is None or first > last):
        return _nothing()
    sides = [_cut(side.select(columns), time, first, last) for side in (one, other)]
    repeated = sum(side.count() - side.select(names).distinct().count() for side in sides)
    pairs = _pairs(*sides, names=names)
    at_edge = F.coalesce(f"one.{time}", f"other.{time}").isin(first, last) if time else F.lit(False)
    values = [name for name in columns if name not in names]
    kind = (
        F.when(at_edge, _EDGE)
        .when(F.col("other").isNull(), _ONE)
        .when(F.col("one").isNull(), _OTHER)
        .when(_all_equal(one, values), _SAME)
        .otherwise(_DIFFERENT)
    )
    judged = pairs.withColumn("kind", kind).persist()
    counts = {row["kind"]: row["count"] for row in judged.groupBy("kind").count().collect()}
    return {
        **{name: counts.get(name, 0) for name in (_SAME, _DIFFERENT, _ONE, _OTHER, _EDGE)},
        "repeated": repeated,
        "range": [first, last] if time else None,
        "samples": {
            name: _samples(judged, name, samples)
            for name in (_DIFFERENT, _ONE, _OTHER)
            if counts.get(name)
        },
    }


def _nothing() -> dict[str, Any]:
    counts = dict.fromkeys((_SAME, _DIFFERENT, _ONE, _OTHER, _EDGE, "repeated"), 0)
    return counts | {"range": None, "samples": {}}


def _range(one: DataFrame, other: DataFrame, time: str) -> tuple[Any, Any]:
    ends = [side.agg(F.min(time), F.max(time)).first() for side in (one, other)]
    firsts, lasts = zip(*ends, strict=True)
    if None in firsts:
        return None, None
    return max(firsts), min(lasts)


def _cut(side: DataFrame, time: str, first: Any, last: Any) -> DataFrame:
    return side.where(F.col(time).between(first, last)) if time else side


def _pairs(one: DataFrame, other: DataFrame, *, names: list[str]) -> DataFrame:
    left, right = (
        side.select(F.struct("*").alias(name)) for side, name in ((one, "one"), (other, "other"))
    )
    same_key = F.lit(True)
    for name in names:
        same_key &= F.col(f"one.{name}").eqNullSafe(F.col(f"other.{name}"))
    return left.join(right, same_key, "full_outer")


def _all_equal(frame: DataFrame, values: list[str]) -> Column:
    equal = F.lit(True)
    for name in values:
        one, other = F.col(f"one.{name}"), F.col(f"other.{name}")
        same = one.eqNullSafe(other)
        if isinstance(frame.schema[name].dataType, DoubleType | FloatType):
            size = F.greatest(F.abs(one), F.abs(other))
            same |= F.coalesce(F.abs(one - other) <= size * _RELATIVE_TOLERANCE, F.lit(False))
        equal &= same
    return equal


def _samples(judged: DataFrame, kind: str, count: int) -> list[dict[str, Any]]:
    rows = judged.where(F.col("kind") == kind).select("one", "other").limit(count).toJSON()
    return [json.loads(str(row)) for row in rows.collect()]


if __name__ == "__main__":
    main()
