"""`lag peek`: which record is asked for, without a broker."""

from datetime import UTC, datetime

import pytest

from streamctl.lag import peek as peeking
from streamctl.lag.peek import PeekReport
from tests.written import Written

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def peeked(streamctl, monkeypatch):
    """The result, and the topic, partition and place that the broker was asked for."""

    def run(*arguments):
        asked = []

        def peek(_broker, topic, partition, *, at, limit_bytes):
            asked.append((topic, partition, at))
            return PeekReport(
                topic=topic, partition=partition, offset=0, timestamp=NOW, key=None, value="v",
                value_bytes=1, cut=limit_bytes < 1, headers={},
            )  # fmt: skip

        monkeypatch.setattr(peeking, "peek", peek)
        return streamctl("lag", "peek", "-o", "json", *arguments), asked

    return run


@pytest.fixture
def checkpoint(tmp_path):
    written = Written(tmp_path / "other")
    written.commit({"events": {3: 7}}, at=NOW)
    return ("--checkpoint", str(written.path))


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (("--partition", "3"), ("events", 3, 7)),  # the topic of the checkpoint, not the settings'
        (("--partition", "events:3"), ("events", 3, 7)),
        (("--partition", "3", "--at", "2"), ("events", 3, 2)),
        (("--partition", "other:3", "--at", "2"), ("other", 3, 2)),
        (("--partition", "4"), ("events", 4, None)),  # new: read from its start
    ],
)
def test_the_place_comes_from_the_checkpoint_that_was_given(peeked, checkpoint, arguments, place):
    result, asked = peeked(*checkpoint, *arguments)
    assert (result.exit_code, asked) == (0, [place]), result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("--checkpoint", "other", "--partition", "device-telemetry:3"), 10, "is not in the"),
        (("--checkpoint", "nowhere", "--partition", "3"), 10, "no checkpoint in"),
        (("--partition", "3"), 10, "no batch is committed yet"),
        (("--partition", "x"), 2, "--partition"),
    ],
)
def test_what_is_read_next_is_not_guessed(peeked, checkpoint, arguments, code, why):
    del checkpoint
    result, asked = peeked(*arguments)
    assert (result.exit_code, asked) == (code, [])
    assert why in result.stderr


def test_before_the_job_began_the_topic_is_that_of_the_settings(peeked):
    result, asked = peeked("--partition", "3", "--at", "0")
    assert (result.exit_code, asked) == (0, [("device-telemetry", 3, 0)]), result.stderr
