"""Whose offsets are overwritten, with a group that is a table."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import NotFound, Refused
from streamctl.lag import publish
from streamctl.lag.measure import Subject
from streamctl.lag.publish import publish_once
from tests.written import Written

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def group(monkeypatch):
    """(topic, partition) -> (offset, metadata)."""
    held = SimpleNamespace(offsets={}, members=0)

    def commit(_broker, _group, offsets, *, metadata):
        for topic, partitions in offsets.items():
            held.offsets |= {(topic, p): (offset, metadata) for p, offset in partitions.items()}

    def committed(_broker, _group, places):
        return {place: held.offsets[place] for place in places if place in held.offsets}

    monkeypatch.setattr(publish, "live_members", lambda *_: held.members)
    monkeypatch.setattr(publish, "committed", committed)
    monkeypatch.setattr(publish, "commit_group", commit)
    return held


@pytest.fixture
def subjects(tmp_path):
    written = Written(tmp_path / "cp")
    checkpoint = Checkpoint.open(str(written.path))
    return written, [Subject(name="q", checkpoint=checkpoint, topic_ids={})]


def test_what_was_published_is_published_again(group, subjects):
    written, found = subjects
    for offset in (3, 5):
        written.commit({"t": {0: offset}}, at=NOW)
        publish_once(found, object(), group="g", now=NOW)
        told = "derived by streamctl from Spark, 2026-03-01T12:00:00Z"
        assert group.offsets["t", 0] == (offset, told)


@pytest.mark.parametrize("metadata", ["", "consumer-1", "not derived by streamctl"])
def test_offsets_of_an_application_that_is_down_are_not_overwritten(group, subjects, metadata):
    written, found = subjects
    written.commit({"t": {0: 5, 1: 6}}, at=NOW)
    group.offsets["t", 1] = (1000, metadata)
    with pytest.raises(Refused, match="such as 1,000 of t partition 1"):
        publish_once(found, object(), group="g", now=NOW)
    assert group.offsets == {("t", 1): (1000, metadata)}
    for accepted in (True, False):  # once they are ours, they are
        publish_once(found, object(), group="g", now=NOW, accept_foreign_offsets=accepted)
    assert group.offsets["t", 1][0] == 6


def test_a_group_in_use_is_never_touched(group, subjects):
    written, found = subjects
    with pytest.raises(NotFound, match="no batch is committed"):
        publish_once(found, object(), group="g", now=NOW)
    written.commit({"t": {0: 5}}, at=NOW)
    group.members = 2
    with pytest.raises(Refused, match="2 live members"):
        publish_once(found, object(), group="g", now=NOW, accept_foreign_offsets=True)
