"""What the children that answer one question have in common: a session, and the job's queries."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from jobs.at_launch import as_the_driver
from jobs.entry import load_job, options_of
from jobs.job import Context, Query
from jobs.session import launch_jvm, session_in, session_options
from jobs.temporary import remove_at_exit
from streamctl.rundir.records import Launch
from streamctl.settings.model import Settings

_SHOWN = ("spark.master", "spark.driver.memory")
"""What the JVM's command line must have of the options; the others may be secrets."""


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
    remove_at_exit()
    options = session_options(settings, launch)
    options |= {"spark.master": "local[*]", "spark.log.level": "ERROR"}
    shown = {name: options[name] for name in _SHOWN if name in options}
    gateway = launch_jvm(as_the_driver(settings.spark.options) | shown)
    return session_in(gateway, options)


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
