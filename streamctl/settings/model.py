"""One model of all settings, nested by topic.

A value's help text stands in its `Field`; `streamctl config` and the README's table
are made from it.
Durations in a Spark interval string ("1 minute") go to Spark as they are; all others are seconds.
"""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
)

Share = Annotated[float, Field(ge=0, le=1)]
Words = Annotated[
    list[str], BeforeValidator(lambda given: given.split() if isinstance(given, str) else given)
]
Level = Literal["DEBUG", "INFO", "WARN", "ERROR"]


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
    every_minutes: NonNegativeFloat = Field(
        0, description="take, verify and prune so often while the job runs; 0: never"
    )
    read_data: bool = Field(True, description="read every byte of a scheduled backup back")
    keep_last: Annotated[int, Field(ge=0)] = Field(
        24, description="scheduled: the newest that stay"
    )
    keep_hourly: Annotated[int, Field(ge=0)] = Field(48, description="scheduled: one an hour")
    keep_daily: Annotated[int, Field(ge=0)] = Field(14, description="scheduled: one a day")
    keep_weekly: Annotated[int, Field(ge=0)] = Field(8, description="scheduled: one a week")
    keep_within_days: NonNegativeFloat = Field(0, description="scheduled: all that are younger")


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


class BreakerSettings(Section):
    """When processing stops because too much of what comes is bad."""

    enabled: bool = Field(True, description="stop above the threshold, and try again later")
    threshold: Share = Field(0.5, description="share of rejected records above which it opens")
    minimum_records: PositiveInt = Field(500, description="fewer in the window never open it")
    window_seconds: PositiveFloat = Field(60, description="over which is counted")
    failed_batches: Annotated[int, Field(ge=0)] = Field(
        0, description="so many failed batches in the window open it too; 0: none do"
    )
    cool_down_seconds: PositiveFloat = Field(60, description="open for so long before a trial")
    cool_down_factor: Annotated[float, Field(ge=1)] = Field(
        2, description="growth of the cool-down with each trial that fails"
    )
    max_cool_down_seconds: PositiveFloat = Field(1800, description="cap of the cool-down")
    trial_records: PositiveInt = Field(100, description="records in the trial batch")


class PoisonSettings(Section):
    """Records that fail a batch each time."""

    quarantine: bool = Field(
        False, description="look for them when a batch fails for good, and go on without them"
    )
    max_records: PositiveInt = Field(
        10, description="more in one batch, or set aside in one run, are the code's fault"
    )
    search_seconds: PositiveFloat = Field(900, description="how long one search may take")


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
    hung_seconds: NonNegativeFloat = Field(
        0,
        description="a driver is killed and started again when a query says nothing for so long; "
        "one without records speaks every 10 s, and three batches are waited for; 0: never",
    )


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

    level: Level = Field("INFO", description="of streamctl, its supervisor and the job")
    spark_level: Level = Field("WARN", description="of Spark")
    levels: dict[str, Level] = Field(
        {}, description="of one logger, by its name: `org.apache.spark.sql.kafka010 = DEBUG`"
    )
    max_bytes: PositiveInt = Field(
        20 * 1024 * 1024, description="a log file is rotated at this size"
    )
    keep_files: PositiveInt = Field(5, description="rotated files that are kept")


class HttpSettings(Section):
    """Where the supervisor answers: health, metrics, the status page."""

    enabled: bool = Field(True, description="answer at all")
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="0: any free one, which `streamctl status` tells"
    )
    token: str = Field("", description="bearer token that is asked for; a secret reference")


class ObserveSettings(Section):
    """How the supervisor watches the job."""

    enabled: bool = Field(True, description="watch: HTTP, metrics and alerts need it")
    every_seconds: PositiveFloat = Field(
        5, description="time between looks; lag takes a tenth of the time at most"
    )
    partitions: bool = Field(False, description="metrics of each topic partition too")
    stall_seconds: PositiveFloat = Field(
        60, description="not ready without a batch for so long, at least; longer for slow batches"
    )
    publish_group: str = Field(
        "", description="consumer group to which the position is published; empty: none"
    )
    otlp_endpoint: str = Field(
        "", description="send metrics to this OpenTelemetry collector too; needs the extra `otel`"
    )


class AlertSettings(Section):
    """When somebody is told, and where. A threshold of 0 switches its alert off."""

    receivers: Words = Field(
        [], description="apprise URLs; references such as `${env:PAGER_URL}` are resolved"
    )
    heartbeat: Words = Field(
        [], description="apprise URLs that are told regularly that the alerter lives"
    )
    heartbeat_seconds: PositiveFloat = Field(300, description="time between heartbeats")
    average_seconds: NonNegativeFloat = Field(30, description="values are averaged over so long")
    settle_seconds: NonNegativeFloat = Field(
        60, description="good for so long before an alert closes"
    )
    hysteresis: Share = Field(0.1, description="how far below its threshold an alert closes")
    reminder_seconds: PositiveFloat = Field(3600, description="an open alert is told again")
    lag_records: NonNegativeFloat = Field(100_000, description="consumer lag of a query")
    time_lag_seconds: NonNegativeFloat = Field(600, description="age of the oldest unread record")
    errors_per_minute: NonNegativeFloat = Field(1000, description="rejected records a minute")
    rejected_share: Share = Field(0.1, description="share of records rejected in a minute")
    not_processing_seconds: NonNegativeFloat = Field(
        300,
        description="no committed batch while there is something to read; never less than the "
        "window of `/readyz`",
    )
    checkpoint_bytes: NonNegativeFloat = Field(
        50 * 1024**3, description="size of the current generation's checkpoints"
    )
    disk_free_bytes: NonNegativeFloat = Field(
        1024**3, description="less free than this, at checkpoint, output or logs"
    )
    retention_left_seconds: NonNegativeFloat = Field(
        3600, description="until Kafka deletes the oldest unread record"
    )
    attempts_left: NonNegativeFloat = Field(1, description="fewer restarts left than this")


class ChaosSettings(Section):
    """How experiments are done."""

    toxiproxy: str = Field(
        "", description="address of Toxiproxy's API, to use it instead of our own proxy"
    )


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
    breaker: BreakerSettings = BreakerSettings()
    poison: PoisonSettings = PoisonSettings()
    supervise: SuperviseSettings = SuperviseSettings()
    start: StartSettings = StartSettings()
    stop: StopSettings = StopSettings()
    log: LogSettings = LogSettings()
    http: HttpSettings = HttpSettings()
    observe: ObserveSettings = ObserveSettings()
    alerts: AlertSettings = AlertSettings()
    chaos: ChaosSettings = ChaosSettings()
