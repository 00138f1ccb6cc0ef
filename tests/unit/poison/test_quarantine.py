"""Records are dead letters before they are hidden, and hidden as long as nobody undoes it."""

from dataclasses import replace

import pytest

from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change.area import held
from streamctl.checkpoint.change.letters import NotDelivered
from streamctl.checkpoint.location import journal, quarantine
from streamctl.checkpoint.location.quarantine import Quarantined
from streamctl.errors import Malformed
from streamctl.poison.quarantine import copy_all, plan_quarantine
from tests.unit.change.helpers import NOW, location, undo

RECORD = Quarantined(
    topic="t", topic_id="id-1", partition=0, offset=2, query="q", batch_id=7,
    condition="BOOM", message="it broke", at=NOW,
)  # fmt: skip


def set_aside(area, *records):
    plan = plan_quarantine(area, records, why="test", now=NOW, dead_letter_topic="t.dlq")
    with held(area, "test") as holding:
        return changes.apply(area, plan, holding)


def test_what_was_set_aside_is_hidden_until_it_is_undone(tmp_path):
    area = location(tmp_path)
    assert quarantine.read(area.store) == []
    set_aside(area, RECORD)
    done = set_aside(area, replace(RECORD, offset=9))
    known = quarantine.read(area.store)
    assert [record.offset for record in known] == [2, 9]
    *_, (_, entry) = journal.named_entries(area.store)
    assert (entry.verb, entry.why) == ("quarantine", "test")
    assert entry.after["facts"]["records"][0]["offset"] == 9
    assert done.undo
    undo(area)
    assert quarantine.read(area.store) == [RECORD]


@pytest.mark.parametrize(
    ("topic_ids", "count"),
    [
        ({"t": "id-1"}, 1),
        ({"t": "id-2"}, 0),  # a topic made anew has other records there
        ({"t": ""}, 1),  # a broker that tells no ids
    ],
)
def test_only_of_the_topic_that_is_read(topic_ids, count):
    hidden = quarantine.hidden([RECORD], topic_ids)
    assert hidden == [{"topic": "t", "partition": 0, "start": 2, "end": 3}] * count


def test_a_damaged_file_is_not_taken_for_an_empty_one(tmp_path):
    area = location(tmp_path)
    area.store.replace(quarantine.NAME, b"{")
    with pytest.raises(Malformed):
        quarantine.read(area.store)


class Empty:
    """A cluster that has the records no more."""

    def read(self, *_):
        return iter(())

    def producer(self, _):
        return self

    def flush(self, _):
        return 0


def test_a_record_that_cannot_be_kept_is_not_hidden():
    with pytest.raises(NotDelivered, match="t-0:2 is no longer in Kafka"):
        copy_all(Empty(), [RECORD], to="t.dlq", job="m:J")
