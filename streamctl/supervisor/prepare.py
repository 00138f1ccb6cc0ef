"""What an attempt is told: the generation, where it starts, what its checkpoint pins.

A new generation is given explicit starting offsets for every partition. Spark would let each
query find "latest" by itself, at its own moment, and records between those moments would be
seen by one query and not by the other.
"""

import json
from datetime import datetime
from pathlib import Path

from streamctl.checkpoint.location import generations, quarantine
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, Refused, SettingsInvalid, TopicMadeAnew
from streamctl.job import archive as class_archive
from streamctl.kafka.client import Broker
from streamctl.rundir.records import Launch
from streamctl.settings.model import Settings

_LATEST, _EARLIEST = -1, -2


def current_generation(
    store: Store, settings: Settings, broker: Broker, *, now: datetime
) -> Generation:
    """The generation to run in; the first start makes `0001`.

    Raises:
        Refused: the checkpoint belongs to another job.
        NotFound: the settings name a generation that is not there.
        BrokerUnreachable, TopicNotFound: the starting offsets cannot be found out.
    """
    named = settings.checkpoint.generation
    generation = generations.read(store, named) if named else generations.current(store)
    if generation is None:
        return new_generation(store, settings, broker, now=now, why="first start")
    require_job(generation, settings)
    return generation


def require_job(generation: Generation, settings: Settings) -> None:
    """Guard against running one job on another's checkpoint.

    Raises:
        Refused: it is another's.
    """
    if generation.job != settings.job.entry:
        raise Refused(
            f'the checkpoint belongs to job "{generation.job}", not "{settings.job.entry}"',
            hint="Give the new job a checkpoint of its own with --checkpoint.",
        )


def require_topics(generation: Generation, topic_ids: dict[str, str | None]) -> None:
    """Guard against a topic that was deleted and made anew: its offsets mean other records.

    Raises:
        TopicMadeAnew: the broker's id of a topic is not the one that the generation began with.
    """
    for topic, began_with in generation.topic_ids.items():
        now = topic_ids.get(topic)
        if began_with and now and now != began_with:
            raise TopicMadeAnew(
                f'topic "{topic}" was made anew since generation {generation.name} began',
                hint="Its old offsets mean other records now. To begin with the new topic, run "
                "`streamctl checkpoint rotate --from earliest --accept-new-topic`.",
            )


def new_generation(
    store: Store, settings: Settings, broker: Broker, *, now: datetime, why: str
) -> Generation:
    """Record a generation that starts where the settings say, and point to it."""
    generation = Generation(
        name=generations.next_name(store),
        created_at=now,
        job=settings.job.entry,
        starting_offsets=json.dumps(starting_offsets(settings, broker)),
        topic_ids={name: broker.topic(name).topic_id or "" for name in settings.kafka.topics},
        why=why,
    )
    generations.add(store, generation)
    return generation


def starting_offsets(settings: Settings, broker: Broker) -> dict[str, dict[str, int]]:
    """The first offset to read, for every partition of every topic.

    Raises:
        SettingsInvalid: `kafka.starting_offsets` is neither a word nor such a JSON object.
    """
    wanted = _parse_starting(settings.kafka.starting_offsets)
    found: dict[str, dict[str, int]] = {}
    for topic in settings.kafka.topics:
        given = wanted.get(topic, {}) if isinstance(wanted, dict) else {}
        word = _EARLIEST if wanted == "earliest" else _LATEST
        found[topic] = {
            str(partition): _explicit(int(given.get(str(partition), word)), low, high)
            for partition, (low, high) in sorted(broker.watermarks(topic).items())
        }
    return found


def _explicit(offset: int, low: int, high: int) -> int:
    """Kafka's words for an end, as an offset."""
    return {_EARLIEST: low, _LATEST: high}.get(offset, offset)


def _parse_starting(text: str) -> str | dict[str, dict[str, int]]:
    if text in {"latest", "earliest"}:
        return text
    try:
        offsets = json.loads(text)
        return {topic: dict(partitions) for topic, partitions in offsets.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise SettingsInvalid(
            f'kafka.starting_offsets: "{text}" is not valid',
            hint='Give latest, earliest, or JSON such as {"topic": {"0": 123, "1": -2}}.',
        ) from error


def state_format_version(store: Store, generation: Generation) -> int | None:
    """The `checkpointFormatVersion` that the checkpoints of a generation oblige the start to.

    Spark does not pin it in the checkpoint, and starting with the other one breaks it.

    Raises:
        Refused: its queries were written with different state formats.
    """
    versions: set[int] = set()
    for query in generations.queries(store, generation.name):
        try:
            checkpoint = Checkpoint.open(f"{store.url.rstrip('/')}/{generation.name}/{query}")
        except CheckpointNotFound:
            continue  # made, and ended before its first file
        version = checkpoint.state_format_version()
        if version is not None:
            versions.add(version)
    if len(versions) > 1:
        raise Refused(
            f"queries of generation {generation.name} have different state formats",
            hint="Spark takes one format for a whole session; start a new generation.",
        )
    return versions.pop() if versions else None


def launch(
    store: Store,
    settings: Settings,
    generation: Generation,
    *,
    run_id: str,
    attempt: int,
    jars: list[Path],
    archive: Path | None,
    making: Path | None,
    trial_records: int = 0,
) -> Launch:
    """All that differs between attempts.

    Args:
        store: the checkpoint location.
        settings: as resolved at start.
        generation: to run in.
        run_id: of this `start`.
        attempt: from 1.
        jars: of the connector.
        archive: class-data archive to use if it exists; None for none.
        making: where to make one if it does not.
        trial_records: of the one batch of a trial; 0 for a usual run.
    """
    use = archive is not None and class_archive.use(archive)
    apart = bool(settings.checkpoint.generation)  # once it is the live one, it has no end
    return Launch(
        run_id=run_id,
        attempt=attempt,
        generation=generation.name,
        checkpoint_base=generations.base(settings.checkpoint.location, generation.name),
        output_base=generations.base(
            generation.output_location or settings.output.location, generation.name
        ),
        starting_offsets=generation.starting_offsets,
        ending_offsets=generation.ending_offsets if apart else "",
        bounded=generation.bounded and apart,
        state_format_version=state_format_version(store, generation),
        jars=[str(path) for path in jars],
        archive=str(archive) if use else "",
        make_archive=str(making) if making and not use else "",
        trial_records=trial_records,
        hidden=quarantine.hidden(quarantine.read(store), generation.topic_ids),
    )
