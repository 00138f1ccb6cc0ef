"""One real broker for the session, and projects that run the installed program."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamctl.kafka.client import Broker
from streamctl.sandbox import lifecycle as sandbox
from tests.harness import Project

QUICK_TO_SAY_IDLE = {
    "spark.sql.streaming.noDataProgressEventInterval": "1s",
    "spark.sql.streaming.pollingDelay": "100ms",
}
"""A start with nothing to read is ready when Spark says so, by default after 10 s."""


@pytest.fixture(scope="session")
def kafka_directory(tmp_path_factory) -> Iterator[Path]:
    """Directory of a broker that only this session uses; who ends it must start it again."""
    directory = tmp_path_factory.mktemp("sandbox")
    often = {"log.retention.check.interval.ms": "500", "log.initial.task.delay.ms": "500"}
    sandbox.up(directory=directory, timeout_seconds=120, overrides=often)
    yield directory
    sandbox.reset(directory=directory)


@pytest.fixture(scope="session")
def kafka(kafka_directory) -> str:
    """Bootstrap servers of that broker."""
    servers = sandbox.status(directory=kafka_directory).bootstrap_servers
    assert servers is not None
    return servers


@pytest.fixture(scope="session")
def broker(kafka) -> Broker:
    return Broker(kafka, timeout_seconds=20)


@pytest.fixture
def topic(broker) -> str:
    name = f"t-{uuid.uuid4().hex[:8]}"
    broker.create_topic(name, partitions=2)
    return name


@pytest.fixture
def new_topic(broker) -> Iterator[Callable[..., str]]:
    """Make topics with names of their own, and delete them afterwards."""
    made: list[str] = []

    def make(partitions: int = 1, **config: str) -> str:
        name = f"t-{uuid.uuid4().hex[:8]}"
        settings = {key.replace("_", "."): value for key, value in config.items()}
        broker.create_topic(name, partitions=partitions, config=settings)
        made.append(name)
        return name

    yield make
    for name in made:
        broker.delete_topic(name)


@pytest.fixture
def project(tmp_path, kafka, topic) -> Iterator[Project]:
    """A project whose job reads `topic` on the session's broker."""
    made = Project(
        tmp_path,
        {
            "kafka": {"bootstrap_servers": kafka, "topic": topic, "starting_offsets": "earliest"},
            "spark": {"master": "local[2]", "shuffle_partitions": 2},
            "spark.options": QUICK_TO_SAY_IDLE,
        },
    )
    yield made
    made.clean()
