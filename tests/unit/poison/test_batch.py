"""The planned batch: its ranges, and which record a number is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.poison.batch import Part, PlannedBatch, planned_batches
from tests.written import Written

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GENERATION = Generation(name="0001", created_at=NOON, job="m:J", why="test", starting_offsets="{}")


def part(partition, start, end, topic="t"):
    return Part(topic=topic, partition=partition, start=start, end=end)


def planned(tmp_path):
    return planned_batches(Store.open(str(tmp_path)), GENERATION)


def test_the_batch_after_the_committed_one_with_a_partition_that_was_added(tmp_path):
    written = Written(tmp_path / "0001" / "q")
    written.commit({"t": {0: 10, 1: 5}}, at=NOON)
    written.plan({"t": {0: 14, 1: 5, 2: 3}}, at=NOON)
    Written(tmp_path / "0001" / "idle").commit({"t": {0: 14}}, at=NOON)
    (batch,) = planned(tmp_path)
    assert (batch.query, batch.batch_id, batch.records) == ("q", 1, 7)
    assert batch.parts == (part(0, 10, 14), part(2, 0, 3))


def test_the_first_batch_begins_where_the_source_began(tmp_path):
    written = Written(tmp_path / "0001" / "q")
    written.plan({"t": {0: 14}}, at=NOON)
    (written.path / "sources" / "0").mkdir(parents=True)
    (written.path / "sources" / "0" / "0").write_text('\0v1\n{"t":{"0":4}}')
    (batch,) = planned(tmp_path)
    assert batch.parts == (part(0, 4, 14),)


PARTS = (part(0, 10, 14), part(1, 0, 1), part(0, 5, 8, topic="u"))


@pytest.fixture
def batch(tmp_path):
    Written(tmp_path / "q")
    checkpoint = Checkpoint.open(str(tmp_path / "q"))
    return PlannedBatch(query="q", checkpoint=checkpoint, batch_id=1, parts=PARTS)


def places(parts):
    return [(p.topic, p.partition, offset) for p in parts for offset in range(p.start, p.end)]


def test_each_record_has_a_number(batch):
    assert [places([batch.place(number)])[0] for number in range(8)] == places(PARTS)


@given(data=st.data())
def test_ranges_of_numbers_are_ranges_of_offsets(data):
    start = data.draw(st.integers(0, 8))
    end = data.draw(st.integers(start, 8))
    made = PlannedBatch(query="q", checkpoint=None, batch_id=1, parts=PARTS)  # type: ignore[arg-type]
    assert places(made.within([(start, end)])) == places(PARTS)[start:end]
    rest = made.within([(0, start), (end, 8)])
    assert places(rest) == places(PARTS)[:start] + places(PARTS)[end:]
