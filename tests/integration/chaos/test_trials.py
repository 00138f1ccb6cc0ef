"""Real experiments on real Kafka and Spark, and what a killed run leaves."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from streamctl.chaos.effects import Effects
from tests import trials
from tests.accounting import RETAIN_ALL
from tests.harness import REPOSITORY, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
COMMAND = [sys.executable, "-m", "streamctl", "chaos"]
ENVIRON = os.environ | {"PYTHONPATH": str(REPOSITORY)}


@pytest.fixture
def ground(tmp_path) -> Iterator[Path]:
    """A directory to run experiments in; a test that fails or times out leaves no process."""
    yield tmp_path
    subprocess.run([*COMMAND, "cleanup"], cwd=tmp_path, env=ENVIRON, check=False)


def left_in(place: Path) -> list[str]:
    """Command lines of processes that belong to experiments there."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if str(place) in line:
            found.append(line)
    return found


def test_twelve_cycles_lose_nothing(tmp_path):
    """A share of the campaigns: a broker killed, a partition, ten kills, four of them aimed."""
    figures, wrong = trials.cycles(tmp_path, count=12, chance=random.Random(20261126))
    assert wrong == []
    assert figures["verdict"] == "ok", figures
    assert figures["kills"] == 10
    assert figures["kills_that_hit_their_phase"] >= 3  # one may come a moment late
    counts = figures["counts"]
    assert counts["lost"] == counts["duplicated"] == counts["windows_twice"] == 0
    assert counts["in_windows"] > 1000
    assert counts["dead_letters"] > 0
    assert json.loads((tmp_path / "cycles/journal.json").read_text())["ended"] == "completed"
    assert left_in(tmp_path) == []


def step(name: str, *command: str) -> dict:
    """An action of the operator's as a file has it."""
    path, *arguments = command
    provider = {"type": "process", "path": path, "arguments": arguments, "timeout": 600}
    return {"type": "action", "name": name, "provider": provider}


def test_a_killed_run_is_cleaned_up_and_a_running_one_is_left_alone(ground):
    """SIGKILL in the midst of the method: job, broker, and what a command has changed."""
    method = [step("change", "touch", "changed"), step("wait", "sleep", "60")]
    document = {"title": "mine", "method": method, "rollbacks": [step("back", "rm", "changed")]}
    (ground / "mine.json").write_text(json.dumps(document))

    def cleanup() -> dict:
        done = subprocess.run(
            [*COMMAND, "cleanup", "-o", "json"],
            cwd=ground, env=ENVIRON, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)["data"]

    with subprocess.Popen(
        [*COMMAND, "run", "mine.json", "--yes"],
        cwd=ground, env=ENVIRON, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as run:  # fmt: skip
        until((ground / "changed").exists, seconds=180)
        (running,) = cleanup()["running"]
        assert running.endswith(f"is run by process {run.pid}")
        run.send_signal(signal.SIGKILL)
    assert left_in(ground)
    assert (ground / "changed").exists()
    assert len(cleanup()["campaigns"]) == 1
    assert not (ground / "changed").exists()
    until(lambda: left_in(ground) == [], seconds=20)
    assert cleanup()["campaigns"] == []


def killing(pid: int) -> dict:
    """An experiment as a file has it: a command of the operator's kills the driver."""
    return {
        "title": "the driver is killed by a command",
        "steady-state-hypothesis": {
            "title": "the job commits",
            "probes": [
                {
                    "type": "probe", "name": "commits", "tolerance": True,
                    "provider": {
                        "type": "streamctl", "probe": "job.commits", "arguments": {"seconds": 60},
                    },
                }
            ],
        },
        "method": [
            {
                "type": "action", "name": "kill",
                "provider": {"type": "process", "path": "kill", "arguments": ["-9", str(pid)]},
            }
        ],
        "rollbacks": [
            {
                "type": "action", "name": "mark",
                "provider": {"type": "process", "path": "touch", "arguments": ["rolled-back"]},
            }
        ],
        "streamctl": {"expects": {"detected_by": ["status", "restart"]}},
    }  # fmt: skip


def test_a_job_that_is_not_its_own_is_harmed_as_it_was_shown(project):
    """The blast radius names process and command; the verdict has the job's own audit."""
    feed = project.spawn("produce", "--count", "60000", "--rate", "100")
    try:
        assert project("start", "--set", RETAIN_ALL).exit_code == 0
        pid = project.status().driver_pid
        (project.directory / "mine.json").write_text(json.dumps(killing(pid)))
        run = ("chaos", "run", "mine.json", "--target")
        assert project(*run, "another").exit_code == 14
        assert project(*run, "jobs.telemetry:TelemetryJob").exit_code == 14  # nobody to ask
        shown = project.json(*run, "jobs.telemetry:TelemetryJob", "--dry-run")
        assert pid in shown.data["processes"]
        assert shown.data["steps"][-2].endswith(f"kill -9 {pid}")
        assert project.status().driver_pid == pid
        done = project.json(*run, "jobs.telemetry:TelemetryJob", "--yes", timeout=600)
    finally:
        feed.kill()
        feed.wait()
    (judgement,) = done.data["judgements"]
    *seen, accounted = judgement["invariants"]
    assert {each["verdict"] for each in seen} == {"ok"}, seen
    # a batch that the kill kept from being told leaves the audit something unknown
    assert accounted["verdict"] in {"ok", "unknown"}, accounted
    assert done.exit_code == (0 if accounted["verdict"] == "ok" else 3)
    assert judgement["detected_by"] in {"status", "restart"}
    assert accounted["name"] == "records are accounted for"
    assert (project.directory / "rolled-back").exists()
    assert project.status().driver_pid != pid
    (record,) = project.directory.glob(".streamctl/chaos/*/*/effects.jsonl")
    assert Effects(record).standing == []
