"""Words, times and offsets, as ranges of partitions."""

from datetime import UTC, datetime

import pytest

from streamctl.errors import Refused, SettingsInvalid, TopicNotFound
from streamctl.reprocess.plan import Rate, expected_seconds, gone_in, pace, require_whole
from streamctl.reprocess.request import Point, Range, Request, parse_offsets, resolve

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIEST, NOW = Point(word="earliest"), Point(word="now")


class Kafka:
    """Two partitions: one whole, one whose first 100 records are deleted."""

    def __init__(self, at=None):
        self.at = at or {}

    def watermarks(self, topic):
        assert topic == "t"
        return {0: (0, 50), 1: (100, 300)}

    def offsets_for_time(self, topic, moment):
        return {p: self.at.get((p, moment)) for p in self.watermarks(topic)}


def ranges(log=None, start=EARLIEST, end=NOW):
    found = resolve(log or Kafka(), ["t"], start=start, end=end)
    return {part.partition: (part.start, part.end, part.gone) for part in found}


def test_earliest_to_now_is_all_that_kafka_has():
    assert ranges() == {0: (0, 50, 0), 1: (100, 300, 0)}


def test_offsets_before_the_log_start_are_gone_and_counted():
    start = Point(offsets={"t": {0: 7, 1: 60}})
    assert ranges(start=start) == {0: (7, 50, 0), 1: (100, 300, 40)}


def test_partitions_that_are_not_named_are_taken_whole():
    found = ranges(start=Point(offsets={"t": {0: 7}}), end=Point(offsets={"t": {1: 200}}))
    assert found == {0: (7, 50, 0), 1: (100, 200, 0)}


def test_times_are_the_first_record_at_or_after_them():
    later = datetime(2026, 3, 1, 13, tzinfo=UTC)
    log = Kafka({(0, NOON): 10, (1, NOON): 150, (0, later): 20})
    found = ranges(log, start=Point(moment=NOON), end=Point(moment=later))
    assert found == {0: (10, 20, 0), 1: (150, 300, 0)}


def test_a_log_that_begins_after_the_time_has_lost_what_cannot_be_counted():
    log = Kafka({(0, NOON): 0, (1, NOON): 100})
    assert ranges(log, start=Point(moment=NOON)) == {0: (0, 50, 0), 1: (100, 300, None)}


def test_an_end_before_the_start_reads_nothing_of_that_partition():
    found = ranges(start=Point(offsets={"t": {0: 40}}), end=Point(offsets={"t": {0: 30}}))
    assert found[0] == (40, 40, 0)


def test_an_empty_range_is_refused():
    at_end = Point(offsets={"t": {0: 50, 1: 300}})
    with pytest.raises(Refused, match="no record from"):
        ranges(start=at_end)


def test_an_end_past_the_log_is_refused():
    with pytest.raises(SettingsInvalid, match=r"--to 51 is past the end of t partition 0.* 50"):
        ranges(end=Point(offsets={"t": {0: 51}}))


def test_an_unknown_partition_is_named():
    with pytest.raises(TopicNotFound, match='"t" has no partition 2'):
        ranges(start=Point(offsets={"t": {2: 0}}))


def test_what_is_gone_is_named_and_refused_unless_allowed():
    lost = [
        Range(topic="t", partition=0, start=0, end=9, gone=0),
        Range(topic="t", partition=1, start=100, end=300, gone=40),
        Range(topic="t", partition=2, start=5, end=9, gone=None),
    ]
    with pytest.raises(Refused, match=r"t partition 1 begins at 100, 40 later.*t partition 2"):
        require_whole(lost, allow_gone=False)
    require_whole(lost, allow_gone=True)
    require_whole(lost[:1], allow_gone=False)
    assert (gone_in(lost), gone_in(lost[:2])) == (None, 40)


@pytest.mark.parametrize(
    ("rate", "records", "trigger"),
    [
        (None, 100_000, "0 seconds"),
        (1000, 10_000, "10 seconds"),
        (50_000, 100_000, "2 seconds"),
        (200_000, 100_000, "1 seconds"),
        (3, 30, "10 seconds"),
    ],
)
def test_batches_keep_to_a_rate(rate, records, trigger):
    found = pace(rate, batch_records=100_000)
    assert (found.max_offsets_per_trigger, found.trigger) == (records, trigger)
    if rate:
        assert found.max_offsets_per_trigger / int(trigger.split()[0]) <= rate


def test_the_expected_time_comes_from_the_slower_of_rate_and_limit():
    rate = Rate(records_per_second=500, measured="somewhere")
    assert expected_seconds(1000, rate, max_rate=None) == (2.0, "somewhere")
    assert expected_seconds(1000, rate, max_rate=100) == (10.0, "--max-rate 100")
    assert expected_seconds(1000, rate, max_rate=1000) == (2.0, "somewhere")
    assert expected_seconds(1000, None, max_rate=None)[0] is None


def test_requests_are_equal_as_text_and_come_back():
    request = Request(job="m:J", topics="t", start="2h", end="now")
    assert Request.parse(request.as_text()) == request


@pytest.mark.parametrize("text", ["{", "[]", '{"t": 3}', '{"t": {"x": 1}}'])
def test_bad_offsets_are_a_usage_error(text):
    with pytest.raises(SettingsInvalid, match="are no offsets"):
        parse_offsets(text)
