"""One real broker for the session, and projects that run the installed program."""

import uuid
from collections.abc import Iterator

import pytest

from streamctl.kafka.client import Broker
from streamctl.sandbox import lifecycle as sandbox
from tests.harness import Project


@pytest.fixture(scope="session")
def kafka(tmp_path_factory) -> Iterator[str]:
    """Bootstrap servers of a broker that only this session uses."""
    directory = tmp_path_factory.mktemp("sandbox")
    yield sandbox.up(directory=directory).bootstrap_servers
    sandbox.down(directory=directory)


@pytest.fixture(scope="session")
def broker(kafka) -> Broker:
    return Broker(kafka, timeout_seconds=20)


@pytest.fixture
def topic(broker) -> str:
    name = f"t-{uuid.uuid4().hex[:8]}"
    broker.create_topic(name, partitions=2)
    return name


@pytest.fixture
def project(tmp_path, kafka, topic) -> Iterator[Project]:
    """A project whose job reads `topic` on the session's broker."""
    made = Project(
        tmp_path,
        {
            "kafka": {"bootstrap_servers": kafka, "topic": topic, "starting_offsets": "earliest"},
            "spark": {"master": "local[2]", "shuffle_partitions": 2},
        },
    )
    yield made
    made.clean()
