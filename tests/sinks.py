"""Every change with every kind of sink, each ended by a real start.

Never a silent skip, never a dead query: put right, or refused by a guard's exit code.
"""

import random
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.sources import find_sources
from streamctl.checkpoint.backup.take import About, take
from streamctl.checkpoint.change.area import area_of, target
from streamctl.checkpoint.change.clear import plan_clear
from streamctl.checkpoint.change.plan import Plan, require
from streamctl.checkpoint.change.restore import Wanted, location_area, restore_generation
from streamctl.checkpoint.change.rewind import plan_rewind
from streamctl.checkpoint.change.rotate import plan_rotate
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.errors import ExitCode, Refused
from streamctl.lifecycle.outputs import require_fit
from streamctl.reports import ignore
from streamctl.rundir.directory import RunDirectory
from tests.unit.change.helpers import NOW, apply_now
from tests.warm import Warm, committed, run_until, wrong_values

_NEW_GENERATION = {"rotate", "clear-generation", "restore", "reprocess", "reprocess-begun"}
NEWEST, EARLIER, TO = 13, 9, 6
ROWS = 10


@dataclass(frozen=True)
class Cell:
    """One combination.

    Attributes:
        refused: the exit code of the guard; None when it is put right.
    """

    change: str
    sink: str
    refused: ExitCode | None = None


CELLS = [
    Cell("rewind", "older"),
    Cell("rewind", "equal"),
    Cell("rewind", "newer"),
    Cell("rewind", "empty", ExitCode.WOULD_NOT_START),
    Cell("rewind", "moved", ExitCode.WOULD_NOT_START),
    Cell("rewind-beyond", "older", ExitCode.WOULD_NOT_START),
    Cell("rewind-beyond", "equal"),
    Cell("rewind-without-sink", "equal", ExitCode.WOULD_NOT_START),
    *(Cell("clear", sink) for sink in ("older", "equal", "newer", "empty", "moved")),
    Cell("clear-without-sink", "equal", ExitCode.WOULD_NOT_START),
    *(Cell("restore", sink) for sink in ("older", "equal", "newer")),
    Cell("restore", "empty", ExitCode.REFUSED),
    Cell("restore", "moved", ExitCode.REFUSED),
    *(Cell("rotate", sink) for sink in ("older", "equal", "newer", "empty", "moved")),
    *(Cell("clear-generation", sink) for sink in ("older", "equal", "newer", "empty", "moved")),
    *(Cell("reprocess", sink) for sink in ("older", "equal", "newer", "empty", "moved")),
    Cell("reprocess", "left behind", ExitCode.WOULD_NOT_START),
    Cell("reprocess-begun", "equal"),
    *(
        Cell("reprocess-begun", sink, ExitCode.WOULD_NOT_START)
        for sink in ("older", "newer", "empty", "moved")
    ),
    Cell("deleted-by-hand", "equal", ExitCode.WOULD_NOT_START),
]


@dataclass
class Ground:
    """A location with one generation of one query, and its output."""

    place: Path

    @property
    def location(self) -> Path:
        return self.place / "checkpoint"

    @property
    def output(self) -> Path:
        return self.place / "output"

    def checkpoint(self, generation: str = "0001") -> Path:
        return self.location / generation / "values"

    def sink(self, generation: str = "0001") -> Path:
        return self.output / generation / "values"

    @property
    def run(self) -> RunDirectory:
        """With the progress of the query's last run."""
        return RunDirectory(self.place / "run")


def trim(folder: Path, batch_id: int) -> None:
    """Remove the log entries after a batch: an older copy of a stateless query's directory."""
    for file in folder.iterdir():
        number = file.name.lstrip(".").split(".")[0]
        if number.isdigit() and int(number) > batch_id:
            file.unlink()


def prepare(ground: Ground, sink: str, generation: str) -> None:
    """Bring the sink into its relation to the checkpoint."""
    checkpoint, output = ground.checkpoint(generation), ground.sink(generation)
    if sink == "older":
        trim(output / "_spark_metadata", EARLIER)
    elif sink == "newer":
        trim(checkpoint / "offsets", EARLIER)
        trim(checkpoint / "commits", EARLIER)
    elif sink == "empty":
        shutil.rmtree(output)
    elif sink == "moved":
        ground.output.rename(ground.place / "output-moved")
    elif sink == "left behind":
        another(ground, "0002", checkpoint=False)


def another(ground: Ground, name: str, *, checkpoint: bool) -> None:
    """A copy of the generation under another name, or of its output alone."""
    if checkpoint:
        shutil.copytree(ground.checkpoint(), ground.checkpoint(name))
    shutil.copytree(ground.sink(), ground.sink(name))
    rewrite_paths(ground.sink(name) / "_spark_metadata", str(ground.sink()), str(ground.sink(name)))


def where(ground: Ground, sink: str, generation: str = "0001") -> Path:
    """The output that the query is started with."""
    base = ground.place / "output-moved" if sink == "moved" else ground.output
    return base / generation / "values"


def plan(ground: Ground, cell: Cell) -> Plan:
    """What the command plans."""
    sink = str(where(ground, cell.sink))
    area = area_of(str(ground.location))
    if cell.change.startswith("rewind"):
        given = "" if cell.change == "rewind-without-sink" else sink
        aim = target(str(ground.checkpoint()), sink=given)
        to = EARLIER + 2 if cell.change == "rewind-beyond" else TO
        return plan_rewind(aim, to, why="campaign", now=NOW)
    if cell.change == "rotate":
        return plan_rotate(
            area,
            job="j:J",
            starting={"t": {0: 0}},
            topic_ids={},
            sinks={},
            kafka=None,
            why="campaign",
            now=NOW,
        )
    if cell.change == "clear-generation":
        return plan_clear(area, why="campaign", now=NOW)
    bare = ground.place / "bare"
    given = "" if cell.change == "clear-without-sink" else sink
    shutil.copytree(ground.checkpoint(), bare)
    return plan_clear(area_of(str(bare)), why="campaign", now=NOW, sink=given)


