"""Records that the job is not shown: they failed a batch each time, and are dead letters instead.

`_streamctl/quarantine.json`, for all generations of a location: a batch that is run again, and a
range that is processed again, must give the same. The source leaves them out before the job sees
them, so that the ranges of batches, and with them what a sink may already have, stay as planned.
A record is named by the topic's id too, because a topic made anew has other records there.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamctl.checkpoint.location.store import Store
from streamctl.errors import Malformed
from streamctl.reports import as_json

NAME = "_streamctl/quarantine.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One record.

    Attributes:
        topic_id: the broker's; empty where it tells none.
        query, batch_id: that it failed.
        condition, message: how.
    """

    topic: str
    topic_id: str
    partition: int
    offset: int
    query: str
    batch_id: int
    condition: str
    message: str
    at: datetime

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset."""
        return self.topic, self.partition, self.offset


def read(store: Store) -> list[Quarantined]:
    """All that were set aside, oldest first.

    Raises:
        Malformed: the file is damaged: going on would run into the records again.
        StorageFailed: the store fails.
    """
    data = store.read(NAME)
    if data is None:
        return []
    try:
        return [
            Quarantined(**fields | {"at": datetime.fromisoformat(fields["at"])})
            for fields in json.loads(data)["records"]
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(
            f'"{store.at(NAME)}" is damaged: {error}',
            hint="Mend it by hand, or move it away: the job is then shown these records again.",
        ) from error


def text_of(records: Iterable[Quarantined]) -> str:
    """What `read` reads."""
    return json.dumps({"records": as_json(list(records))}, indent=1)


def hidden(records: Iterable[Quarantined], topic_ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """As ranges, those of the topics that a generation reads.

    Args:
        records: all.
        topic_ids: topic -> the broker's id of it.
    """
    return [
        {
            "topic": record.topic,
            "partition": record.partition,
            "start": record.offset,
            "end": record.offset + 1,
        }
        for record in records
        if topic_ids.get(record.topic, "") in {"", record.topic_id}
    ]
