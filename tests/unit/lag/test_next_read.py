"""Which record `lag peek` shows when it is not told."""

from datetime import UTC, datetime

import pytest

from streamctl.errors import NotFound, SettingsInvalid
from streamctl.lag.next_read import next_to_read, one_topic
from streamctl.lag.positions import Positions, Step

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def query(ends, *, planned=None):
    step = Step(batch_id=0, planned_at=NOW, committed_at=NOW, ends=ends)
    return Positions(
        steps=(step,) if ends else (), planned=planned, planned_batch_id=0, planned_at=NOW
    )


READS = query({"events": {0: 5, 3: 7}})
BEGUN = query({}, planned={"events": {0: 5}})


@pytest.mark.parametrize(
    ("positions", "default", "topic"),
    [
        ([READS], ["settings"], "events"),  # what the checkpoint reads, not what settings name
        ([BEGUN], ["settings"], "events"),
        ([], ["settings"], "settings"),
    ],
)
def test_a_partition_alone_is_of_the_topic_that_is_read(positions, default, topic):
    assert one_topic(positions, default=default) == topic


@pytest.mark.parametrize(
    ("positions", "default"),
    [([query({"a": {0: 1}, "b": {0: 1}})], ["a"]), ([READS, query({"b": {0: 1}})], []), ([], "ab")],
)
def test_a_partition_alone_of_several_topics_is_not_guessed(positions, default):
    with pytest.raises(SettingsInvalid, match="several topics"):
        one_topic(positions, default=default)


def test_the_next_record_is_that_of_the_slowest_query():
    slow = query({"events": {3: 2}})
    assert next_to_read([READS], "events", 3) == 7
    assert next_to_read([READS, slow], "events", 3) == 2


def test_a_partition_that_is_new_is_read_from_its_start():
    assert next_to_read([READS], "events", 9) is None


@pytest.mark.parametrize(
    ("positions", "why"),
    [
        ([READS], '"other" is not in the checkpoint'),
        ([BEGUN], "no batch is committed yet"),
        ([], "no batch is committed yet"),
    ],
)
def test_what_is_not_known_is_not_the_oldest_record(positions, why):
    with pytest.raises(NotFound, match=why):
        next_to_read(positions, "other", 3)
