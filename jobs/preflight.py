"""`python -m jobs.preflight REQUEST`: what a job's queries demand of their checkpoints.

Each query runs once over one made-up record, into nothing, on a scratch checkpoint. What Spark
writes there (sources, operators, schemas of state) is what it would compare the real checkpoint
with. That one is not touched: of its state, one window is read.

The request is JSON: `settings`; `state_format_version`; `queries`, each with `name`,
`conf` (pinned settings), `scratch` (a directory), `checkpoint` and `windows` (operator, store and
column of the key). One JSON object a query is written to standard output.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException, SparkNoSuchElementException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from jobs.entry import load_job, options_of
from jobs.job import Context, Query
from jobs.question import open_session
from jobs.warm_up import made_up_records, rehearse
from streamctl.errors import NotFound
from streamctl.settings.model import Settings

_FORMAT = "spark.sql.streaming.stateStore.checkpointFormatVersion"
_PARTITIONS = "spark.sql.shuffle.partitions"
_LENGTH_US = re.compile(r"\+ (\d+)\), LongType, TimestampType\)")
"""In a window's end: its beginning and the length, see `TimeWindowResolution`."""


def main() -> None:
    """Answer for each query of the request."""
    parser = argparse.ArgumentParser(prog="python -m jobs.preflight", description=__doc__)
    parser.add_argument("request", type=Path)
    request = json.loads(parser.parse_args().request.read_text(encoding="utf-8"))
    settings = Settings.model_validate(request["settings"])
    spark = open_session(settings, state_format_version=request["state_format_version"])
    try:
        for asked in request["queries"]:
            sys.stdout.write(json.dumps(answer(spark.newSession(), settings, asked)) + "\n")
    finally:
        spark.stop()


def answer(spark: SparkSession, settings: Settings, asked: dict[str, Any]) -> dict[str, Any]:
    """Plan one query under the settings that its checkpoint pins.

    Args:
        spark: a session of its own, because the pinned settings stay in it.
        settings: of the job.
        asked: one of the request's queries.

    Raises:
        NotFound: the job has no query of that name.
        Exception: whatever the job or Spark raises.
    """
    session_conf = {name: _setting(spark, name) for name in asked["conf"]}
    format_version = spark.conf.get(_FORMAT)
    for name, value in asked["conf"].items():
        if session_conf[name] is not None:
            spark.conf.set(name, value)
    spark.conf.set(_PARTITIONS, "1")  # schemas do not depend on it, and 200 stores take their time
    queries = _queries(spark, settings)
    query = _named(queries, asked["name"])
    rehearse(query, checkpoint=asked["scratch"])
    plan = query.frame._jdf.queryExecution().analyzed().toString()  # noqa: SLF001
    return {
        "query": query.name,
        "queries": [other.name for other in queries],
        "spark_version": spark.version,
        "conf": session_conf,
        "format_version": int(format_version or 1),
        "plan_window_ms": sorted({int(us) // 1000 for us in _LENGTH_US.findall(plan)}),
        "state_window_ms": _windows(spark, asked),
    }


def _setting(spark: SparkSession, name: str) -> str | None:
    """The session's value or Spark's default; None where this Spark knows no such setting."""
    try:
        return spark.conf.get(name)
    except SparkNoSuchElementException:
        return None


def _queries(spark: SparkSession, settings: Settings) -> list[Query]:
    job = load_job(settings.job.entry)
    context = Context(
        stream=settings.stream,
        dead_letter_topic=settings.kafka.dead_letters,
        run_id="",
        options=options_of(job, settings.job.options),
    )
    return job.queries(made_up_records(spark), context)


def _named(queries: list[Query], name: str) -> Query:
    """The query of that name; a job's only one bears any name."""
    found = [query for query in queries if query.name == name] or queries
    if len(found) > 1:
        names = ", ".join(query.name for query in queries)
        raise NotFound(f'the job has no query "{name}": it has {names}')
    return found[0]


def _windows(spark: SparkSession, asked: dict[str, Any]) -> list[int] | None:
    """Lengths of the windows that the first rows of the state have; None when it is unreadable."""
    lengths: set[int] = set()
    for operator, store, column in asked["windows"]:
        reader = spark.read.format("statestore").options(operatorId=operator, storeName=store)
        window = F.col(f"key.{column}")
        micros = F.unix_micros(window["end"]) - F.unix_micros(window["start"])
        try:
            rows = reader.load(asked["checkpoint"]).limit(100).select(micros).collect()
        except (PySparkException, Py4JJavaError):
            return None
        lengths |= {int(row[0]) // 1000 for row in rows}
    return sorted(lengths)


if __name__ == "__main__":
    main()
