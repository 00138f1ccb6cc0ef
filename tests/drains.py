"""Drain every kind of state store, and find every record in a window once."""

import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

from streamctl.checkpoint.change.area import area_of
from streamctl.checkpoint.change.drain import plan_drain
from streamctl.checkpoint.change.plan import require
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.reader import Checkpoint
from tests.unit.change.helpers import NOW, apply_now
from tests.warm import EPOCH, FLAVOURS, WINDOW_SECONDS, Warm, committed, run_until, wrong_windows

BATCHES = 6


def campaign(place: Path, *, count: int, chance: random.Random) -> tuple[dict[str, Any], list[str]]:
    """Drain `count` queries, one store after the other.

    Returns:
        Figures, and what is wrong.
    """
    warm, wrong = Warm.start(), []
    figures = {"drains": count, "records": 0, "windows_closed": 0}
    try:
        for number in range(count):
            flavour = list(FLAVOURS)[number % len(FLAVOURS)]
            closed, records, found = drain(warm, place / str(number), flavour, chance)
            sys.stderr.write(f"{flavour}: {closed} windows closed, {found or 'right'}\n")
            figures["records"] += records
            figures["windows_closed"] += closed
            wrong += [f"{flavour}: {line}" for line in found]
    finally:
        warm.spark.stop()
    return figures, wrong


def drain(
    warm: Warm, place: Path, flavour: str, chance: random.Random
) -> tuple[int, int, list[str]]:
    """One query: some batches, the closing batch, and some that nobody asked for.

    Returns:
        Windows that the closing batch wrote, records in all, what is wrong.
    """
    store = Store.open(str(place / "before"))
    first = Generation(
        name="0001", created_at=NOW, job="j:J", starting_offsets="{}", why="first start"
    )
    generations.add(store, first)
    rows, output = chance.choice((7, 13, 20)), place / "output"
    running = place / "before/0001/query"
    conf = FLAVOURS[flavour]
    error = run_until(warm.windows(running, output, rows=rows, conf=conf), running, BATCHES)
    before = len(warm.read(output))
    shutil.move(place / "before", place / "after")  # this JVM still holds the stores in memory
    checkpoint = place / "after/0001/query"
    last = committed(checkpoint)
    source = Checkpoint.open(str(checkpoint)).offsets(last).sources[0]
    records = json.loads(source.text or "")["offset"]
    plan = plan_drain(
        area_of(str(place / "after")), sinks={"query": str(output)}, why="campaign", now=NOW
    )
    require(plan)
    apply_now(plan)
    query = warm.windows(checkpoint, output, rows=rows, conf=conf)
    error = error or run_until(query, checkpoint, last + 3)
    written = warm.read(output)
    wrong = [error[:300]] if error else []
    # The last window is not full, which is all that arithmetic can object to.
    last_start = f"window {EPOCH + (records - 1) // WINDOW_SECONDS * WINDOW_SECONDS} "
    wrong += [line for line in wrong_windows(written) if not line.startswith(last_start)]
    if sum(row["records"] for row in written) != records:
        wrong.append(f"{sum(row['records'] for row in written)} records instead of {records}")
    return len(written) - before, records, wrong
