"""A real broker comes up, survives, and leaves nothing behind."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from streamctl.errors import Busy, Refused, StreamctlError
from streamctl.kafka.client import Broker
from streamctl.reports import Event, Verdict
from streamctl.sandbox.lifecycle import down, kill, pause, reset, resume, status, up
from streamctl.sandbox.model import SandboxState

pytestmark = pytest.mark.integration


def test_the_life_of_a_sandbox(tmp_path: Path) -> None:
    where, heard = tmp_path / "one", list[Event]()
    first = up(directory=where, topics={"a": 3}, timeout_seconds=120, on_event=heard.append)
    assert (first.verdict, first.state) == (Verdict.OK, SandboxState.UP)
    assert [(topic.name, topic.partitions) for topic in first.topics] == [("a", 3)]
    assert any(event.message.startswith("starting Apache Kafka") for event in heard)
    assert first.pid is not None
    assert first.bootstrap_servers is not None

    again = up(directory=where, topics={"a": 3, "b": 1})
    assert (again.state, again.pid) == (SandboxState.ALREADY_UP, first.pid)
    assert [topic.name for topic in again.topics] == ["a", "b"]
    with pytest.raises(Refused, match="3 partitions, not 4"):
        up(directory=where, topics={"a": 4})
    with pytest.raises(Busy, match="is up on port"):
        up(directory=where, port=1)

    pause(directory=where)
    frozen = status(directory=where)
    assert (frozen.verdict, frozen.state) == (Verdict.PROBLEM, SandboxState.SILENT)
    resume(directory=where)
    assert status(directory=where).state is SandboxState.UP

    kill(directory=where)
    dead = status(directory=where)
    assert (dead.verdict, dead.state) == (Verdict.PROBLEM, SandboxState.DIED)
    assert "from outside" in dead.detail
    risen = up(directory=where, timeout_seconds=120)
    assert risen.bootstrap_servers == first.bootstrap_servers
    assert [(t.name, t.topic_id) for t in risen.topics] == [
        (t.name, t.topic_id) for t in again.topics
    ]

    assert down(directory=where).state is SandboxState.DOWN
    assert risen.pid is not None
    assert not psutil.pid_exists(risen.pid)
    assert down(directory=where).state is SandboxState.ALREADY_DOWN
    calm = status(directory=where)
    assert (calm.verdict, calm.state) == (Verdict.OK, SandboxState.DOWN)
    with pytest.raises(StreamctlError, match=r"while starting: .* log\.segment\.bytes") as caught:
        up(directory=where, overrides={"log.segment.bytes": "many"})
    assert "broker.log" in caught.value.hint
    assert status(directory=where).state is SandboxState.DOWN
    assert reset(directory=where).state is SandboxState.RESET
    assert not where.exists()


def test_a_wrong_setting_is_said_before_the_first_start(tmp_path: Path) -> None:
    with pytest.raises(StreamctlError, match=r"format .* log\.segment\.bytes"):
        up(directory=tmp_path, overrides={"log.segment.bytes": "many"})
    assert status(directory=tmp_path).state is SandboxState.DOWN


def test_an_interrupted_start_leaves_no_process(tmp_path: Path) -> None:
    """Ctrl-C while the broker comes up."""
    command = [sys.executable, "-m", "streamctl", "sandbox", "up", "--directory", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        for line in started.stderr or ():
            if line.startswith("starting"):
                while not (tmp_path / "sandbox.json").exists():
                    pass
                pid = json.loads((tmp_path / "sandbox.json").read_text())["pid"]
                started.send_signal(signal.SIGINT)
    assert started.returncode == 130
    assert not psutil.pid_exists(pid)
    assert status(directory=tmp_path).state is SandboxState.DOWN


def test_the_client_tells_what_the_broker_has(broker: Broker, new_topic) -> None:
    topic = new_topic(partitions=3)
    assert broker.ping() == 1
    report = broker.topic(topic)
    assert (report.name, report.partitions, report.leaderless) == (topic, 3, ())
    assert report.topic_id
    assert not broker.create_topic(topic, partitions=9)
    assert broker.watermarks(topic) == {0: (0, 0), 1: (0, 0), 2: (0, 0)}

    producer = broker.producer({})
    for number in range(10):
        producer.produce(topic, b"v%d" % number, partition=1, timestamp=1000 + number)
    producer.flush(20)
    assert broker.watermarks(topic)[1] == (0, 10)
    records = list(broker.read(topic, 1, 2, 5))
    assert [(r.offset, r.value, r.timestamp_ms) for r in records] == [
        (2, b"v2", 1002), (3, b"v3", 1003), (4, b"v4", 1004),
    ]  # fmt: skip
    assert broker.delete_records(topic, {1: 4}) == {1: 4}
    assert broker.watermarks(topic)[1] == (4, 10)
    with pytest.raises(StreamctlError):
        list(broker.read(topic, 1, 0, 5))


def test_offsets_for_a_time(broker: Broker, new_topic) -> None:
    from datetime import UTC, datetime

    topic = new_topic(partitions=2)
    producer = broker.producer({})
    for second in range(5):
        producer.produce(topic, b"v", partition=0, timestamp=1_700_000_000_000 + second * 1000)
    producer.flush(20)
    when = datetime.fromtimestamp(1_700_000_002, UTC)
    assert broker.offsets_for_time(topic, when) == {0: 2, 1: None}


def test_a_topic_made_anew_has_another_id(broker: Broker, new_topic) -> None:
    topic = new_topic()
    before = broker.topic(topic).topic_id
    broker.delete_topic(topic)
    assert broker.create_topic(topic)
    assert broker.topic(topic).topic_id != before


def test_more_partitions_than_one_request_holds(broker: Broker, new_topic) -> None:
    topic = new_topic(partitions=650)
    assert broker.watermarks(topic) == dict.fromkeys(range(650), (0, 0))
