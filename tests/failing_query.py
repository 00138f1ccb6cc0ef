"""A query whose tasks fail: `failing_query.py DIRECTORY`. Spark's log goes to stderr."""

import sys
from pathlib import Path

from pyspark.errors import StreamingQueryException
from pyspark.sql import functions as f

from jobs import sinks
from jobs.job import Parquet, Query
from jobs.session import start_session
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Launch
from streamctl.settings.model import Settings

place = Path(sys.argv[1])
settings = Settings()
launch = Launch(
    run_id="r",
    attempt=1,
    generation="0001",
    checkpoint_base=f"{place}/checkpoint",
    output_base=f"{place}/output",
    starting_offsets="",
)
session = start_session(settings=settings, launch=launch, directory=RunDirectory(place))
try:
    rows = session.spark.readStream.format("rate").option("rowsPerSecond", 50).load()
    failing = rows.select(f.assert_true(f.col("value") < 0, f.lit("told to fail")).cast("string"))
    sinks.start(Query(name="windows", frame=failing, sink=Parquet()), settings=settings,
                launch=launch).awaitTermination(60)  # fmt: skip
except StreamingQueryException:
    pass
finally:
    session.end(in_order=True)
