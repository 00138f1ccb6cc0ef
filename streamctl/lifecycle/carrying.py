"""Rotates the job by its settings: a new generation reads on where the old one stopped."""

from datetime import UTC, datetime

from streamctl.checkpoint.change.area import Area
from streamctl.checkpoint.change.plan import Plan
from streamctl.checkpoint.change.rotate import plan_rotate
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.tree.files import local_path
from streamctl.settings.model import Settings


def plan_carrying(settings: Settings, area: Area, *, why: str) -> Plan:
    """Plan it. The offsets are carried, so the topics are those that the generation began with.

    Raises:
        CheckpointNotFound: no generation yet, or nothing committed that could be carried.
        Unsupported: a source is not Kafka.
    """
    current = generations.current(area.store)
    return plan_rotate(
        area,
        job=settings.job.entry,
        starting=None,
        topic_ids=current.topic_ids if current else {},
        sinks=sinks_of(settings, area),
        kafka=None,
        why=why,
        now=datetime.now(UTC),
    )


def sinks_of(settings: Settings, area: Area) -> dict[str, str]:
    """Where the queries of the current generation put their output: query -> path or URL."""
    current = generations.current(area.store)
    if current is None:
        return {}
    base = current.output_location or settings.output.location
    places = {
        query: generations.base(base, f"{current.name}/{query}")
        for query in generations.queries(area.store, current.name)
    }
    return {query: local_path(place) or place for query, place in places.items()}
