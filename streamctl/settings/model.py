"""One model of all settings, nested by topic.

A value's help text stands in its `Field`; `streamctl config` and the README's table
are made from it.
Durations in a Spark interval string ("1 minute") go to Spark as they are; all others are seconds.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A topic of settings. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class JobSettings(Section):
    """Which job, and what it is told."""

    entry: str = Field(
        "jobs.telemetry:TelemetryJob", description="the job class, `module:attribute`"
    )
    options: dict[str, str] = Field({}, description="options of the job itself")


class KafkaSettings(Section):
    """Where records come from and where dead letters go."""

    bootstrap_servers: str = Field("localhost:9092", description="brokers, `host:port,...`")
    topic: str = Field("device-telemetry", description="topics to read, separated by commas")
    dead_letter_topic: str = Field("", description="default: the first topic's name and `.dlq`")
    create_dead_letter_topic: bool = Field(True, description="make it when it is missing")
    starting_offsets: str = Field(
        "latest", description="`latest`, `earliest` or offsets as JSON; only for a new generation"
    )
    fail_on_data_loss: bool = Field(False, description="stop when records are gone unread")
    max_offsets_per_trigger: PositiveInt = Field(1000, description="records in one micro-batch")
    timeout_seconds: PositiveFloat = Field(10, description="how long a broker may take to answer")
    options: dict[str, str] = Field(
        {}, description="`kafka.*` options of Spark's source and sink, without `kafka.`"
    )

    @property
    def topics(self) -> list[str]:
        """The topics that are read, in the order given."""
        return [name.strip() for name in self.topic.split(",") if name.strip()]

    @property
    def dead_letters(self) -> str:
        """The dead letter topic."""
        return self.dead_letter_topic or f"{self.topics[0]}.dlq"

    @property
    def isolation(self) -> str:
        """Which records Spark is shown of transactions; its client is Kafka's own."""
        return self.options.get("isolation.level", "read_uncommitted")


class DlqSettings(Section):
    """What becomes of dead letters."""

    max_replays: PositiveInt = Field(
        3, description="how often one record may be replayed: it may come back each time"
    )


class CheckpointSettings(Section):
    """Where Spark keeps its progress and state."""

    location: str = Field("data/checkpoint", description="path or URL")
    lease_seconds: PositiveFloat = Field(
        30, description="a lease not renewed for so long may be taken over"
    )
    protected: bool = Field(False, description="changes need `--accept-protected`")
    trash_days: PositiveFloat = Field(
        7, description="how long what was removed can be brought back"
    )
    keep_generations: PositiveInt = Field(
        3, description="old generations that `checkpoint prune` keeps"
    )
    generation: str = Field("", description="run in this generation, not in the current one")


class BackupSettings(Section):
    """Where backups are, and how many stay."""

    location: str = Field("", description="path or URL; default: beside the checkpoint")
    at_least: PositiveInt = Field(2, description="so many stay, whatever a policy says")


class OutputSettings(Section):
    """Where results go."""

    location: str = Field("data/output", description="path or URL")
    topics: Literal["send", "files"] = Field(
        "send", description="`files`: what queries would send to topics goes to files instead"
    )


class StreamSettings(Section):
    """Event time and triggers."""

    window: str = Field("1 minute", description="length of a tumbling window")
    watermark: str = Field("10 minutes", description="how late a record may be")
    trigger: str = Field(
        "0 seconds", description="processing time trigger; `once` = all there is now"
    )


class CatchUpSettings(Section):
    """Larger batches while the job is behind."""

    enabled: bool = Field(
        False, description="let batches grow over `kafka.max_offsets_per_trigger` while behind"
    )
    target_batch_seconds: PositiveFloat = Field(
        10, description="batches shrink again when they take longer"
    )
    max_records: PositiveInt = Field(100_000, description="records in the largest batch")


class SparkSettings(Section):
    """How Spark runs."""

    master: str = Field("local[*]", description="`local[N]`, `spark://`, `k8s://`, `yarn`")
    shuffle_partitions: PositiveInt = Field(4, description="pinned by the checkpoint once made")
    driver_memory: str = Field("1g", description="heap of the driver")
    executor_memory: str = Field("1g", description="heap of each executor")
    state_store: Literal["rocksdb", "hdfs"] = Field("rocksdb", description="pinned as well")
    class_archive: bool = Field(True, description="keep a class-data archive for faster starts")
    options: dict[str, str] = Field({}, description="any `spark.*` option, by its whole name")


class LimitsSettings(Section):
    """What the job may take of its machine."""

    disk_floor_bytes: Annotated[int, Field(ge=0)] = Field(
        128 * 1024 * 1024,
        description="with less free at checkpoint or output the job stops in order; 0: never",
    )
    rocksdb_memory_mb: Annotated[int, Field(ge=0)] = Field(
        512, description="all RocksDB stores of a process together; 0: no bound"
    )


class SuperviseSettings(Section):
    """When the driver is started again."""

    attempts: Annotated[int, Field(ge=0)] = Field(
        3, description="restarts after a failure of the infrastructure"
    )
    initial_backoff_seconds: NonNegativeFloat = Field(
        1, description="wait before the first restart"
    )
    backoff_factor: Annotated[float, Field(ge=1)] = Field(2, description="growth of the wait")
    max_backoff_seconds: PositiveFloat = Field(60, description="cap of the wait")
    jitter: Share = Field(0.2, description="random share added to each wait")
    broker_patience_seconds: NonNegativeFloat = Field(
        900, description="how long an unreachable broker is waited for before an attempt counts"
    )
    nice: Annotated[int, Field(ge=0, le=19)] = Field(
        0, description="priority of the driver: 19 leaves the processors to all others"
    )
    standby: bool = Field(
        False, description="keep a second driver ready to take over; costs its memory"
    )
    stable_seconds: PositiveFloat = Field(300, description="a run so long refills the attempts")


class StopSettings(Section):
    """How the job ends."""

    deadline_seconds: PositiveFloat = Field(
        120, description="how long a graceful stop waits for the running batch"
    )


class StartSettings(Section):
    """What `start` asks for."""

    wait_seconds: PositiveFloat = Field(
        180, description="how long `start` waits for the first batch"
    )
    min_free_disk_bytes: Annotated[int, Field(ge=0)] = Field(
        256 * 1024 * 1024, description="less free space at the checkpoint refuses a start"
    )


class LogSettings(Section):
    """What is written to the logs."""

    level: Literal["DEBUG", "INFO", "WARN", "ERROR"] = Field(
        "INFO", description="of streamctl and job"
    )
    spark_level: Literal["DEBUG", "INFO", "WARN", "ERROR"] = Field("WARN", description="of Spark")
    max_bytes: PositiveInt = Field(
        20 * 1024 * 1024, description="a log file is rotated at this size"
    )
    keep_files: PositiveInt = Field(5, description="rotated files that are kept")


class Settings(Section):
    """Everything that can be set."""

    job: JobSettings = JobSettings()
    kafka: KafkaSettings = KafkaSettings()
    dlq: DlqSettings = DlqSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    backup: BackupSettings = BackupSettings()
    output: OutputSettings = OutputSettings()
    stream: StreamSettings = StreamSettings()
    catch_up: CatchUpSettings = CatchUpSettings()
    spark: SparkSettings = SparkSettings()
    limits: LimitsSettings = LimitsSettings()
    supervise: SuperviseSettings = SuperviseSettings()
    start: StartSettings = StartSettings()
    stop: StopSettings = StopSettings()
    log: LogSettings = LogSettings()
