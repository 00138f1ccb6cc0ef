"""What had arrived, and what was unread, at moments of the past: from Kafka's index of times."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from streamctl.checkpoint.formats.model import KafkaOffsets
from streamctl.lag.model import PartitionLag
from streamctl.lag.positions import Positions
from streamctl.lag.topics import Topics

_ARRIVALS = timedelta(minutes=1)


class Past:
    """The past of one query.

    Args:
        positions: of the query.
        topics: what the broker says.
        partitions: as they are now; those whose lag cannot be told are left out of all sums.
    """

    def __init__(
        self, positions: Positions, topics: Topics, partitions: Iterable[PartitionLag]
    ) -> None:
        self._positions = positions
        self._topics = topics
        self._next: defaultdict[str, dict[int, int]] = defaultdict(dict)
        for part in partitions:
            if part.lag_records is not None:
                next_to_read = max(part.committed or 0, part.log_start or 0)
                self._next[part.topic][part.partition] = next_to_read

    def arriving(self) -> float | None:
        """Records a second over the last minute; None when a topic is not there."""
        count = 0
        for topic in self._positions.committed:
            marks = self._topics.marks(topic)
            if marks is None:
                return None
            before = self._topics.ends_at(topic, self._topics.now - _ARRIVALS)
            count += sum(high - before[partition] for partition, (_, high) in marks.items())
        return count / _ARRIVALS.total_seconds() if self._positions.committed else None

    def lag_at(self, moment: datetime) -> int:
        """Records that were unread at a moment."""
        return self._unread(position_at(self._positions, moment), moment)

    def unread_before(self, moment: datetime) -> bool:
        """Whether a record that is still unread had arrived by a moment.

        One that came before the minute of the arrivals is known without asking again.
        """
        asked = self._topics.now - _ARRIVALS
        looks = (asked, moment) if asked < moment else (moment,)
        return any(self._unread(self._next, look) > 0 for look in looks)

    def _unread(self, position: KafkaOffsets, moment: datetime) -> int:
        found = 0
        for topic, partitions in self._next.items():
            ends, at = self._topics.ends_at(topic, moment), position.get(topic, {})
            found += sum(max(0, ends[p] - at[p]) for p in partitions if p in at)
        return found


def position_at(positions: Positions, moment: datetime) -> KafkaOffsets:
    """Where the query stood at a past moment: the last batch committed by then."""
    found = positions.steps[0].ends
    for step in positions.steps:
        if step.committed_at > moment:
            break
        found = step.ends
    return found
