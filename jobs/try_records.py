"""`python -m jobs.try_records REQUEST`: does a batch run with these records only?

For each line of standard input, a query's planned batch is run on a copy of its checkpoint, by the
job's own code, and what comes out is thrown away. `ForeachBatch` functions are not called: what
they do cannot be taken back.

The request is JSON: `settings`; `jars`; `state_format_version`; `query`; `batch_id`; and `hidden`,
ranges of records that are never shown. A question has `place`, with `checkpoint/` and `output/`,
and `shown`, the ranges that are. The answer is `null`, or `condition` and `message` of the failure.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from jobs import sinks
from jobs.failures import classify
from jobs.job import ForeachBatch, Query
from jobs.question import open_session, queries_on
from jobs.source import among, read_records
from jobs.spark_query import failed_query
from streamctl.errors import NotFound
from streamctl.rundir.records import Launch
from streamctl.settings.model import Settings

_LOOK_SECONDS = 0.05


def main() -> None:
    """Answer one question after the other, until there are no more."""
    parser = argparse.ArgumentParser(prog="python -m jobs.try_records", description=__doc__)
    parser.add_argument("request", type=Path)
    request = json.loads(parser.parse_args().request.read_text(encoding="utf-8"))
    settings = Settings.model_validate(request["settings"])
    spark = open_session(settings, state_format_version=request["state_format_version"])
    try:
        for line in sys.stdin:
            answer = try_records(spark, settings, request, json.loads(line))
            sys.stdout.write(json.dumps({"answer": answer}) + "\n")
            sys.stdout.flush()
    finally:
        spark.stop()


def try_records(
    spark: SparkSession, settings: Settings, request: dict[str, Any], asked: dict[str, Any]
) -> dict[str, str] | None:
    """Run the batch with the records that are shown.

    Raises:
        NotFound: the job has no such query.
        Exception: whatever building the job's queries raises.
    """
    launch = Launch(
        run_id="",
        attempt=1,
        generation="",
        checkpoint_base=f"{asked['place']}/checkpoint",
        output_base=f"{asked['place']}/output",
        starting_offsets="",
    )
    records = read_records(spark, settings.kafka, launch)
    records = records.where(among(asked["shown"]) & ~among(request["hidden"]))
    query = _harmless(_named(queries_on(records, settings), request["query"]))
    running = sinks.start(query, settings=settings, launch=launch)
    commit = Path(launch.checkpoint_base, query.name, "commits", str(request["batch_id"]))
    try:
        while running.isActive and not commit.exists():
            time.sleep(_LOOK_SECONDS)
        return _failure(running) if running.exception() else None
    finally:
        running.stop()


def _named(queries: list[Query], name: str) -> Query:
    for query in queries:
        if query.name == name:
            return query
    raise NotFound(f'the job has no query "{name}"')


def _harmless(query: Query) -> Query:
    """The query for one batch, with no effect that outlives it."""
    sink = query.sink
    if isinstance(sink, ForeachBatch):
        sink = ForeachBatch(function=_discard)
    return replace(query, sink=sink, trigger="1 day")


def _discard(rows: DataFrame, batch_id: int) -> None:
    del batch_id
    rows.write.format("noop").mode("overwrite").save()


def _failure(running: StreamingQuery) -> dict[str, str]:
    cause = classify(failed_query(running).text or str(running.exception()))
    return {"condition": cause.condition, "message": cause.message}


if __name__ == "__main__":
    main()