def change(ground: Ground, cell: Cell) -> None:
    """What the command does."""
    if cell.change == "restore":
        restore(ground)
    elif cell.change.startswith("reprocess"):
        generations.record(
            area_store(ground.location),
            Generation(
                name="0002",
                created_at=NOW,
                job="j:J",
                starting_offsets="{}",
                why="reprocess",
                request="{}",
            ),
        )
    elif cell.change == "deleted-by-hand":
        shutil.rmtree(ground.location)
    else:
        by_plan(ground, cell)


def by_plan(ground: Ground, cell: Cell) -> None:
    """What a command does that makes a plan."""
    made = plan(ground, cell)
    require(made)
    apply_now(made)


def back_up(ground: Ground) -> None:
    """A backup of an earlier batch, with its sink's log."""
    location = str(ground.location)
    sources, record = find_sources(location, query="", output=str(ground.output), sink="")
    repository = Repository.open(str(ground.place / "backups"), create=True)
    about = About(location=location, generation=record)
    take(sources, repository, about, now=NOW, batch_id=EARLIER, on_event=ignore)


def restore(ground: Ground) -> None:
    """The backup becomes a new generation."""
    repository = Repository.open(str(ground.place / "backups"))
    restore_generation(
        location_area(str(ground.location)),
        Wanted(
            repository=repository,
            manifest=repository.manifest("latest"),
            output=str(ground.output),
            job="j:J",
        ),
        on_event=ignore,
    )


def judge(warm: Warm, base: Path, cell: Cell, place: Path) -> str:
    """Change, start, and say what is wrong; "" for nothing."""
    shutil.copytree(base, place)
    ground = Ground(place)
    rewrite_paths(ground.sink() / "_spark_metadata", str(base), str(place))
    if cell.change == "restore":
        back_up(ground)
    if cell.change == "reprocess-begun":
        another(ground, "0002", checkpoint=True)
    prepare(ground, cell.sink, "0002" if cell.change == "reprocess-begun" else "0001")
    try:
        change(ground, cell)
        may_start(ground, cell)
    except Refused as refusal:
        told = refusal.exit_code
        return "" if told is cell.refused else f"refused with {told}: {refusal.message}"
    if cell.refused is not None:
        return f"not refused with {cell.refused}"
    checkpoint, output = started_with(ground, cell)
    goal = max(committed(checkpoint), 0) + 4
    error = run_until(warm.values(checkpoint, output, rows=ROWS + 3), checkpoint, goal)
    if error:
        return f"the query died: {error[:300]}"
    return "; ".join(wrong_values(warm.read(output))[:5])


def may_start(ground: Ground, cell: Cell) -> None:
    """What `start` asks of a generation before it spawns a driver."""
    checkpoint, output = started_with(ground, cell)
    if checkpoint.parent.parent != ground.location:
        return  # a checkpoint by its path: nothing of ours starts it
    require_fit(
        area_store(ground.location),
        str(output.parent.parent),
        generation=output.parent.name,
        run=ground.run,
    )


def started_with(ground: Ground, cell: Cell) -> tuple[Path, Path]:
    """Checkpoint and output of the next start."""
    if cell.change == "clear":
        return ground.place / "bare", where(ground, cell.sink)
    generation = "0002" if cell.change in _NEW_GENERATION else "0001"
    return ground.checkpoint(generation), where(ground, cell.sink, generation)


def rewrite_paths(log: Path, old: str, new: str) -> None:
    """A sink's log has absolute paths: those of the copy."""
    for file in log.iterdir():
        if file.name.startswith("."):
            file.unlink()
        else:
            file.write_text(file.read_text().replace(old, new))


def campaign(
    place: Path,
    *,
    count: int,
    chance: random.Random,
    cells: list[Cell] | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """All cells in one warm session; `count` and `chance` are not needed.

    Returns:
        Figures, and what is wrong.
    """
    del count, chance
    warm, wrong = Warm.start(), []
    wanted = CELLS if cells is None else cells
    base = Ground(place / "base")
    store = area_store(base.location)
    generations.add(
        store,
        Generation(name="0001", created_at=NOW, job="j:J", starting_offsets="{}", why="first"),
    )
    try:
        query = warm.values(base.checkpoint(), base.sink(), rows=ROWS)
        error = run_until(query, base.checkpoint(), NEWEST)
        assert not error, error
        tell(base, query)
        for number, cell in enumerate(wanted):
            found = judge(warm, base.place, cell, place / f"cell-{number}")
            told = found or "right"
            sys.stderr.write(f"{cell.change} with a sink that is {cell.sink}: {told}\n")
            wrong += [f"{cell.change} x {cell.sink}: {found}"] if found else []
    finally:
        warm.spark.stop()
    refused = sum(cell.refused is not None for cell in wanted)
    return {"cells": len(wanted), "refused": refused, "wrong": len(wrong)}, wrong


def tell(ground: Ground, query: Any) -> None:
    """The progress that the driver would have told, of both generations there may be."""
    from jobs.progress import ProgressFile, summarize

    line = summarize(query.lastProgress) | {"query": "values"}
    ground.run.path.mkdir()
    for generation in ("0001", "0002"):
        file = ProgressFile(
            ground.run.progress_file, max_bytes=1 << 20, bound={"generation": generation}
        )
        file.write("progress", **line)


def area_store(location: Path) -> Any:
    from streamctl.checkpoint.location.store import Store

    return Store.open(str(location))
