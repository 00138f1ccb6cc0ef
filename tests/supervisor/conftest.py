"""A supervisor for each test, which is gone with all of its processes afterwards."""

import pytest

from tests.supervisor.harness import Harness


@pytest.fixture
def harness(tmp_path):
    made = Harness(tmp_path)
    yield made
    made.clean()
