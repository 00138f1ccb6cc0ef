"""Lag against a real broker, with checkpoints that are written as Spark writes them."""

import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import NotFound, Refused, StreamctlError
from streamctl.kafka.admin import committed, live_members
from streamctl.kafka.client import Broker
from streamctl.kafka.records import first_records
from streamctl.lag.measure import Subject, measure
from streamctl.lag.peek import peek
from streamctl.lag.publish import publish_once
from streamctl.lag.subjects import find_subjects
from streamctl.sandbox import lifecycle as sandbox
from tests import kafka_tools
from tests.harness import until
from tests.written import Written

pytestmark = pytest.mark.integration


def now():
    return datetime.now(UTC)


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path / "cp")


def subject(written, **topic_ids):
    checkpoint = Checkpoint.open(str(written.path))
    return Subject(name="q", checkpoint=checkpoint, topic_ids=topic_ids)


def lag_of(written, broker, **topic_ids):
    subjects = [subject(written, **topic_ids)]
    return measure(subjects, broker, location="cp", now=now()).queries[0]


def send(broker, topic, count, *, partition=0, value=b"v", timestamp=None):
    """Send records one by one; returns when each was sent, in seconds since 1970."""
    producer, sent = broker.producer({"linger.ms": 1}), []
    for _ in range(count):
        sent.append(time.time())
        more = {} if timestamp is None else {"timestamp": round(timestamp * 1000)}
        producer.produce(topic, value=value, key=b"k", partition=partition, **more)
    producer.flush()
    return sent


def test_time_lag_is_that_of_the_oldest_unread_record(broker, new_topic, written):
    topic = new_topic(partitions=3)
    for partition, age in ((0, 100), (1, 40), (2, 0)):
        send(broker, topic, 5, partition=partition, timestamp=time.time() - age)
    begin = time.time()
    sent = send(broker, topic, 1, partition=2)[0]
    written.commit({topic: {0: 3, 1: 5, 2: 5}}, at=now())
    query = lag_of(written, broker)
    behind = {part.partition: part.time_lag_seconds for part in query.partitions}
    assert behind[0] == pytest.approx(100 + time.time() - begin, abs=1)
    assert behind[1] == 0
    assert behind[2] == pytest.approx(time.time() - sent, abs=1)
    assert query.time_lag_seconds == behind[0]
    assert not any(part.time_lag_estimated for part in query.partitions)


def test_many_partitions_are_read_at_once(broker, new_topic, written):
    topic = new_topic(partitions=200)
    for partition in range(200):
        send(broker, topic, 2, partition=partition, timestamp=time.time() - partition)
    written.commit({topic: dict.fromkeys(range(200), 1)}, at=now())
    query = lag_of(written, broker)
    assert query.lag_records == 200
    for part in query.partitions:
        assert part.time_lag_seconds == pytest.approx(part.partition, abs=20)


def test_a_backlog_behind_the_oldest_records_is_not_in_the_way(broker, new_topic):
    topic = new_topic(partitions=20)
    for partition in range(20):
        send(broker, topic, 500, partition=partition)
    wanted = {(topic, partition): partition for partition in range(20)}
    found = first_records(broker, wanted, seconds=20)
    assert {place: record.offset for place, record in found.items()} == wanted


def test_records_of_an_open_transaction_are_lag(broker, new_topic, written):
    topic = new_topic(partitions=1)
    send(broker, topic, 5)
    written.commit({topic: {0: 5}}, at=now())
    producer = broker.producer({"transactional.id": topic})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, b"v")
    producer.flush()
    careful = Broker(broker.servers, options={"isolation.level": "read_committed"})
    report = measure([subject(written)], careful, location="cp", now=now(), ages=False)
    assert report.lag_records == 1
    producer.abort_transaction()


