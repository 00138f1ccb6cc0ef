"""Backups of the job by its settings."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from streamctl.checkpoint.backup.policy import Policy
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.schedule import Round, make_round
from streamctl.checkpoint.backup.sources import find_sources, settings_digest
from streamctl.checkpoint.backup.take import About, Source, default_location
from streamctl.errors import BrokerUnreachable, StreamctlError, TopicNotFound, Unsupported
from streamctl.kafka.client import Broker
from streamctl.reports import OnEvent, Verdict, ignore
from streamctl.settings.model import BackupSettings, Settings

Ends = dict[str, dict[int, int]]
_KAFKA_SECONDS = 2.0


def repository_of(
    settings: Settings, place: str = "", *, location: str = "", create: bool = False
) -> Repository:
    """Where backups are: as given, else as set, else beside the checkpoint.

    Raises:
        NotFound: there is none yet, and `create` is false.
        StreamctlError: it cannot be read.
    """
    chosen = place or settings.backup.location
    return Repository.open(
        chosen or default_location(location or settings.checkpoint.location), create=create
    )


def sources_of(
    settings: Settings,
    location: str,
    *,
    query: str = "",
    sink: str = "",
    warn: Callable[[str], None],
) -> tuple[list[Source], About]:
    """The queries at a location, and what a manifest says beside them.

    Args:
        settings: of the job.
        location: of a checkpoint or of generations.
        query: only this one; empty for all.
        sink: output of the file sink of a checkpoint given by its path.
        warn: told when the lag of a restore cannot be known.

    Raises:
        CheckpointNotFound: nothing there, or nothing of that name.
        StorageFailed: the store cannot be read.
    """
    sources, generation = find_sources(
        location, query=query, output=settings.output.location, sink=sink
    )
    topics = (generation or {}).get("topic_ids") or _known_topics(settings, sources)
    ends, topic_ids = _ask(settings, sorted(topics), warn)
    return sources, About(
        location=location,
        generation=generation,
        settings_digest=settings_digest(settings.model_dump_json()),
        spark_version=_spark_version() if generation else "",
        topic_ids=topic_ids,
        log_ends=ends,
    )


def _spark_version() -> str:
    from streamctl.jars import spark_version

    with suppress(Unsupported):  # backups need no pyspark
        return spark_version()
    return ""


def _known_topics(settings: Settings, sources: list[Source]) -> set[str]:
    """Of a checkpoint by its path, what the settings name too: Kafka is theirs."""
    found: set[str] = set()
    for source in sources:
        with suppress(StreamctlError):
            committed = source.checkpoint.position().committed
            found |= {topic for held in committed for topic in held.kafka or {}}
    return found & set(settings.kafka.topics)


def _ask(
    settings: Settings, topics: list[str], warn: Callable[[str], None]
) -> tuple[Ends, dict[str, str]]:
    """Where the topics end now, and their ids; nothing when Kafka is silent, which is only said."""
    if not topics:
        return {}, {}
    try:
        with Broker.of(settings.kafka, timeout_seconds=_KAFKA_SECONDS) as broker:
            ends = {
                topic: {p: high for p, (_, high) in broker.watermarks(topic).items()}
                for topic in topics
            }
            return ends, {topic: broker.topic(topic).topic_id or "" for topic in topics}
    except (BrokerUnreachable, TopicNotFound) as error:
        warn(f"The lag of a restore is not known: {error.message}.")
        return {}, {}


def policy_of(settings: BackupSettings) -> Policy:
    """Which backups stay, as set."""
    days = settings.keep_within_days
    return Policy(
        last=settings.keep_last,
        hourly=settings.keep_hourly,
        daily=settings.keep_daily,
        weekly=settings.keep_weekly,
        within=timedelta(days=days) if days else None,
        at_least=settings.at_least,
    )


def back_up(settings: Settings, *, on_event: OnEvent = ignore) -> Round:
    """One round by the settings. What goes wrong is in the report."""
    now = datetime.now(UTC)
    try:
        sources, about = sources_of(settings, settings.checkpoint.location, warn=lambda _: None)
        return make_round(
            repository_of(settings, create=True),
            sources,
            about,
            policy_of(settings.backup),
            read_data=settings.backup.read_data,
            now=now,
            on_event=on_event,
        )
    except StreamctlError as error:
        return Round(verdict=Verdict.PROBLEM, at=now, problem=error.message)
