"""Draining a backlog with batches that grow, against the bound as configured.

The fixed side would need hours: it is stopped after a while, and its rate is compared. The side
that catches up drains everything, both queries, from the start of the command to the last commit.
"""

import json
import time
from functools import cache, partial
from pathlib import Path
from typing import Any

import psutil

from scripts.benchmarks.compare import Goal, Result, alternate, tell
from scripts.benchmarks.stage import Stage
from streamctl.job.launcher import session_members
from tests.harness import Project

RECORDS = 2_000_000
FIXED_SECONDS = 60.0
GOAL = 10.0
CATCHING_UP, FIXED = "records/s, catch_up.enabled", "records/s, fixed bound of 1000"
MEMORY = "peak memory of the driver (MiB)"
QUERIES = ("windows", "dead_letters")
_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 1800.0


def run(stage: Stage, runs: int) -> Result:
    """Both sides at default settings, from the same backlog."""
    backlog = partial(_backlog, stage)
    figures = alternate(
        {FIXED: lambda: _fixed(stage, backlog()), CATCHING_UP: lambda: _drain(stage, backlog())},
        runs,
        unit="",
        more_is_better=True,
    )
    return Result(
        name=f"catch-up: {RECORDS:,} records waiting",
        figures=figures,
        goals=[Goal(ours=CATCHING_UP, other=FIXED, bound=GOAL, at_most=False)],
        notes=[
            f"The fixed side is stopped after {FIXED_SECONDS:.0f} s of committed batches.",
            "Memory is that of all the driver's processes together; the heap is 1 GiB.",
        ],
    )


def _fixed(stage: Stage, topic: str) -> dict[str, float]:
    """Records a second that the slower query commits, between two looks after its start."""
    with stage.project(kafka=_kafka(stage, topic)) as project:
        _start(project)
        began, before = time.monotonic(), _committed(project)
        time.sleep(FIXED_SECONDS)
        return {FIXED: (_committed(project) - before) / (time.monotonic() - began)}


def _drain(stage: Stage, topic: str) -> dict[str, float]:
    """Records a second of a whole drain, the JVM's start included; the largest memory seen."""
    with stage.project(kafka=_kafka(stage, topic), catch_up={"enabled": True}) as project:
        began, peak = time.monotonic(), 0.0
        _start(project)
        while (committed := _committed(project)) < RECORDS:
            if time.monotonic() - began > _PATIENCE_SECONDS:
                raise RuntimeError(f"{committed:,} of {RECORDS:,} after {_PATIENCE_SECONDS} s")
            peak = max(peak, _memory_mib(project.status().driver_pid))
            time.sleep(_LOOK_SECONDS)
        return {CATCHING_UP: RECORDS / (time.monotonic() - began), MEMORY: peak}


def _start(project: Project) -> None:
    started = project("start")
    if started.exit_code:
        raise RuntimeError(started.stderr.strip()[-2000:])


def _kafka(stage: Stage, topic: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": stage.servers,
        "topic": topic,
        "starting_offsets": "earliest",
        "max_offsets_per_trigger": 1000,
    }


def _committed(project: Project) -> int:
    """Records read by committed batches of the query that is further behind."""
    rows = dict.fromkeys(QUERIES, 0)
    for text in _lines(project.run.progress_file):
        line = json.loads(text)
        if line["kind"] == "progress":
            rows[line["query"]] = line["totals"]["input_rows"]
    return min(rows.values())


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _memory_mib(session: int | None) -> float:
    found = 0
    for pid in session_members(session) if session else []:
        try:
            found += psutil.Process(pid).memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return found / 2**20


@cache
def _backlog(stage: Stage) -> str:
    """A topic of its own, filled once."""
    tell(f"{RECORDS:,} records are produced")
    return stage.fill("backlog", records=RECORDS)
