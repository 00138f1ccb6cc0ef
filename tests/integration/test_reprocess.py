"""History again, beside a live job: killed on the way, compared, promoted, and back."""

import os
import signal
from pathlib import Path

import pytest

from streamctl.errors import ExitCode
from streamctl.job.launcher import session_members
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Status
from tests.accounting import windows_of
from tests.harness import ASK_SECONDS, Project, kill_if_ours, until

pytestmark = pytest.mark.integration
RECORDS = 6000


def produce(project: Project, name: str, *, count: int, start: str) -> None:
    answer = project(
        *("produce", "--count", str(count), "--ledger", str(project.directory / name)),
        *("--flaw", "all=0.1", "--event-rate", "5", "--start-time", start),
    )
    assert answer.exit_code == 0, answer.stderr


def committed(checkpoint: Path) -> list[int]:
    return sorted(int(p.name) for p in (checkpoint / "commits").glob("[0-9]*"))


@pytest.fixture
def apart(project):
    """The run directory of the reprocessing; nothing of it outlives the test."""
    run = RunDirectory(project.run.path / "reprocess" / "0002")
    yield run
    status = run.read(Status)
    if status is not None:
        kill_if_ours(status.supervisor_pid, "streamctl.supervisor")
        for pid in session_members(status.driver_pid) if status.driver_pid else []:
            os.kill(pid, signal.SIGKILL)


def test_history_is_processed_again_and_the_live_job_goes_on_from_it(project, apart):
    produce(project, "first", count=RECORDS, start="2026-03-01T12:00:00")
    assert project("start", "--set", "kafka.max_offsets_per_trigger=2000").exit_code == 0
    until(lambda: project.read_by() == RECORDS, every=ASK_SECONDS)
    live = project.status()

    plan = project.json("reprocess", "--dry-run")
    assert (plan.data["generation"], plan.data["records"], plan.data["gone"]) == (
        "0002",
        RECORDS,
        0,
    )
    assert not apart.path.exists()

    command = ("reprocess", "--batch-records", "600", "--parallel", "1", "--nice", "0")
    takes_interrupts = ("env", "--default-signal=INT")  # also under a shell that ignores them
    first = project.spawn(*command, "-o", "json", prefix=takes_interrupts)
    checkpoint = project.directory / "data" / "checkpoint" / "0002" / "windows"
    until(lambda: len(committed(checkpoint)) >= 2)
    os.kill(apart.read(Status).driver_pid, signal.SIGKILL)
    until(lambda: apart.read(Status).attempt == 2)
    before = len(committed(checkpoint))
    until(lambda: len(committed(checkpoint)) > before)
    first.send_signal(signal.SIGINT)
    _, told = first.communicate(timeout=120)
    assert first.returncode == ExitCode.INTERRUPTED, told
    assert "The same command goes on" in told
    assert not session_members(apart.read(Status).driver_pid or -1)

    done = project.json(*command)
    assert done.exit_code == 0, done.stderr
    windows, letters = done.data["queries"]
    assert windows["input_records"] == letters["input_records"] == RECORDS
    assert windows["batches"] >= 10
    assert letters["input_records"] - letters["counted_records"] <= 600  # one batch may be untold
    assert 0 < sum(letters["rejected_records"].values()) < RECORDS // 5
    assert project.json(*command).data["outcome"] == "already_done"

    compared = project.json("reprocess", "compare")
    (found,) = compared.data["queries"]
    assert compared.exit_code == 0, compared.stdout
    assert found["equal"] > 300
    assert found["different"] == found["only_one"] == found["only_other"] == 0

    after = project.status()
    assert (after.driver_pid, after.restarts) == (live.driver_pid, 0)  # undisturbed
    promoted = project.json("reprocess", "promote", "--yes")
    assert promoted.data["restarted"], promoted.stderr
    assert project.status().generation == "0002"
    produce(project, "second", count=500, start="2026-03-01T13:00:00")
    # each record after the promotion, once
    until(lambda: project.read_by() == 500, every=ASK_SECONDS)
    assert project("stop").exit_code == 0
    assert project.json("reprocess", "promote", "--back", "--yes").data["after"] == "0001"
    refused = project.json("reprocess", "promote", "0001", "--yes")
    assert refused.exit_code == ExitCode.REFUSED


@pytest.mark.usefixtures("apart")
def test_a_bounded_range_ends_exactly_and_cannot_become_live(project, topic):
    produce(project, "first", count=2000, start="2026-03-01T12:00:00")
    assert project("start", "--set", "kafka.max_offsets_per_trigger=2000").exit_code == 0
    until(lambda: project.read_by() == 2000, every=ASK_SECONDS)
    assert project("stop").exit_code == 0
    ends = f'{{"{topic}": {{"0": 300, "1": 400}}}}'
    done = project.json("reprocess", "--to", ends)
    assert done.exit_code == 0, done.stderr
    rejected = sum(done.data["queries"][1]["rejected_records"].values())
    counted = sum(windows_of(project.directory / "data", "0002").values())
    assert rejected + counted == 700
    assert project("reprocess", "promote", "--yes").exit_code == ExitCode.REFUSED
