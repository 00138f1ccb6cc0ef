"""A running job is backed up, and goes on from the backup: each record counted once."""

import importlib.metadata
from collections import Counter

import pytest

from streamctl.chaos.account import sink_files
from streamctl.produce.ledger_entries import read_ledger
from tests import accounting
from tests.harness import until

pytestmark = pytest.mark.integration
RECORDS = 4500
SLOW = ("--set", "kafka.max_offsets_per_trigger=300")
SCHEDULED = (
    *("--set", "backup.every_minutes=0.2"),
    *(f"--set=backup.keep_{rule}=0" for rule in ("last", "hourly", "daily", "weekly")),
)
"""Without a policy nothing is pruned, which would keep others out of the repository."""


def taken_while_it_runs(project, windows, *, count):
    """Backups, each when the job has committed more than the one before has."""
    held = 2
    for _ in range(count):
        until(lambda: windows.log_ids().committed[-1] > held)  # noqa: B023 - called at once
        taken = project.json("backup", "take")
        assert taken.exit_code == 0, taken.stderr
        held = next(q["batch_id"] for q in taken.data["queries"] if q["name"] == "windows")
        yield taken.data


def test_a_running_job_is_backed_up_and_goes_on_from_there(project, tmp_path):
    ledger = tmp_path / "ledger"
    sent = project(
        *("produce", "--count", str(RECORDS), "--ledger", str(ledger), "--flaw", "all=0.1"),
        *("--event-rate", "5", "--start-time", "2026-03-01T12:00:00"),
    )
    assert sent.exit_code == 0, sent.stderr
    assert project("start", *SLOW, *SCHEDULED).exit_code == 0
    windows = project.checkpoints()["windows"]
    backups = list(taken_while_it_runs(project, windows, count=4))
    batches = [{q["name"]: q["batch_id"] for q in taken["queries"]} for taken in backups]
    assert [at["windows"] for at in batches] == sorted({at["windows"] for at in batches})
    assert backups[0]["queries"][0]["lag_records"] > 0
    shown = project.json("backup", "show", backups[0]["id"]).data["manifest"]
    assert shown["spark_version"] == importlib.metadata.version("pyspark")
    assert all(shown["topic_ids"].values())
    assert project.json("checkpoint", "restore", "--yes").exit_code == 11
    project.drain()
    scheduled = project.json("status").data["backup"]
    assert scheduled["verdict"] == "ok", scheduled["problem"]
    assert project("stop").exit_code == 0
    checked = project.json("backup", "verify", "--read-data")
    assert checked.exit_code == 0
    whole = {backup["id"] for backup in checked.data["backups"]}
    assert {taken["id"] for taken in backups} | {scheduled["id"]} <= whole
    drilled = project.json("backup", "drill", backups[0]["id"])
    assert drilled.exit_code == 0, drilled.stdout + drilled.stderr
    for query in drilled.data["queries"]:
        assert query["batch_id"] == batches[0][query["name"]] + 1
        assert 0 < query["records"] <= 100
    assert project.json("checkpoint", "inspect", "--query", "windows").exit_code == 0

    for number, (taken, at) in enumerate(zip(backups[::3], batches[::3], strict=True), start=2):
        restored = project.json("checkpoint", "restore", taken["id"], "--yes")
        assert restored.exit_code == 0, restored.stderr
        generation = restored.data["facts"]["generation"]
        assert generation == f"000{number}"
        assert project("start", "--set", "kafka.max_offsets_per_trigger=1000").exit_code == 0
        project.drain()
        assert project("stop").exit_code == 0
        lines = [x for x in project.run.progress() if x["kind"] == "progress"]
        first = next(x for x in lines if x["generation"] == generation and x["query"] == "windows")
        assert first["batch_id"] == at["windows"] + 1
        must = Counter(
            (entry.device, entry.event_ms - entry.event_ms % 60_000)
            for entry in read_ledger(ledger)
            if entry.reason is None
        )
        output = project.directory / "data" / "output" / generation / "windows"
        for name in sink_files(output):  # Spark's readers take no other files
            assert name.startswith(str(output))
        assert accounting.windows_of(project.directory / "data", generation) == must
    late = project("checkpoint", "undo", "--yes")  # batches ran since
    assert late.exit_code == 14
    assert "rotate --back" in late.stderr
    assert project.json("checkpoint", "rotate", "--back", "--yes").exit_code == 0
    assert (
        project.json("checkpoint", "inspect", "--query", "windows")
        .data["location"]
        .endswith("0002/windows")
    )
