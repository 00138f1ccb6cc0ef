"""`python -m jobs.read_state CHECKPOINT`: rows of a query's state, one JSON object a line.

State content is in Spark's own row format, so Spark reads it, through its `statestore` source.
The checkpoint is only read; the job may be running.
"""

import argparse
import sys

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from jobs.at_launch import as_the_driver
from jobs.temporary import remove_at_exit


def main() -> None:
    """Print `{"partition", "key", "value"}` for each row of one operator's state."""
    parser = argparse.ArgumentParser(prog="python -m jobs.read_state", description=__doc__)
    parser.add_argument("checkpoint", help="of one query")
    parser.add_argument("--format-version", default="1", help="checkpointFormatVersion, 1 or 2")
    parser.add_argument("--operator", type=int, default=0)
    store = parser.add_mutually_exclusive_group()
    store.add_argument("--store", help="for operators with several stores")
    store.add_argument("--variable", help="of a transformWithState")
    parser.add_argument("--batch", type=int, help="default: the last committed one")
    parser.add_argument("--limit", type=int, help="rows; default: all")
    arguments = parser.parse_args()
    remove_at_exit()
    given = {
        "path": arguments.checkpoint,
        "operatorId": arguments.operator,
        "storeName": arguments.store,
        "stateVarName": arguments.variable,
        "batchId": arguments.batch,
    }
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.streaming.stateStore.checkpointFormatVersion", arguments.format_version)
        .config(map={**as_the_driver({})})
        .getOrCreate()
    )
    # The reader asks the coordinator of state stores, which only the stream manager starts.
    len(spark.streams.active)
    try:
        options = {name: value for name, value in given.items() if value not in {None, ""}}
        rows = spark.read.format("statestore").options(**options).load()
        if arguments.limit is not None:
            rows = rows.limit(arguments.limit)
        row = F.struct(
            F.col("partition_id").alias("partition"), "key", _value(rows.columns).alias("value")
        )
        for line in rows.select(F.to_json(row)).toLocalIterator():
            sys.stdout.write(line[0] + "\n")
    finally:
        spark.stop()


def _value(columns: list[str]) -> Column:
    """The value; where the source spreads it (a map's or a list's entries), a struct of those."""
    spread = [name for name in columns if name not in {"partition_id", "key"}]
    return F.col("value") if spread == ["value"] else F.struct(*spread)


if __name__ == "__main__":
    main()
