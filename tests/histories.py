"""A campaign: history is processed again beside the live job, killed on the way, and is the same.

The live job reads everything once, and then what a producer goes on sending. The reprocessing is
killed with SIGKILL, command, supervisor and driver, and goes on with the same command.
"""

import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound
from streamctl.job.launcher import kill, session_members
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Status
from tests.harness import kill_if_ours, until

if TYPE_CHECKING:
    from tests.campaign import Field

RATE = 100
"""Of the live input, records a second."""
ALLOWED_SECONDS = 30
"""So much of its input may wait for the live job; a micro-batch alone takes some seconds."""
KILLS = 3
PATIENCE_SECONDS = 3600
BATCH = ("--batch-records", "100000")


def campaign(
    ground: "Field", topic: str, *, count: int, chance: random.Random
) -> tuple[dict[str, Any], list[str]]:
    """Kill `count` times, at most three."""
    project, kills = ground.project, min(count, KILLS)
    began = time.monotonic()
    _produce(ground, seed=chance.randrange(10**6))
    fast = ("--set", "kafka.max_offsets_per_trigger=100000")
    assert project("start", *fast).exit_code == 0
    until(lambda: _lag(ground) == 0, seconds=PATIENCE_SECONDS, every=2)
    figures: dict[str, Any] = {"records": ground.records, "kills": 0}
    figures["live_drain_seconds"] = round(time.monotonic() - began)
    live = project.spawn(
        *("produce", "--rate", str(RATE), "--duration", "36000", "--event-rate", "20"),
        *("--start-time", "2026-04-01T00:00:00"),
    )
    try:
        figures |= _again(ground, kills, chance)
    finally:
        live.send_signal(signal.SIGINT)
        live.communicate(timeout=60)
    ends = ground.broker.watermarks(topic).values()
    figures["live_records"] = sum(high for _, high in ends) - ground.records
    until(lambda: _lag(ground) == 0, seconds=PATIENCE_SECONDS, every=1)
    compared = project.json("reprocess", "compare", timeout=PATIENCE_SECONDS)
    (found,) = compared.data["queries"]
    figures |= {name: found[name] for name in ("equal", "different", "only_one", "only_other")}
    wrong = [] if compared.exit_code == 0 else [f"not equal: {compared.stdout}"]
    if figures["live_records"] < RATE * figures["reprocess_seconds"] / 2:
        wrong.append(f"only {figures['live_records']} records came meanwhile")
    allowed = RATE * ALLOWED_SECONDS
    if figures["live_lag_records"][1] > allowed:
        wrong.append(f"the live job fell more than {allowed} records behind")
    if project.status().restarts:
        wrong.append("the live job was restarted")
    assert project("stop").exit_code == 0
    return figures, wrong


def _produce(ground: "Field", *, seed: int) -> None:
    """History in order of time: what is late depends on how batches are cut."""
    sent = ground.project(
        *("produce", "--count", str(ground.records), "--flaw", "all=0.05", "--seed", str(seed)),
        *("--start-time", "2026-03-01T12:00:00", "--event-rate", "20"),
        timeout=PATIENCE_SECONDS,
    )
    assert sent.exit_code == 0, sent.stderr


def _lag(ground: "Field") -> int:
    return ground.project.json("lag").data["lag_records"]


def _again(ground: "Field", kills: int, chance: random.Random) -> dict[str, Any]:
    """Reprocess to the end through kills, and watch the live job meanwhile."""
    lags: list[int] = []
    began = time.monotonic()
    for number in range(kills):
        process = _spawn(ground)
        share = (number + chance.uniform(0.4, 0.9)) / (kills + 1)
        until(lambda s=share: _watch(ground, lags) >= s, seconds=PATIENCE_SECONDS, every=1)
        _kill_all(ground, process)
    process = _spawn(ground)
    until(lambda: _watch(ground, lags) >= 0 and process.poll() is not None, seconds=7200, every=1)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, f"{stdout}{stderr[-2000:]}"
    took = time.monotonic() - began
    return {
        "kills": kills,
        "reprocess_seconds": round(took),
        "records_per_second": round(ground.records / took),
        "live_lag_records": [sorted(lags)[len(lags) // 2], max(lags)],
    }


def _spawn(ground: "Field") -> "subprocess.Popen[str]":
    return ground.project.spawn("reprocess", *BATCH, "-o", "json")


def _watch(ground: "Field", lags: list[int]) -> float:
    """Look at the live job; return which share of the history is done."""
    lags.append(_lag(ground))
    place = ground.project.directory / "data" / "checkpoint" / "0002" / "windows"
    try:
        position = Checkpoint.open(str(place)).position()
    except CheckpointNotFound:
        return 0.0
    done = sum(
        offset
        for source in position.committed
        for partitions in (source.kafka or {}).values()
        for offset in partitions.values()
    )
    return done / ground.records


def _kill_all(ground: "Field", process: "subprocess.Popen[str]") -> None:
    """SIGKILL to the command, its supervisor, and the driver with its JVM."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    status = RunDirectory(ground.project.run.path / "reprocess" / "0002").read(Status)
    assert status is not None
    kill_if_ours(status.supervisor_pid, "streamctl.supervisor")
    for pid in session_members(status.driver_pid) if status.driver_pid else []:
        kill(pid)
