"""The checkpoint's offsets as those of a consumer group, for the tools that people have already.

Spark itself never commits a group. What is published is derived, and its metadata says so: by that
it is known again. An offset without this mark is an application's own, also while the application
is down and the group has no members: overwritten, it would begin somewhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from streamctl.checkpoint.formats.model import KafkaOffsets
from streamctl.errors import NotFound, Refused
from streamctl.kafka.admin import commit_group, committed, live_members
from streamctl.kafka.client import Broker
from streamctl.lag.measure import Subject
from streamctl.lag.positions import read_positions
from streamctl.reports import Verdict

_MARK = "derived by streamctl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was committed.

    Attributes:
        partitions: how many.
        offsets: topic -> partition -> next offset to read.
    """

    verdict: Verdict
    at: datetime
    group: str
    partitions: int
    offsets: KafkaOffsets


def publish_once(
    subjects: Iterable[Subject],
    broker: Broker,
    *,
    group: str,
    now: datetime,
    accept_foreign_offsets: bool = False,
) -> Published:
    """Commit the offsets of the slowest query, partition by partition.

    Args:
        subjects: the queries.
        broker: of the group.
        group: is made when it is not there.
        now: part of the metadata.
        accept_foreign_offsets: overwrite offsets that another program has committed.

    Raises:
        Refused: the group has live members, or offsets that are not ours: it belongs to somebody.
        NotFound: no batch is committed yet.
        StreamctlError: Kafka refused, or a checkpoint cannot be read.
    """
    found = _slowest(subjects)
    if not found:
        raise NotFound("no batch is committed yet, so there are no offsets to publish")
    if members := live_members(broker, group):
        raise Refused(
            f'group "{group}" has {members} live members: it is not streamctl\'s',
            hint="Choose another --group; consumers must not use this one.",
        )
    if not accept_foreign_offsets:
        _refuse_foreign(broker, group, found)
    commit_group(broker, group, found, metadata=f"{_MARK} from Spark, {now:%FT%TZ}")
    return Published(
        verdict=Verdict.OK,
        at=now,
        group=group,
        partitions=sum(map(len, found.values())),
        offsets=found,
    )


def _refuse_foreign(broker: Broker, group: str, wanted: KafkaOffsets) -> None:
    places = [(topic, partition) for topic, held in wanted.items() for partition in held]
    there = committed(broker, group, places)
    foreign = sorted(place for place, (_, told) in there.items() if not told.startswith(_MARK))
    if foreign:
        topic, partition = foreign[0]
        raise Refused(
            f'group "{group}" has offsets that streamctl did not commit, such as'
            f" {there[foreign[0]][0]:,} of {topic} partition {partition}",
            hint="Choose another --group; --accept-foreign-offsets overwrites what an application"
            " may go on from.",
        )


def _slowest(subjects: Iterable[Subject]) -> KafkaOffsets:
    slowest: KafkaOffsets = {}
    for subject in subjects:
        committed = read_positions(subject.checkpoint, batches=1).committed
        for topic, partitions in committed.items():
            known = slowest.setdefault(topic, {})
            for partition, offset in partitions.items():
                known[partition] = min(offset, known.get(partition, offset))
    return slowest
