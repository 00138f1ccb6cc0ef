"""`checkpoint preflight` foretells what real Spark does when the changed job is started."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from streamctl.jars import connector_jars
from streamctl.java import find_java
from streamctl.job.ask import ask
from streamctl.settings.model import Settings
from tests.harness import REPOSITORY, Project

pytestmark = pytest.mark.integration

ALL_CHANGES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "another filter, other pinned settings": (
        "AnotherFilter",
        {"spark": {"shuffle_partitions": 5, "state_store": "hdfs"}},
        "allowed",
        "",
    ),
    "renamed key": ("RenamedKey", {}, "risky", ""),
    "longer windows": ("ChangedWindow", {}, "risky", ""),
    "another topic": ("Counts", {"kafka": {"topic": "OTHER"}}, "risky", ""),
    "another topic, losses fail": (
        "Counts",
        {"kafka": {"topic": "OTHER", "fail_on_data_loss": True}},
        "impossible",
        "Some data may have been lost",
    ),
    "another aggregate": (
        "AddedAggregate",
        {},
        "impossible",
        "STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE",
    ),
    "key of another type": (
        "ChangedKey",
        {},
        "impossible",
        "STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE",
    ),
    "operator removed": (
        "RemovedOperator",
        {},
        "impossible",
        "STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA",
    ),
    "operator added": (
        "AddedOperator",
        {},
        "impossible",
        "STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA",
    ),
    "source added": ("AddedSource", {}, "impossible", "sources in the checkpoint offsets"),
}
"""Job, settings that differ, what must be foretold, and what Spark must say when it refuses."""
FEW = ("another filter, other pinned settings", "longer windows", "another aggregate")
CHANGES = {
    name: change
    for name, change in ALL_CHANGES.items()
    if name in FEW or os.environ.get("STREAMCTL_ALL_CHANGES")
}
"""Each takes about twelve seconds: the others are for a change of the rules."""


@pytest.fixture(scope="module")
def base(tmp_path_factory, kafka, broker) -> dict[str, Any]:
    """Settings of the job before any change, over topics with records."""
    directory = tmp_path_factory.mktemp("preflight")
    topics = (f"pre-{directory.name}", f"post-{directory.name}")
    for topic in topics:
        broker.create_topic(topic, partitions=2)
        sent = Project(
            directory, {"kafka": {"bootstrap_servers": kafka, "topic": topic}}
        )(
            *("produce", "--count", "2000", "--event-rate", "5", "--ledger", f"ledger-{topic}"),
        )  # fmt: skip
        assert sent.exit_code == 0, sent.stderr
    return {
        "directory": directory,
        "other": topics[1],
        "settings": {
            "kafka": {
                "bootstrap_servers": kafka,
                "topic": topics[0],
                "starting_offsets": "earliest",
                "max_offsets_per_trigger": 150,
            },
            "spark": {"master": "local[2]", "shuffle_partitions": 2},
            "job": {"entry": "tests.changed_jobs:Counts"},
        },
    }


def changed(base, name) -> dict[str, Any]:
    job, given, _, _ = CHANGES[name]
    settings = {section: dict(values) for section, values in base["settings"].items()}
    settings["job"]["entry"] = f"tests.changed_jobs:{job}"
    for section, values in given.items():
        settings[section] |= values
    if settings["kafka"]["topic"] == "OTHER":
        settings["kafka"]["topic"] = base["other"]
    return settings


@pytest.fixture(scope="module")
def started(base) -> dict[str, str]:
    """What Spark said to each change; empty when it went on."""
    connector_jars(java=find_java())
    request = {
        "settings": _whole(base["settings"]),
        "checkpoint": str(base["directory"] / "cp"),
        "changes": [{"name": name, "settings": _whole(changed(base, name))} for name in CHANGES],
    }
    file = base["directory"] / "request.json"
    file.write_text(json.dumps(request))
    answers = ask("tests.changed_starts", [str(file)], project=REPOSITORY, timeout_seconds=560)
    return {answer["name"]: answer["said"] for answer in answers}


def _whole(settings: dict[str, Any]) -> dict[str, Any]:
    return Settings.model_validate(settings).model_dump(mode="json")


@pytest.fixture(scope="module")
def foretold(base, started) -> dict[str, Any]:
    """The reports, two at a time."""
    assert started

    def look(name):
        directory = base["directory"] / name.replace(" ", "-")
        directory.mkdir()
        project = Project(directory, changed(base, name))
        place = str(base["directory"] / "cp" / "counts")
        return project.json("checkpoint", "preflight", place)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(CHANGES, pool.map(look, CHANGES), strict=True))


@pytest.mark.parametrize("name", CHANGES)
def test_the_forecast_is_what_spark_does(started, foretold, name):
    _, _, acceptance, condition = CHANGES[name]
    answer = foretold[name]
    (query,) = answer.data["queries"]
    told = [item["detail"] for item in query["items"]]
    assert query["acceptance"] == acceptance, told
    assert answer.exit_code == (0 if acceptance == "allowed" else 3)
    assert bool(started[name]) == (acceptance == "impossible"), started[name]
    assert condition in started[name]
    if condition:
        conditions = [item["condition"] for item in query["items"]]
        assert any(condition in said for said in conditions), conditions
