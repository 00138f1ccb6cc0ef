"""What retention leaves of unread records, by the settings of their topic."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from streamctl.errors import BrokerUnreachable
from streamctl.kafka.model import Record
from streamctl.lag import ages
from streamctl.lag.model import PartitionLag

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AGE = 100


def part(lag=5):
    return PartitionLag(
        topic="t", partition=0, committed=0, planned=0, log_start=0, log_end=lag, lag_records=lag
    )


@pytest.fixture
def found(monkeypatch):
    """Ages in a topic of these settings, whose oldest unread record is `AGE` seconds old."""
    at_ms = round((NOW.timestamp() - AGE) * 1000)
    record = Record(topic="t", partition=0, offset=0, timestamp_ms=at_ms, key=None, value=None)
    monkeypatch.setattr(ages, "first_records", lambda *_, **__: {("t", 0): record})

    def ask(config, **more):
        def answer():
            if config is None:
                raise BrokerUnreachable("no answer")
            return config

        monkeypatch.setattr(ages, "ask_config", lambda *_: answer)
        return ages.ages_of(SimpleNamespace(timeout_seconds=1), [part(**more)], now=NOW)

    return ask


@pytest.mark.parametrize(
    ("config", "left", "is_bound"),
    [
        ({"retention.ms": "300000", "retention.bytes": "-1"}, 200, False),
        ({"retention.ms": "300000", "retention.bytes": "1073741824"}, 200, True),
        ({"retention.ms": "-1", "retention.bytes": "1073741824"}, None, True),
        ({"retention.ms": "-1", "retention.bytes": "-1"}, None, False),
        (
            {"cleanup.policy": "compact", "retention.ms": "300000", "retention.bytes": "9"},
            None,
            False,
        ),
        ({"cleanup.policy": "compact,delete", "retention.ms": "300000"}, 200, False),
        (None, None, False),
    ],
)
def test_retention(found, config, left, is_bound):
    told = found(config)
    assert told.ages["t", 0].retention_left_seconds == left
    assert [finding.code for finding in told.findings] == ["kafka-size-bound"] * is_bound


def test_a_topic_that_is_read_to_its_end_loses_nothing_by_its_size(found):
    assert found({"retention.bytes": "9"}, lag=0).findings == []
