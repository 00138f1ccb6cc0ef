"""What the children that answer one question have in common: a session, and the job's queries."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from jobs.at_launch import as_the_driver
from jobs.entry import load_job, options_of
from jobs.job import Context, Query
from jobs.session import session_options
from streamctl.rundir.records import Launch
from streamctl.settings.model import Settings


def read_settings(file: Path) -> Settings:
    """The settings that were handed over."""
    return Settings.model_validate_json(file.read_text(encoding="utf-8"))


def open_session(settings: Settings, *, state_format_version: int | None = None) -> SparkSession:
    """A quiet session in this process and its own JVM, for a question beside the run.

    Raises:
        SettingsInvalid: a secret cannot be resolved.
    """
    launch = Launch(
        run_id="",
        attempt=1,
        generation="",
        checkpoint_base="",
        output_base="",
        starting_offsets="",
        state_format_version=state_format_version,
    )
    builder = SparkSession.builder.config("spark.log.level", "ERROR")
    options = session_options(settings, launch) | as_the_driver(settings.spark.options)
    for name, value in (options | {"spark.master": "local[*]"}).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def queries_on(records: DataFrame, settings: Settings) -> list[Query]:
    """The job's queries over some records; none is started.

    Raises:
        JobNotFound: the job cannot be imported.
        SettingsInvalid: an option that it does not have.
    """
    job = load_job(settings.job.entry)
    context = Context(
        stream=settings.stream,
        dead_letter_topic=settings.kafka.dead_letters,
        run_id="",
        options=options_of(job, settings.job.options),
    )
    return job.queries(records, context)
