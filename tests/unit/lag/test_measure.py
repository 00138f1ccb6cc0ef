"""Positions against log ends, with a broker that answers from a table."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.cli.lag_views import arranged
from streamctl.errors import CheckpointNotFound, DeadlinePassed, SettingsInvalid, TopicNotFound
from streamctl.lag.measure import Subject, measure
from streamctl.lag.model import State
from streamctl.lag.subjects import find_subjects
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
        ("1000", 1000, None, True),
        ("1000", 1001, None, False),
        ("1000", None, 0, False),  # not known is not small
        ("30s", 10**6, 30.0, True),
        ("2m", 0, 121.0, False),
        ("500ms", 0, None, False),
    ],
)
def test_bounds(bound, records, seconds, holds):
    assert Bound.parse(bound).holds(report_with(records, seconds)) is holds


@pytest.mark.parametrize("text", ["", "x", "3w", "-1", "s"])
def test_a_bound_that_is_none(text):
    with pytest.raises(SettingsInvalid, match="neither records nor a time"):
        Bound.parse(text)


def look_at(*lags):
    left = list(lags)
    return lambda: report_with(left.pop(0) if len(left) > 1 else left[0])


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
