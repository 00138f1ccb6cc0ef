"""A watch of a job that was just started ends when there is nothing left to see."""

import json
import time
from types import SimpleNamespace

import pytest

from streamctl.lifecycle import first_batches
from streamctl.reports import ignore
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Observed

AT = {"at": "2026-01-31T12:00:00Z", "query": "windows"}
BATCH = {
    **AT, "kind": "progress", "generation": "0002", "batch_id": 0, "duration_ms": {},
    "input_rows": 0, "output_rows": None, "late_rows": None, "rejected": {}, "dead_letters": 0,
    "watermark": None, "state": [], "totals": {},
}  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A job whose only batch is the empty one with which Spark begins."""
    query = SimpleNamespace(name="windows", committed_batch_id=0)
    status = SimpleNamespace(
        queries=[query], observed=Observed.RUNNING, restarts=0, attempt=1, failure=None
    )
    monkeypatch.setattr(first_batches, "read_status", lambda _: status)
    monkeypatch.setattr(first_batches, "_LOOK_SECONDS", 0.01)
    made = RunDirectory(tmp_path)
    tell(made, BATCH)
    return made


def tell(run, *lines):
    with run.progress_file.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def watched_seconds(run):
    began = time.monotonic()
    first_batches.watch_first_batches(run, seconds=0.5, on_event=ignore)
    return time.monotonic() - began


def test_a_query_that_has_nothing_to_read_is_not_waited_for(run):
    tell(run, {**AT, "kind": "idle"})
    assert watched_seconds(run) < 0.4


def test_one_that_may_be_at_its_next_batch_is(run):
    assert watched_seconds(run) >= 0.5
    tell(run, {**AT, "kind": "idle"}, BATCH)
    assert watched_seconds(run) >= 0.5


def test_one_that_has_failed_and_not_yet_ended_does_not_work():
    failure = SimpleNamespace(attempt=1)
    status = SimpleNamespace(observed=Observed.RUNNING, restarts=0, attempt=1, failure=failure)
    assert not first_batches.is_working(status)
    status.attempt = 2
    assert first_batches.is_working(status)