def test_records_are_those_that_the_job_is_shown(broker, new_topic, written):
    """By default Spark reads aborted records and open transactions, librdkafka neither."""
    topic = new_topic(partitions=1)
    send(broker, topic, 5)
    written.commit({topic: {0: 5}}, at=now())
    producer = broker.producer({"transactional.id": topic})
    producer.init_transactions()
    for end in (producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        producer.produce(topic, end.__name__.encode())
        producer.flush()
        (part,) = lag_of(written, broker).partitions
        assert part.oldest_unread_at is not None  # the record's own time, no neighbour's
        end()
    careful = Broker(broker.servers, options={"isolation.level": "read_committed"})
    for client, value in ((broker, "abort_transaction"), (careful, "commit_transaction")):
        assert peek(client, topic, 0, at=5, limit_bytes=99).value == value
        (record, *_) = client.read(topic, 0, 5, client.watermarks(topic)[0][1])
        assert record.value == value.encode()


@pytest.fixture
def strict_broker(tmp_path):
    """A broker of its own on which nobody may do anything with any consumer group."""
    overrides = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    report = sandbox.up(directory=tmp_path / "kafka", overrides=overrides, timeout_seconds=120)
    group = (ResourceType.GROUP, "*", ResourcePatternType.LITERAL)
    rule = AclBinding(*group, "User:ANONYMOUS", "*", AclOperation.ALL, AclPermissionType.DENY)
    try:
        with Broker(str(report.bootstrap_servers), timeout_seconds=20) as client:
            client.result(client.admin().create_acls([rule])[rule])
            yield client
    finally:
        sandbox.reset(directory=tmp_path / "kafka")


def test_who_may_use_no_group_is_told_the_lag(strict_broker, written):
    """Spark itself needs none, nor must what looks at it."""
    strict_broker.create_topic("t", partitions=2)
    send(strict_broker, "t", 5)
    written.commit({"t": {0: 2, 1: 0}}, at=now())
    with pytest.raises(StreamctlError, match="GROUP_AUTHORIZATION_FAILED"):
        publish_once([subject(written)], strict_broker, group="g", now=now())
    query = lag_of(written, strict_broker)
    assert query.lag_records == 3
    assert query.partitions[0].oldest_unread_at is not None
    assert peek(strict_broker, "t", 0, at=2, limit_bytes=9).offset == 2
    assert len(list(strict_broker.read("t", 0, 0, 5))) == 5


def test_truncated_recreated_and_grown_topics(broker, new_topic, written, tmp_path):
    topic = new_topic(partitions=1, retention_bytes="-1")
    send(broker, topic, 30)
    written.commit({topic: {0: 10}}, at=now())
    broker.delete_records(topic, {0: 20})
    query = lag_of(written, broker)
    assert [(f.code, f.detail.split()[0]) for f in query.findings] == [("kafka-lost", "10")]
    assert query.lag_records == 10

    began_with = broker.topic(topic).topic_id
    location = tmp_path / "location"
    store = Store.open(str(location))
    generation = Generation(
        name="0001", created_at=now(), job="m:J", starting_offsets="{}", why="test",
        topic_ids={topic: began_with},
    )  # fmt: skip
    generations.add(store, generation)
    Written(location / "0001" / "q").commit({topic: {0: 10}}, at=now())
    broker.delete_topic(topic)
    broker.create_topic(topic, partitions=1, config={"retention.bytes": "-1"})
    send(broker, topic, 50)  # larger than the old position: only the id tells
    (found,) = find_subjects(str(location))
    query = measure([found], broker, location="", now=now()).queries[0]
    assert [f.code for f in query.findings] == ["kafka-topic-anew"]
    assert query.lag_records is None
    assert not lag_of(written, broker).findings  # without the id there is no evidence


def test_an_eta_on_a_steady_drain(broker, new_topic, written):
    """200 records a second are read of 2400: 12 s in all, asked after 4 s."""
    topic = new_topic(partitions=1)
    send(broker, topic, 2400, timestamp=time.time() - 600)
    end = threading.Event()

    def drain():
        for offset in range(0, 2401, 100):
            written.commit({topic: {0: offset}}, at=now())
            time.sleep(0.5)
        end.set()

    drained = threading.Thread(target=drain)
    drained.start()
    time.sleep(4)
    asked = time.monotonic()
    query = lag_of(written, broker)
    drained.join()
    actual = time.monotonic() - asked - 0.5  # the last wait comes after the last commit
    assert query.rates.eta_seconds == pytest.approx(actual, rel=0.25)
    assert query.rates.eta_low_seconds <= query.rates.eta_seconds <= query.rates.eta_high_seconds
    assert lag_of(written, broker).rates.eta_seconds == 0


def test_retention_is_counted_down(broker, new_topic, written):
    """The broker of the tests looks for old segments twice a second."""
    topic = new_topic(retention_ms="12000", retention_bytes="-1", segment_ms="1000")
    send(broker, topic, 10)
    written.commit({topic: {0: 0}}, at=now())
    time.sleep(1.2)
    send(broker, topic, 1)  # rolls the segment: only closed ones are deleted
    asked, query = time.monotonic(), lag_of(written, broker)
    assert 9 < query.retention_left_seconds < 12
    until(lambda: broker.watermarks(topic)[0][0] >= 10)
    assert time.monotonic() - asked == pytest.approx(query.retention_left_seconds, rel=0.2)
    assert [found.code for found in lag_of(written, broker).findings] == ["kafka-lost"]


def test_a_topic_that_is_bound_by_size_says_so(broker, new_topic, written):
    topic = new_topic(retention_bytes="1073741824")
    send(broker, topic, 1)
    written.commit({topic: {0: 0}}, at=now())
    (found,) = lag_of(written, broker).findings
    assert (found.code, found.topic) == ("kafka-size-bound", topic)


def test_records_can_be_looked_at(broker, new_topic):
    topic = new_topic(partitions=2)
    send(broker, topic, 3, partition=1, timestamp=time.time() - 60)
    send(broker, topic, 1, partition=1, value=b"\xff\x00")
    found = peek(broker, topic, 1, at=3, limit_bytes=1)
    assert (found.offset, found.value, found.value_bytes, found.cut) == (3, "0xff", 2, True)
    later = peek(broker, topic, 1, at=now() - timedelta(seconds=30), limit_bytes=9)
    assert later.offset == 3
    assert peek(broker, topic, 1, at=None, limit_bytes=9).value == "v"
    for at in (4, now() + timedelta(hours=1)):
        with pytest.raises(NotFound, match="no record at"):
            peek(broker, topic, 1, at=at, limit_bytes=9)
    with pytest.raises(NotFound, match="has no partition 7"):
        peek(broker, topic, 7, at=0, limit_bytes=9)


def test_published_offsets_are_what_kafkas_own_tool_says(broker, new_topic, written):
    topic = new_topic(partitions=5)
    for partition in range(5):
        send(broker, topic, 10 + partition, partition=partition)
    written.commit({topic: {p: 2 * p for p in range(5)}}, at=now())
    group = f"g-{topic}"
    publish_once([subject(written)], broker, group=group, now=now())
    command = kafka_tools.describe_group(broker.servers, group)
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = {
        (topic, part.partition): (part.committed, part.log_end, part.lag_records)
        for part in lag_of(written, broker).partitions
    }
    assert kafka_tools.described(told, group) == ours
    assert len(ours) == 5


def test_a_group_that_is_in_use_is_left_alone(broker, new_topic, written):
    topic = new_topic(partitions=1)
    send(broker, topic, 1)
    written.commit({topic: {0: 1}}, at=now())
    group = f"g-{topic}"
    with closing(broker.consumer({"group.id": group, "auto.offset.reset": "earliest"})) as other:
        other.subscribe([topic])
        until(lambda: other.consume(1, timeout=0.5))
        with pytest.raises(Refused, match="has 1 live members"):
            publish_once([subject(written)], broker, group=group, now=now())


def test_offsets_of_an_application_that_is_down_are_left_alone(broker, new_topic, written):
    topic = new_topic(partitions=2)
    send(broker, topic, 9)
    written.commit({topic: {0: 1, 1: 0}}, at=now())
    group = f"g-{topic}"
    with closing(broker.consumer({"group.id": group, "auto.offset.reset": "earliest"})) as other:
        other.subscribe([topic])
        until(lambda: other.consume(9, timeout=0.5))
        other.commit(offsets=[TopicPartition(topic, 0, 7)], asynchronous=False)
    until(lambda: not live_members(broker, group))
    with pytest.raises(Refused, match=f"such as 7 of {topic} partition 0"):
        publish_once([subject(written)], broker, group=group, now=now())
    places = [(topic, 0), (topic, 1)]
    assert committed(broker, group, places) == {(topic, 0): (7, "")}
    for accepted in (True, False):  # once they are ours, they are
        publish_once(
            [subject(written)], broker, group=group, now=now(), accept_foreign_offsets=accepted
        )
        there = committed(broker, group, places)
        assert {place: offset for place, (offset, _) in there.items()} == {
            (topic, 0): 1,
            (topic, 1): 0,
        }


def test_the_command_imports_no_spark_and_starts_no_jvm(broker, new_topic, written):
    topic = new_topic(partitions=1)
    send(broker, topic, 7)
    written.commit({topic: {0: 4}}, at=now())
    script = (
        "import sys\n"
        "from streamctl.cli.app import app\n"
        "try:\n    app(['lag', '--checkpoint', sys.argv[1], '--bootstrap-servers', sys.argv[2],"
        " '-o', 'json'])\n"
        "except SystemExit:\n    pass\n"
        "print(sorted({'pyspark', 'py4j', 'jobs'} & sys.modules.keys()))\n"
    )
    command = [sys.executable, "-c", script, str(written.path), broker.servers]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer, imported = done.stdout.splitlines()
    assert '"lag_records": 3' in answer
    assert imported == "[]"
