"""One real broker for the whole session."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from streamctl.kafka.client import Broker
from streamctl.sandbox import lifecycle


@pytest.fixture(scope="session")
def sandbox_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A sandbox that is up when a test begins; who ends its broker must start it again."""
    directory = tmp_path_factory.mktemp("kafka")
    lifecycle.up(directory=directory, heap_mb=384, timeout_seconds=120)
    yield directory
    lifecycle.reset(directory=directory)


@pytest.fixture(scope="session")
def bootstrap_servers(sandbox_directory: Path) -> str:
    servers = lifecycle.status(directory=sandbox_directory).bootstrap_servers
    assert servers is not None
    return servers


@pytest.fixture
def broker(bootstrap_servers: str) -> Iterator[Broker]:
    with Broker(bootstrap_servers, timeout_seconds=20) as client:
        yield client


@pytest.fixture
def new_topic(broker: Broker) -> Iterator[Callable[..., str]]:
    """Make topics with names of their own, and delete them afterwards."""
    made: list[str] = []

    def make(partitions: int = 1, **config: str) -> str:
        name = f"t-{uuid4().hex[:8]}"
        settings = {key.replace("_", "."): value for key, value in config.items()}
        broker.create_topic(name, partitions=partitions, config=settings)
        made.append(name)
        return name

    yield make
    for name in made:
        broker.delete_topic(name)
