"""From a job's query to a started one: checkpoint, output, trigger and name."""

import re

from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from jobs.job import Kafka, Parquet, Query
from jobs.logs import QUERY
from jobs.source import connection_options
from streamctl.errors import SettingsInvalid
from streamctl.rundir.records import Launch
from streamctl.settings.model import Settings

_NAME = re.compile(r"[A-Za-z0-9_-]+")


def check_names(queries: list[Query]) -> None:
    """Refuse what could not be kept under its name.

    Raises:
        SettingsInvalid: no query at all, a name twice, or one that is no directory's name.
    """
    names = [query.name for query in queries]
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong:
        raise SettingsInvalid(
            f'query name "{wrong[0]}" cannot be used',
            hint="Use letters, digits, `_` and `-`: checkpoint and output bear the name.",
        )
    if not names or len(set(names)) < len(names):
        raise SettingsInvalid(
            f"the job's queries are named {names}",
            hint="Return at least one query, each with a name of its own.",
        )


def start(query: Query, *, settings: Settings, launch: Launch) -> StreamingQuery:
    """Start one query of the generation. What Spark logs of its tasks bears its name."""
    query.frame.sparkSession.sparkContext.setLocalProperty(QUERY, query.name)
    writer = (
        query.frame.writeStream.queryName(query.name)
        .outputMode(query.output_mode)
        .option("checkpointLocation", f"{launch.checkpoint_base.rstrip('/')}/{query.name}")
    )
    writer = _with_trigger(writer, query.trigger or settings.stream.trigger)
    sink = query.sink
    if isinstance(sink, Kafka) and settings.output.topics == "files":
        sink = Parquet()
    if isinstance(sink, Parquet):
        if sink.partition_by:
            writer = writer.partitionBy(*sink.partition_by)
        output = f"{launch.output_base.rstrip('/')}/{query.name}"
        return writer.format("parquet").option("path", output).start()
    if isinstance(sink, Kafka):
        writer = writer.format("kafka").options(**connection_options(settings.kafka))
        return writer.option("topic", sink.topic).start()
    return writer.foreachBatch(sink.function).start()


def _with_trigger(writer: DataStreamWriter, trigger: str) -> DataStreamWriter:
    """`once` runs all there is now in ordinary batches, then the query ends by itself."""
    if trigger.strip().lower() == "once":
        return writer.trigger(availableNow=True)
    return writer.trigger(processingTime=trigger)
