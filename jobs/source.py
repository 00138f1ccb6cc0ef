"""The Kafka source and the options that source and sink share."""

from pyspark.sql import DataFrame, SparkSession

from streamctl.rundir import Launch
from streamctl.settings.model import KafkaSettings
from streamctl.settings.secrets import resolve


def connection_options(kafka: KafkaSettings) -> dict[str, str]:
    """`kafka.*` options for Spark, with secrets in place: never log the result.

    Raises:
        SettingsInvalid: a secret cannot be resolved.
    """
    options = {f"kafka.{name}": resolve(value) for name, value in kafka.options.items()}
    return options | {"kafka.bootstrap.servers": kafka.bootstrap_servers}


def read_records(spark: SparkSession, kafka: KafkaSettings, launch: Launch) -> DataFrame:
    """Read the topics as a stream of records, see `Job.queries`.

    The starting offsets are explicit for every partition: they count only for a new checkpoint,
    and there they let all queries of a generation begin at the same records.

    Source: Spark `KafkaSourceProvider`.
    """
    options = connection_options(kafka) | {
        "subscribe": ",".join(kafka.topics),
        "startingOffsets": launch.starting_offsets or kafka.starting_offsets,
        "failOnDataLoss": str(kafka.fail_on_data_loss).lower(),
        "maxOffsetsPerTrigger": str(kafka.max_offsets_per_trigger),
        "includeHeaders": "true",
    }
    return (
        spark.readStream.format("kafka")
        .options(**options)
        .load()
        .select("key", "value", "headers", "topic", "partition", "offset", "timestamp")
    )
