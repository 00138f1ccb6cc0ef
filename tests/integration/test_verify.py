"""`checkpoint verify --kafka` against a real broker, of a generation that noted its topics' ids."""

from datetime import UTC, datetime

import pytest

from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.verify.verify import Level
from streamctl.lifecycle.verifying import Project, Wanted, verify_all
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from tests.written import Written

pytestmark = pytest.mark.integration


def send(broker, topic, count):
    producer = broker.producer({})
    for _ in range(count):
        producer.produce(topic, value=b"v")
    producer.flush()


def test_a_topic_that_was_made_anew_and_grew_is_found_by_its_id(broker, new_topic, tmp_path):
    topic = new_topic(partitions=1)
    send(broker, topic, 30)
    location, now = tmp_path / "location", datetime.now(UTC)
    began_with = {topic: broker.topic(topic).topic_id}
    generation = Generation(
        name="0001", created_at=now, job="m:J", starting_offsets="{}", why="", topic_ids=began_with
    )
    generations.add(Store.open(str(location)), generation)
    own, bare = Written(location / "0001" / "q"), Written(tmp_path / "bare")
    for written in (own, bare):
        written.commit({topic: {0: 10}}, at=now)

    def told(path):
        settings = Settings.model_validate({"kafka": {"bootstrap_servers": broker.servers}})
        run = RunDirectory(tmp_path / "run")
        project = Project(settings=lambda: settings, run=lambda: run, warn=print)
        wanted = Wanted(path=str(path), query="", level=Level.FAST, kafka=True)
        report = verify_all(wanted, project)
        return report.verdict, {finding.code for finding in report.findings}

    unknown = {"kafka-not-compared"}  # whether the topic is the one that it was
    ok = told(location), told(bare.path)
    assert [codes for _, codes in ok] == [set(), unknown]
    broker.delete_topic(topic)
    broker.create_topic(topic, partitions=1)
    send(broker, topic, 50)
    assert told(location) == (Verdict.PROBLEM, {"kafka-topic-anew"})
    assert told(bare.path)[1] == unknown
