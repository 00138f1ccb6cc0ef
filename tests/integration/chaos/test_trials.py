"""Real experiments on real Kafka and Spark, and what a killed run leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

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


def test_two_experiments_account_for_every_record_and_leave_nothing(ground):
    """One fault of the process, and one of the broker."""
    names = ("driver-killed", "kafka-killed")
    done = subprocess.run(
        [*COMMAND, "run", *names, "--yes", "--seed", "7", "-o", "json"],
        cwd=ground, env=ENVIRON, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    driver, broker = json.loads(done.stdout)["data"]["judgements"]
    assert driver["detected_by"] in {"status", "restart"}
    assert broker["detected_by"]
    for judgement in (driver, broker):
        counts = judgement["counts"]
        assert counts["lost"] == counts["duplicated"] == counts["windows_twice"] == 0
        assert counts["produced"] > 1000
        assert counts["in_windows"] > 0
        assert counts["dead_letters"] > 0
    assert left_in(ground) == []
    journal = next(ground.glob(".streamctl/chaos/*/001-*/journal.json"))
    assert json.loads(journal.read_text())["ended"] == "completed"


def test_a_killed_run_is_cleaned_up(ground):
    """SIGKILL between the broker's start and its end."""
    with subprocess.Popen(
        [*COMMAND, "run", "kafka-paused", "--yes"],
        cwd=ground, env=ENVIRON, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as run:  # fmt: skip
        until(lambda: list(ground.glob(".streamctl/chaos/*/proxy/proxy.json")), seconds=120)
        time.sleep(1)
        run.send_signal(signal.SIGKILL)
    assert left_in(ground)
    cleaned = subprocess.run([*COMMAND, "cleanup"], cwd=ground, env=ENVIRON, check=False)
    assert cleaned.returncode == 0
    until(lambda: left_in(ground) == [], seconds=20)
