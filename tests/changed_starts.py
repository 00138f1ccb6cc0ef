"""`python -m tests.changed_starts REQUEST`: what real Spark does when changed code is started.

One warm session makes a checkpoint with a job, then starts each changed job from a copy of it. The
request is JSON: `settings`, `checkpoint` and `changes`, each with `name`, `entry` and
`settings`. One JSON object a change: its name, and what Spark said when it failed.
"""

import json
import shutil
import sys
import time
from pathlib import Path

from jobs import sinks
from jobs.entry import load_job
from jobs.job import Context
from jobs.question import open_session
from jobs.session import session_options
from jobs.source import read_records
from streamctl.rundir.records import Launch
from streamctl.settings.model import Settings

PATIENCE_SECONDS = 60
BATCHES = 2


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text())
    settings = Settings.model_validate(request["settings"])
    place = Path(request["checkpoint"])
    spark = open_session(settings)
    try:
        said = run(spark, settings, place)
        assert not said, said
        for change in request["changes"]:
            copy = place.with_name(f"{place.name}-{change['name']}")
            shutil.copytree(place, copy)
            said = run(spark.newSession(), Settings.model_validate(change["settings"]), copy)
            sys.stdout.write(json.dumps({"name": change["name"], "said": said}) + "\n")
    finally:
        spark.stop()


def run(spark, settings: Settings, place: Path) -> str:
    """Start the job's query and let it commit some batches; what it said when it could not."""
    launch = Launch(
        run_id="", attempt=1, generation="", checkpoint_base=str(place), starting_offsets="",
        output_base=f"{place}-out",
    )  # fmt: skip
    for name, value in session_options(settings, launch).items():
        if name.startswith("spark.sql."):
            spark.conf.set(name, value)
    job = load_job(settings.job.entry)
    records = read_records(spark, settings.kafka, launch)
    context = Context(stream=settings.stream, dead_letter_topic="", run_id="")
    (query,) = job.queries(records, context)
    started = sinks.start(query, settings=settings, launch=launch)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(started.recentProgress) < BATCHES and time.monotonic() < deadline:
            if started.exception():
                return str(started.exception())
            time.sleep(0.05)
        return "" if started.recentProgress else "no batch in time"
    finally:
        started.stop()


if __name__ == "__main__":
    main()
