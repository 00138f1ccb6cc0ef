"""What is asked and told of Kafka besides offsets: settings of topics, committed groups."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from streamctl.errors import StreamctlError
from streamctl.kafka.client import TryAgain

if TYPE_CHECKING:
    from streamctl.kafka.client import Broker

T = TypeVar("T")
_OFFSETS_PER_COMMIT = 1000
"""One request becomes one batch of the offsets topic, which has the size limit of any other."""


def ask_config(broker: "Broker", topic: str) -> Callable[[], dict[str, str]]:
    """Ask now for all settings of a topic, defaults included; the answer is waited for later.

    The returned function raises:
        TopicNotFound: no such topic.
        BrokerUnreachable: no answer within the timeout.
    """
    from confluent_kafka.admin import ConfigResource, ResourceType

    asked = ConfigResource(ResourceType.TOPIC, topic)
    futures = broker.admin().describe_configs([asked], request_timeout=broker.timeout_seconds)

    def answer() -> dict[str, str]:
        entries = broker.result(futures[asked], topic=topic)
        return {name: entry.value for name, entry in entries.items() if entry.value is not None}

    return answer


def live_members(broker: "Broker", group: str) -> int:
    """How many consumers are in a group; 0 for one that is not there.

    Raises:
        BrokerUnreachable: no answer within the timeout.
    """

    def ask() -> int:
        futures = broker.admin().describe_consumer_groups(
            [group], request_timeout=broker.timeout_seconds
        )
        return len(broker.result(futures[group]).members)

    try:
        return _again(broker, ask)
    except StreamctlError as error:
        if "GROUP_ID_NOT_FOUND" in error.message:  # Kafka 4; older ones say it is dead
            return 0
        raise


def committed(
    broker: "Broker", group: str, places: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], tuple[int, str]]:
    """Topic and partition -> offset and metadata that a group has committed there, if any.

    Raises:
        StreamctlError: the cluster refused.
        BrokerUnreachable: no answer within the timeout.
    """
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

    asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in places])]

    def ask() -> dict[tuple[str, int], tuple[int, str]]:
        futures = broker.admin().list_consumer_group_offsets(
            asked, request_timeout=broker.timeout_seconds
        )
        return {
            (told.topic, told.partition): (told.offset, told.metadata or "")
            for told in broker.result(futures[group]).topic_partitions
            if told.error is None and told.offset >= 0
        }

    return _again(broker, ask)


def commit_group(
    broker: "Broker", group: str, offsets: Mapping[str, Mapping[int, int]], *, metadata: str
) -> None:
    """Commit offsets for a group from outside; it is made when it is not there.

    Raises:
        StreamctlError: the cluster refused, for instance because the group has members.
        BrokerUnreachable: no answer within the timeout.
    """
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

    wanted = [
        TopicPartition(topic, partition, offset, metadata)
        for topic, partitions in offsets.items()
        for partition, offset in partitions.items()
    ]

    def ask(some: list[TopicPartition]) -> None:
        futures = broker.admin().alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, some)], request_timeout=broker.timeout_seconds
        )
        for committed in broker.result(futures[group]).topic_partitions:
            if committed.error is not None:
                raise broker.translate(committed.error, committed.topic)

    for first in range(0, len(wanted), _OFFSETS_PER_COMMIT):
        some = wanted[first : first + _OFFSETS_PER_COMMIT]
        _again(broker, partial(ask, some))


def _again(broker: "Broker", ask: Callable[[], T]) -> T:
    """Ask until a new or moving group coordinator is there."""
    deadline = time.monotonic() + broker.timeout_seconds
    while True:
        try:
            return ask()
        except TryAgain:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
