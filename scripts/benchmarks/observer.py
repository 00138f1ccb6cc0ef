"""What watching costs: the job's throughput with the whole observer on, against none.

On means all of it: looks every five seconds, lag, alerts, the server, a scraper that asks for
metrics and the page's data every five seconds, and the position published to a group.
"""

import json
import threading
import time
import urllib.request
from functools import partial
from typing import Any

from scripts.benchmarks.compare import Goal, Result, alternate, tell
from scripts.benchmarks.stage import PARTITIONS, Stage
from tests.harness import Project, until

RECORDS = 3_000_000
BATCH_RECORDS = 20_000
WARM_SECONDS = 20.0
MEASURED_SECONDS = 60.0
SCRAPE_SECONDS = 5.0
GOAL = 0.97
ON, OFF = "records/s, observer on", "records/s, observer off"


def run(stage: Stage, runs: int) -> Result:
    """Both sides from the start of the same topic, in the middle of their lives."""
    tell(f"{RECORDS:,} records are produced")
    topic = stage.fill("watched", records=RECORDS)
    everything = {"enabled": True, "publish_group": "watched"}
    sides = {
        OFF: partial(_rate, stage, topic, OFF, {"enabled": False}),
        ON: partial(_rate, stage, topic, ON, everything),
    }
    return Result(
        name=f"observer: {MEASURED_SECONDS:.0f} s of a job that is behind",
        figures=alternate(sides, runs, unit="", more_is_better=True),
        goals=[Goal(ours=ON, other=OFF, bound=GOAL, at_most=False)],
        notes=[f"{BATCH_RECORDS:,} records a batch, two queries, {PARTITIONS} partitions."],
    )


def _rate(stage: Stage, topic: str, side: str, observe: dict[str, Any]) -> dict[str, float]:
    kafka = {
        "bootstrap_servers": stage.servers,
        "topic": topic,
        "starting_offsets": "earliest",
        "max_offsets_per_trigger": BATCH_RECORDS,
    }
    with stage.project(kafka=kafka, observe=observe) as project:
        started = project("start")
        if started.exit_code:
            raise RuntimeError(started.stderr.strip()[-2000:])
        end = threading.Event()
        if observe["enabled"]:
            threading.Thread(target=_scrape, args=(project, end), daemon=True).start()
        try:
            time.sleep(WARM_SECONDS)
            before, began = _rows(project)
            time.sleep(MEASURED_SECONDS)
            after, ended = _rows(project)
        finally:
            end.set()
        return {side: (after - before) / (ended - began)}


def _rows(project: Project) -> tuple[int, float]:
    """Records read by both queries just after a batch has ended, and when that was."""
    seen = project.run.progress_file.stat().st_size
    until(lambda: project.run.progress_file.stat().st_size > seen, every=0.01)
    rows: dict[str, int] = {}
    for text in project.run.progress_file.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line["kind"] == "progress":
            rows[line["query"]] = line["totals"]["input_rows"]
    return sum(rows.values()), time.monotonic()


def _scrape(project: Project, end: threading.Event) -> None:
    url = until(lambda: project.status().url)
    while not end.wait(SCRAPE_SECONDS):
        for path in ("metrics", "api/page", "readyz"):
            with urllib.request.urlopen(url + path, timeout=10) as answer:  # noqa: S310 - loopback
                answer.read()
