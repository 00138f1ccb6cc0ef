"""Positions against log ends, with a broker that answers from a table."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.cli.lag_views import arranged
from streamctl.cli.lag_views import lag as lag_view
from streamctl.errors import (
    BrokerUnreachable,
    CheckpointNotFound,
    DeadlinePassed,
    Malformed,
    SettingsInvalid,
    TopicNotFound,
)
from streamctl.lag.measure import Subject, measure
from streamctl.lag.model import State
from streamctl.lag.past import Past
from streamctl.lag.positions import read_positions
from streamctl.lag.subjects import find_subjects
from streamctl.lag.topics import Topics
from streamctl.lag.wait import Bound, wait
from streamctl.reports import Verdict, ignore
from tests.written import Written

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Kafka:
    servers = "table:9092"

    def __init__(self, marks, *, past=None, ids=None):
        self.marks, self.past, self.ids = marks, past or {}, ids or {}

    def watermarks(self, topic):
        if topic not in self.marks:
            raise TopicNotFound(topic)
        return self.marks[topic]

    def offsets_for_time(self, topic, _moment):
        return self.past.get(topic, {p: high for p, (_, high) in self.marks[topic].items()})

    def topic(self, name):
        return SimpleNamespace(topic_id=self.ids.get(name))


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path / "cp")


def lag_of(written, kafka, *, topic_ids=None):
    subject = Subject(
        name="q", checkpoint=Checkpoint.open(str(written.path)), topic_ids=topic_ids or {}
    )
    report = measure([subject], kafka, location="cp", now=NOW, ages=False)
    return report, report.queries[0]


def history(written, *ends, topic="t"):
    for index, end in enumerate(ends):
        at = NOW - timedelta(seconds=10 * (len(ends) - index))
        written.commit({topic: dict(end)}, at=at)


def codes(query):
    return [(found.code, found.partition) for found in query.findings]


def test_lag_is_the_end_minus_the_committed_position(written):
    history(written, {0: 5, 1: 5}, {0: 10, 1: 20})
    written.plan({"t": {0: 12, 1: 20}}, at=NOW)
    report, query = lag_of(written, Kafka({"t": {0: (0, 15), 1: (3, 20)}}))
    assert report.lag_records == query.lag_records == 5
    assert [(p.committed, p.planned, p.lag_records) for p in query.partitions] == [
        (10, 12, 5),
        (20, 20, 0),
    ]
    assert (query.committed_batch_id, query.planned_batch_id) == (1, 2)
    assert query.skew == 2
    assert (query.state, report.verdict) == (State.OK, Verdict.OK)


@pytest.mark.parametrize(
    ("marks", "code", "lag"),
    [
        ({0: (15, 30)}, ("kafka-lost", 0), 15),  # what is left to read, and that some is gone
        ({0: (0, 9)}, ("kafka-past-end", 0), None),
        ({}, ("kafka-partition-gone", 0), None),
        ({0: (0, 10), 1: (0, 7)}, ("kafka-partition-new", 1), 7),
    ],
)
def test_what_would_be_a_wrong_number_is_a_finding(written, marks, code, lag):
    history(written, {0: 5}, {0: 10})
    report, query = lag_of(written, Kafka({"t": marks}))
    assert codes(query) == [code]
    assert query.lag_records == lag
    assert all((part.lag_records or 0) >= 0 for part in query.partitions)
    wanted = Verdict.OK if code[0] == "kafka-partition-new" else Verdict.PROBLEM
    assert report.verdict is wanted


def test_a_topic_that_is_not_there_is_not_zero_lag(written):
    history(written, {0: 5}, {0: 10})
    report, query = lag_of(written, Kafka({}))
    assert (report.lag_records, codes(query)) == (None, [("kafka-partition-gone", 0)])


def test_a_topic_made_anew_has_no_lag_at_all(written):
    history(written, {0: 5}, {0: 10})
    kafka = Kafka({"t": {0: (0, 50)}}, ids={"t": "new"})
    report, query = lag_of(written, kafka, topic_ids={"t": "old"})
    assert codes(query) == [("kafka-topic-anew", None)]
    assert report.lag_records is None
    _, query = lag_of(written, kafka, topic_ids={"t": "new"})
    assert codes(query) == []


def test_what_cannot_be_told_of_one_partition_takes_nothing_from_the_others(written):
    history(written, {0: 5, 1: 5, 2: 5}, {0: 10, 1: 10, 2: 10})
    report, query = lag_of(written, Kafka({"t": {0: (0, 15), 1: (0, 9)}}))  # 2 is gone
    assert codes(query) == [("kafka-past-end", 1), ("kafka-partition-gone", 2)]
    assert (report.lag_records, query.lag_records, query.known_lag_records) == (None, None, 5)
    assert [part.lag_records for part in query.partitions] == [5, None, None]
    assert (query.state, report.verdict) == (State.OK, Verdict.PROBLEM)
    _, query = lag_of(written, Kafka({"t": {0: (0, 10), 1: (0, 9), 2: (0, 10)}}))
    assert query.state is State.UNKNOWN  # what is known is read: that is not "nothing is unread"


def test_one_topic_made_anew_leaves_the_lag_of_the_others(written):
    for index in range(2):
        at = NOW - timedelta(seconds=20 - 10 * index)
        written.commit({"a": {0: index}, "b": {0: index}}, at=at)
    kafka = Kafka({"a": {0: (0, 4)}, "b": {0: (0, 9)}}, ids={"a": "old", "b": "new"})
    _, query = lag_of(written, kafka, topic_ids={"a": "old", "b": "old"})
    assert codes(query) == [("kafka-topic-anew", None)]
    assert [(part.topic, part.lag_records) for part in query.partitions] == [("a", 3), ("b", None)]
    assert (query.lag_records, query.known_lag_records) == (None, 3)


def test_a_topic_without_a_recorded_id_is_named(written):
    """A bare checkpoint has no record of ids: that nothing is found of it proves nothing."""
    history(written, {0: 5}, {0: 10})
    kafka = Kafka({"t": {0: (0, 10)}}, ids={"t": "x"})
    assert lag_of(written, kafka)[1].unidentified_topics == ["t"]
    assert lag_of(written, kafka, topic_ids={"t": "x"})[1].unidentified_topics == []
    told = [row for part in lag_view(lag_of(written, kafka)[0])[:1] for row in part.rows]
    assert ("not known", "whether t was made anew: no record of its id") in told


@pytest.mark.parametrize(("arrived", "state"), [("long ago", State.STOPPED), ("now", State.OK)])
def test_a_query_is_stopped_when_a_record_lay_there_for_a_whole_window(written, arrived, state):
    for index in range(3):
        at = NOW - timedelta(seconds=5000 - 10 * index)
        written.commit({"t": {0: 10 * index}}, at=at)
    kafka = Kafka({"t": {0: (0, 21)}}, past={"t": {0: 21 if arrived == "long ago" else 20}})
    _, query = lag_of(written, kafka)
    assert query.state is state


@pytest.mark.parametrize(
    ("ago", "came_ago", "unread", "looks"),
    [
        (10, 5, False, 2),
        (10, 30, True, 2),
        (10, 90, True, 1),  # the look for the arrivals tells already
        (300, 90, False, 1),  # unread a minute ago is not unread five minutes ago
        (300, 301, True, 1),
    ],
)
def test_whether_something_lay_unread(written, ago, came_ago, unread, looks):
    history(written, {0: 5}, {0: 10})
    kafka, asked = Kafka({"t": {0: (0, 11)}}), set()

    def offsets_for_time(_, moment):
        asked.add(moment)
        return {0: 10 if came_ago < (NOW - moment).total_seconds() else None}

    kafka.offsets_for_time = offsets_for_time
    positions = read_positions(Checkpoint.open(str(written.path)), batches=20)
    (part,) = lag_of(written, Kafka({"t": {0: (0, 11)}}))[1].partitions
    past = Past(positions, Topics(kafka, now=NOW), [part])
    assert past.unread_before(NOW - timedelta(seconds=ago)) is unread
    assert len(asked) == looks


def test_a_lag_that_grows_all_the_time_is_lagging(written):
    history(written, {0: 10}, {0: 20}, {0: 30})
    kafka = Kafka({"t": {0: (0, 900)}})
    kafka.offsets_for_time = lambda _, at: {0: 900 - 10 * round((NOW - at).total_seconds())}
    _, query = lag_of(written, kafka)
    assert (query.state, query.rule) == (State.LAGGING, 5)
    assert query.rates.arriving == 10


def test_before_the_first_batch_nothing_is_known(written):
    report, query = lag_of(written, Kafka({}))
    assert (report.lag_records, query.state, report.verdict) == (
        None,
        State.UNKNOWN,
        Verdict.UNKNOWN,
    )


def test_rows_by_topic_are_sums_and_totals_stay(written):
    for index in range(2):
        at = NOW - timedelta(seconds=20 - 10 * index)
        written.commit({"a": {0: index, 1: index}, "b": {0: index}}, at=at)
    report, _ = lag_of(written, Kafka({"a": {0: (0, 4), 1: (0, 5)}, "b": {0: (0, 1)}}))
    (query,) = arranged(report, by_topic=True, only_lagging=True).queries
    assert [(p.topic, p.partition, p.lag_records) for p in query.partitions] == [("a", 2, 7)]
    assert query.lag_records == 7


def test_subjects_are_a_checkpoint_or_the_queries_of_a_generation(tmp_path):
    location = tmp_path / "location"
    store = Store.open(str(location))
    with pytest.raises(CheckpointNotFound, match="no checkpoint in"):
        find_subjects(str(location))
    generations.add(
        store,
        Generation(
            name="0001", created_at=NOW, job="m:J", starting_offsets="{}", why="test",
            topic_ids={"t": "x"},
        ),
    )  # fmt: skip
    with pytest.raises(CheckpointNotFound, match="no query has begun"):
        find_subjects(str(location))
    for name in ("a", "b"):
        Written(location / "0001" / name)
    assert [s.name for s in find_subjects(str(location))] == ["a", "b"]
    assert [s.name for s in find_subjects(str(location), query="b")] == ["b"]
    assert find_subjects(str(location))[0].topic_ids == {"t": "x"}
    with pytest.raises(CheckpointNotFound, match='no query "c"'):
        find_subjects(str(location), query="c")
    (bare,) = find_subjects(str(location / "0001" / "a"))
    assert bare.name == "a"


def report_with(records, seconds=None):
    return SimpleNamespace(lag_records=records, time_lag_seconds=seconds)


@pytest.mark.parametrize(
    ("bound", "records", "seconds", "holds"),
    [
        (Bound(records=1000), 1000, None, True),
        (Bound(records=1000), 1001, None, False),
        (Bound(records=1000), None, 0, False),  # not known is not small
        (Bound(seconds=30), 10**6, 30.0, True),
        (Bound(seconds=120), 0, 121.0, False),
        (Bound(seconds=0.5), 0, None, False),
    ],
)
def test_bounds(bound, records, seconds, holds):
    assert bound.holds(report_with(records, seconds)) is holds


def look_at(*lags):
    left = list(lags)
    return lambda: report_with(left.pop(0) if len(left) > 1 else left[0])


def test_only_lagging_topics_keep_their_sums(written):
    """A row of a topic is the sum of all its partitions, whether they lag or not."""
    for index in range(2):
        at = NOW - timedelta(seconds=20 - 10 * index)
        written.commit({"a": {0: index, 1: 4}, "b": {0: index}}, at=at)
    report, _ = lag_of(written, Kafka({"a": {0: (0, 4), 1: (0, 4)}, "b": {0: (0, 1)}}))
    (query,) = arranged(report, by_topic=True, only_lagging=True).queries
    assert [(p.topic, p.partition, p.committed, p.log_end) for p in query.partitions] == [
        ("a", 2, 5, 8)
    ]


def test_the_table_tells_how_much_history_there_was_and_what_is_not_known(written):
    history(written, {0: 5, 1: 5}, {0: 10, 1: 10})
    report, _ = lag_of(written, Kafka({"t": {0: (0, 15), 1: (0, 9)}}))
    told = dict(lag_view(report)[0].rows)
    assert told["state"].endswith("(rule 6, by 10% of the history that is wanted)")
    assert told["lag"] == "not known records, not known"
    assert told["of it known"] == "5 records, not known, in 1 of 2 rows"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, monkeypatch):
        self.now, self.slept = 1.0, []
        monkeypatch.setattr("streamctl.lag.wait.time", self)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def waited(look, **changes):
    asked = {"lasting_seconds": 0, "timeout_seconds": 10, "every_seconds": 2}
    return wait(look, below=Bound(records=0), on_event=ignore, **asked | changes)


def test_wait_looks_as_often_as_asked(monkeypatch):
    clock = Clock(monkeypatch)
    waited(look_at(7, 7, 0))
    assert clock.slept == [2, 2]
    clock.slept.clear()
    waited(look_at(7, 0, 0, 0), lasting_seconds=3)
    assert clock.slept == [2, 2, 1]  # not longer than the bound has to hold
    clock.slept.clear()
    with pytest.raises(DeadlinePassed):
        waited(look_at(7), every_seconds=8)
    assert clock.slept == [8, 2]  # nor past the end
    clock.slept.clear()
    with pytest.raises(DeadlinePassed):
        waited(look_at(0), every_seconds=8, lasting_seconds=30)
    assert clock.slept == [8, 2]


def test_a_gate_stays_open_while_nothing_is_known_yet(monkeypatch):
    Clock(monkeypatch)
    told = []
    left = [BrokerUnreachable("no answer"), CheckpointNotFound("no query has begun"), 0]

    def look():
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return report_with(found)

    asked = {"lasting_seconds": 0, "timeout_seconds": 10, "every_seconds": 2}
    wait(look, below=Bound(records=0), on_event=lambda event: told.append(event.message), **asked)
    assert told == ["lag: not known (no answer)", "lag: not known (no query has begun)"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (BrokerUnreachable("no answer"), DeadlinePassed),
        (SettingsInvalid("no such setting"), SettingsInvalid),  # a later look finds the same
        (Malformed("damaged"), Malformed),
    ],
)
def test_a_look_that_always_fails(monkeypatch, error, raised):
    Clock(monkeypatch)

    def look():
        raise error

    with pytest.raises(raised, match=error.message):
        waited(look)


def test_wait_needs_the_lag_to_stay_low():
    found = wait(
        look_at(5, 0, 7, 0, 0, 0), below=Bound(records=0), lasting_seconds=0.15,
        timeout_seconds=5, every_seconds=0.1, on_event=ignore,
    )  # fmt: skip
    assert found.lag_records == 0
    with pytest.raises(DeadlinePassed, match="7 records after 0 s"):
        wait(
            look_at(7), below=Bound(records=6), lasting_seconds=0, timeout_seconds=0.2,
            every_seconds=0.1, on_event=ignore,
        )  # fmt: skip
