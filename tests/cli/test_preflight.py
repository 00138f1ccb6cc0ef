"""`streamctl checkpoint preflight`: exit codes and the table, with a child that plans nothing.

What real Spark plans is in tests/integration/test_preflight.py.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamctl.checkpoint.location.generations import Generation, add
from streamctl.checkpoint.location.store import Store
from streamctl.job.ask import ChildFailed
from streamctl.lifecycle import preflight
from tests.goldens import golden

CHECKPOINT = golden("4.2.0-kafka", "hdfs-kafka-aggregation")
TOPIC = ("--set", "kafka.topic=hdfs-kafka-aggregation")


@pytest.fixture
def planned(monkeypatch, tmp_path):
    """The child writes the same checkpoint, read from a made-up source, and says what is given."""
    shutil.copytree(CHECKPOINT, tmp_path / "windows")
    location = tmp_path / "data" / "checkpoint"
    generation = Generation(
        name="0001",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        job="a:B",
        starting_offsets="{}",
        why="test",
    )
    add(Store.open(str(location)), generation)
    shutil.copytree(CHECKPOINT, location / "0001" / "windows")

    def plan(**said):
        def ask(module, arguments, **_):
            assert module == "jobs.preflight"
            if "error" in said:
                raise ChildFailed(said["error"])
            request = json.loads(Path(arguments[0]).read_text())
            return [answer(asked, **said) for asked in request["queries"]]

        monkeypatch.setattr(preflight, "ask", ask)
        monkeypatch.setattr(preflight, "find_java", lambda: None)
        monkeypatch.setattr(preflight, "connector_jars", lambda **_: [])

    return plan


def answer(asked, **said):
    scratch = Path(asked["scratch"])
    shutil.copytree(CHECKPOINT, scratch)
    for path in (scratch / "offsets").glob("[0-9]*"):
        lines = path.read_text().split("\n")
        path.write_text("\n".join([*lines[:2], '{"offset":1,"timestamp":0}']))
    return {
        "query": asked["name"],
        "queries": ["windows", "dead_letters"],
        "spark_version": "4.2.0",
        "conf": asked["conf"],
        "format_version": 1,
        "plan_window_ms": [10_000],
        "state_window_ms": [10_000],
    } | said


def test_all_allowed(streamctl, planned, snapshot):
    planned()
    result = streamctl("checkpoint", "preflight", "windows", *TOPIC, "-o", "table")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == snapshot


def test_all_queries_of_a_job(streamctl, planned):
    planned()
    data = streamctl("checkpoint", "preflight", *TOPIC, "-o", "json").data
    assert [query["query"] for query in data["queries"]] == ["windows"]
    assert data["without_checkpoint"] == ["dead_letters"]


def test_risky_passes_only_when_accepted(streamctl, planned):
    planned(plan_window_ms=[60_000])
    command = ("checkpoint", "preflight", "windows", *TOPIC, "-o", "json")
    refused = streamctl(*command)
    assert refused.exit_code == 3
    assert refused.data["queries"][0]["acceptance"] == "risky"
    assert streamctl(*command, "--accept-risky").exit_code == 0


@pytest.mark.parametrize(
    ("said", "acceptance"),
    [
        ({"state_window_ms": None}, "unknown"),
        ({"format_version": 2}, "impossible"),
    ],
)
def test_what_is_not_allowed_is_not_accepted_either(streamctl, planned, said, acceptance):
    planned(**said)
    result = streamctl("checkpoint", "preflight", "windows", *TOPIC, "--accept-risky", "-o", "json")
    assert result.exit_code == 3
    assert result.data["queries"][0]["acceptance"] == acceptance


def test_code_that_cannot_be_planned_is_told(streamctl, planned):
    planned(error="AnalysisException: no such column")
    result = streamctl("checkpoint", "preflight", "windows", "--job", "a:B")
    assert result.exit_code == 10
    assert "no such column" in result.stderr
