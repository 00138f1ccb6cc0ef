"""A campaign: a schema change of each kind while records come, none of which is lost or repeated.

The checkpoint says where each generation began and ended at the source, and what it counted is in
its output and its state: together every record, once.
"""

import json
import random
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from streamctl.chaos import account
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.lifecycle.state_rows import read_state_rows
from tests.harness import Project, until

if TYPE_CHECKING:
    from tests.campaign import Field

VARIANTS = Path(__file__).parent / "data" / "variants.py"
WAYS = {
    "AddedField": "keep",
    "RemovedField": "rotate",
    "ChangedType": "rotate",
    "ChangedKey": "rotate",
    "ChangedWindow": "rotate",
    "Broken": "keep",
}
"""Change -> what must become of the state; the last one fails on its records, and goes back."""
RATE = 100


def campaign(
    ground: "Field", topic: str, *, count: int, chance: random.Random
) -> tuple[dict[str, Any], list[str]]:
    """Make the first `count` changes, each to a job of its own."""
    figures: dict[str, Any] = {}
    wrong: list[str] = []
    shutil.copy(VARIANTS, ground.project.directory / "variants.py")
    for change in [*WAYS][:count]:
        told, found = _one(ground, f"{topic}-{change}", change, seed=chance.randrange(10**6))
        figures[change] = told
        wrong += [f"{change}: {text}" for text in found]
    return figures, wrong


def _one(
    ground: "Field", topic: str, change: str, *, seed: int
) -> tuple[dict[str, Any], list[str]]:
    project, place = ground.project, f"data/{change}"
    given = (f"kafka.topic={topic}", f"checkpoint.location={place}/checkpoint")
    given += (f"output.location={place}/output", "kafka.max_offsets_per_trigger=1000")
    flags = tuple(text for one in given for text in ("--set", one))
    ground.broker.create_topic(topic, partitions=2)
    old = ("--set", "job.entry=variants:Counting")
    assert project("start", *flags, *old).exit_code == 0
    producer = project.spawn(
        *("produce", "--topic", topic, "--rate", str(RATE), "--seed", str(seed)),
        *("--event-rate", "20", "--start-time", "2026-03-01T12:00:00", "--duration", "3600"),
    )
    until(lambda: _committed(project, change), seconds=120)
    began = time.monotonic()
    done = project.json("migrate", "--job", f"variants:{change}", "--yes", *flags, timeout=600)
    took = round(time.monotonic() - began, 1)
    time.sleep(5)  # what came meanwhile is read by whoever runs now
    producer.send_signal(2)
    producer.communicate(timeout=60)
    until(lambda: project.json("lag", *flags).data["lag_records"] == 0, seconds=180, every=1)
    status = project.json("status").data
    assert project("stop").exit_code == 0
    sent = sum(high for _, high in ground.broker.watermarks(topic).values())
    figures, wrong = _judged(project, change, done.data, status)
    figures |= {"seconds": took, "records": sent}
    if sum(figures["counted"].values()) != sent:
        wrong.append(f"{figures['counted']} were counted of {sent}")
    return figures, wrong


def _committed(project: Project, change: str) -> bool:
    base = project.directory / "data" / change / "checkpoint" / "0001" / "windows"
    return len(list((base / "commits").glob("[0-9]*"))) > 3 if base.exists() else False


def _judged(
    project: Project, change: str, done: dict[str, Any], status: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The way it went, and where each generation began and ended."""
    wrong = []
    goes_back = change == "Broken"
    outcome = "went_back" if goes_back else "migrated"
    entry = f"variants:{'Counting' if goes_back else change}"
    if (done["outcome"], done["choice"]["way"]) != (outcome, WAYS[change]):
        wrong.append(f"{done['outcome']} by {done['choice']}")
    if (status["job"], status["observed"]) != (entry, "running"):
        wrong.append(f"{status['job']} is {status['observed']}")
    location = project.directory / "data" / change
    names = sorted(path.name for path in (location / "checkpoint").glob("[0-9]*"))
    if len(names) != (2 if WAYS[change] == "rotate" else 1):
        wrong.append(f"generations {names}")
    if len(names) > 1:
        wrong += _seam(location, names)
    counted_ = {name: counted(location, name) for name in names}
    return {"way": done["choice"]["way"], "outcome": done["outcome"], "counted": counted_}, wrong


def _seam(location: Path, names: list[str]) -> list[str]:
    """The new generation begins where the old one has ended."""
    old, new = names
    ended = Checkpoint.open(str(location / "checkpoint" / old / "windows")).position().committed
    record = location / "checkpoint" / "_streamctl" / "generations" / f"{new}.json"
    began = json.loads(json.loads(record.read_text())["starting_offsets"])
    ends = {
        topic: {str(p): offset for p, offset in partitions.items()}
        for topic, partitions in (ended[0].kafka or {}).items()
    }
    return [] if began == ends else [f"{old} ended at {ends}, {new} began at {began}"]


def counted(location: Path, generation: str) -> int:
    """Records in the windows that a generation has written, and in those that are open.

    Args:
        location: that holds `checkpoint/` and `output/`.
        generation: of it.
    """
    written = sum(
        sum(pq.read_table(name, columns=["records"]).column(0).to_pylist())
        for name in account.sink_files(location / "output" / generation / "windows")
    )
    checkpoint = Checkpoint.open(str(location / "checkpoint" / generation / "windows"))
    state = read_state_rows(checkpoint, limit=None)
    return written + sum(row.value["count"] for row in state.rows)
