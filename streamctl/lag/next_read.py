"""Which record of a partition comes next, by the positions of the queries that read it. Pure."""

from collections.abc import Sequence

from streamctl.checkpoint.formats.model import KafkaOffsets
from streamctl.errors import NotFound, SettingsInvalid
from streamctl.lag.positions import Positions


def one_topic(positions: Sequence[Positions], *, default: Sequence[str]) -> str:
    """The topic of a partition that was given without one.

    Args:
        positions: of the queries; what they read wins.
        default: the topics of the settings.

    Raises:
        SettingsInvalid: there are several.
    """
    topics = sorted({topic for each in positions for topic in _read(each)}) or sorted(default)
    if len(topics) > 1:
        raise SettingsInvalid(
            "the partition may be of several topics",
            hint=f"Give it as {topics[0]}:3; there are {', '.join(topics)}.",
        )
    return topics[0]


def next_to_read(positions: Sequence[Positions], topic: str, partition: int) -> int | None:
    """The offset; None for the log's first: Spark reads a new partition from its start.

    Of several queries, that of the slowest.

    Raises:
        NotFound: no batch is committed, or the topic is not read.

    Source: Spark `KafkaMicroBatchStream`.
    """
    held = [each.committed for each in positions if each.committed]
    if not held:
        raise NotFound(
            "no batch is committed yet, so it is not known what is read next",
            hint="Give --at, an offset or a time.",
        )
    if not any(topic in committed for committed in held):
        there = ", ".join(sorted({name for committed in held for name in committed}))
        raise NotFound(
            f'topic "{topic}" is not in the checkpoint',
            hint=f"It reads {there}. With --at any record is shown.",
        )
    at = [committed.get(topic, {}).get(partition) for committed in held]
    return min((offset for offset in at if offset is not None), default=None)


def _read(positions: Positions) -> KafkaOffsets:
    return positions.committed or positions.planned or {}
