"""What the broker says of each topic, asked once in a measurement."""

from datetime import datetime

from streamctl.errors import TopicNotFound
from streamctl.kafka.client import Broker

Marks = dict[int, tuple[int, int]]
"""Partition -> log start and log end."""


class Topics:
    """The answers.

    Args:
        broker: that is asked.
        now: the moment of the measurement.
    """

    def __init__(self, broker: Broker, *, now: datetime) -> None:
        self.broker = broker
        self.now = now
        self._marks: dict[str, Marks | None] = {}
        self._ends_at: dict[tuple[str, datetime], dict[int, int | None]] = {}

    def marks(self, topic: str) -> Marks | None:
        """Log starts and ends; None when the topic is not there.

        Raises:
            BrokerUnreachable: no answer.
        """
        if topic not in self._marks:
            try:
                self._marks[topic] = self.broker.watermarks(topic)
            except TopicNotFound:
                self._marks[topic] = None
        return self._marks[topic]

    def ends_at(self, topic: str, moment: datetime) -> dict[int, int]:
        """Where each partition ended at a past moment, by the records' timestamps."""
        key = (topic, moment)
        if key not in self._ends_at:
            self._ends_at[key] = self.broker.offsets_for_time(topic, moment)
        marks = self.marks(topic) or {}
        found = self._ends_at[key]
        return {p: high if (at := found.get(p)) is None else at for p, (_, high) in marks.items()}
