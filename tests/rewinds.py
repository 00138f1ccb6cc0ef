"""Rewind again and again, go on with other batch bounds, and compare with arithmetic.

The control rewinds the way users do it by hand, logs only, on the same recipe: it must go wrong
somewhere, or the experiment proves nothing.
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamctl.checkpoint.change.area import target
from streamctl.checkpoint.change.rewind import plan_rewind
from tests.unit.change.helpers import NOW, run
from tests.warm import FLAVOURS, STORE, Warm, committed, moved, run_until, wrong_windows

MOST_BATCHES = 20
SETTLE_BATCHES = 3


def ours(checkpoint: Path, output: Path, batch_id: int) -> str:
    """`streamctl checkpoint rewind --to-batch`."""
    aim = target(str(checkpoint), sink=str(output))
    run(aim.area, plan_rewind(aim, batch_id, why="campaign", now=NOW))
    return ""


def by_hand(checkpoint: Path, output: Path, batch_id: int) -> str:
    """Remove the newer log entries, of sink and checkpoint, and nothing else."""
    folders = (checkpoint / "offsets", checkpoint / "commits", output / "_spark_metadata")
    for folder in folders:
        for file in folder.iterdir():
            number = file.name.lstrip(".").split(".")[0]
            if number.isdigit() and int(number) > batch_id:
                file.unlink()
    return ""


def campaign(
    place: Path, *, count: int, chance: random.Random, flavours: tuple[str, ...] = tuple(FLAVOURS)
) -> tuple[dict[str, Any], list[str]]:
    """Spread `count` rewinds over the flavours, and one rewind by hand on each.

    Returns:
        Figures, and what is wrong.
    """
    warm = Warm.start()
    figures: dict[str, Any] = {"rewinds": 0, "windows": 0, "by_hand_wrong": {}}
    wrong: list[str] = []
    try:
        for number, name in enumerate(flavours):
            share = count // len(flavours) + (number < count % len(flavours))
            found = rewinds(warm, place / name, name, share, chance, rewind=ours)
            figures["rewinds"] += share
            figures["windows"] += found[0]
            wrong += [f"{name}: {line}" for line in found[1]]
            control = rewinds(warm, place / f"{name}-by-hand", name, 1, chance, rewind=by_hand)
            figures["by_hand_wrong"][name] = len(control[1])
    finally:
        warm.spark.stop()
    return figures, wrong


def rewinds(
    warm: Warm,
    place: Path,
    flavour: str,
    count: int,
    chance: random.Random,
    *,
    rewind: Callable[[Path, Path, int], str],
) -> tuple[int, list[str]]:
    """One query that is rewound `count` times.

    Returns:
        Rows written in the end, and what is wrong.
    """
    checkpoint, output = place / "checkpoint", place / "output"
    place.mkdir(parents=True)
    leg = rows = 0

    def run_to(batch_id: int, *, snapshots: bool) -> str:
        """Go on to a batch with other bounds, and rest at a new path."""
        nonlocal checkpoint, leg, rows
        # Never the bounds of the leg before, or abandoned batches would equal the new ones.
        rows = chance.choice([n for n in (7, 13, 20, 31) if n != rows])
        often = {f"{STORE}minDeltasForSnapshot": "2" if snapshots else "1000"}
        query = warm.windows(checkpoint, output, rows=rows, conf=FLAVOURS[flavour] | often)
        error = run_until(query, checkpoint, batch_id)
        leg += 1
        say(f"{flavour}: leg {leg} to batch {committed(checkpoint)}, {rows} rows a batch")
        checkpoint = moved(checkpoint, leg)
        return error

    error = run_to(MOST_BATCHES + SETTLE_BATCHES, snapshots=True)
    for _ in range(count):
        back = chance.randint(1, MOST_BATCHES)
        to = committed(checkpoint) - back
        rewind(checkpoint, output, to)
        # A first leg that ends among the ids of abandoned batches, and makes no snapshot of its
        # own: the next start would take one of theirs, if one were left.
        error = error or run_to(to + chance.randint(1, back), snapshots=False)
        error = error or run_to(to + MOST_BATCHES + SETTLE_BATCHES, snapshots=True)
        if error:
            return 0, [error[:300]]
    written = warm.read(output)
    return len(written), wrong_windows(written)


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
