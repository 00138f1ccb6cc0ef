"""Backups against restic, borg, tar and cp: whole processes, the same trees, in turns.

restic also encrypts, cuts large files by content and locks across hosts; borg cuts by content.
Ours knows what a checkpoint is: it takes what a start needs, and knows that Spark never writes into
a file that is there. The trees are made so that this is all of them. Programs that are not
installed are left out, and said.
"""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

from scripts.benchmarks.compare import Figure, Goal, Result, tell
from scripts.benchmarks.stage import STREAMCTL, Stage
from tests.many import Many

OURS, RESTIC, BORG, TAR, CP = "streamctl", "restic", "borg", "tar", "cp -r"
TREES = {
    "small files": {"partitions": 100, "batches": 62, "rows": 8, "value_bytes": 200},
    "large files": {"partitions": 24, "batches": 1, "rows": 16_000, "value_bytes": 2000},
}
_HUGE_BYTES = 10 << 30
_MEMORY_GOAL_MIB = 300


@dataclass(frozen=True, slots=True)
class Tool:
    """One side: a repository of its own, and what it does with a tree."""

    name: str
    begin: Callable[[Path], object]
    take: Callable[[Path, Path], object]
    check: Callable[[Path], object] | None = None
    restore: Callable[[Path, Path], object] | None = None


def run(stage: Stage, runs: int) -> Result:
    """All trees, then one file that is larger than memory should ever be."""
    tools = [tool for tool in _tools(stage.scratch) if tool.name == OURS or _is_there(tool.name)]
    missing = [name for name in (RESTIC, BORG) if not _is_there(name)]
    figures: list[Figure] = []
    for tree in TREES:
        values: dict[str, list[float]] = {}
        for number in range(runs):
            with stage.place() as place:
                _round(place, tree, tools, values, number=number)
        unit = {"stored": "MiB"}
        figures += [
            Figure(name=name, unit=unit.get(name.split(",")[0], "s"), values=found)
            for name, found in values.items()
        ]
    with stage.place() as place:
        memory = _huge(place)
    figures.append(Figure(name="peak memory with a file of 10 GiB", unit="MiB", values=[memory]))
    there = {figure.name for figure in figures}
    goals = [goal for goal in _goals() if {goal.ours, goal.other or goal.ours} <= there]
    notes = [f"{name} is not installed: left out" for name in missing]
    return Result(name="backup", figures=figures, goals=goals, notes=notes)


def _goals() -> Iterator[Goal]:
    for tree in TREES:

        def name(what: str, tool: str, tree: str = tree) -> str:
            return f"{what}, {tree}: {tool}"

        for what, other, bound in (
            ("first", RESTIC, 1 / 4),
            ("first", BORG, 1 / 6),
            ("first", TAR, 1),
            ("next", RESTIC, 1 / 15),
            ("next", BORG, 1 / 15),
            ("verify", RESTIC, 1 / 6),
            ("restore", RESTIC, 1 / 4),
            ("restore", CP, 1.5),
            ("stored", RESTIC, 1),
        ):
            yield Goal(ours=name(what, OURS), other=name(what, other), bound=round(bound, 4))
    yield Goal(ours="peak memory with a file of 10 GiB", bound=_MEMORY_GOAL_MIB)


def _round(
    place: Path, tree: str, tools: list[Tool], values: dict[str, list[float]], *, number: int
) -> None:
    """Every tool once, at every step; who begins changes from round to round."""
    tell(f"round {number + 1}: {tree} are made")
    size = TREES[tree]
    many = Many(
        place / "checkpoint",
        partitions=size["partitions"], rows=size["rows"], value_bytes=size["value_bytes"],
    )  # fmt: skip
    for _ in range(size["batches"]):
        many.add_batch()
    turn = tools[number % len(tools) :] + tools[: number % len(tools)]

    def each(what: str, work: Callable[[Tool], Callable[[], object] | None]) -> None:
        for tool in turn:
            job = work(tool)
            if job is not None:
                tell(f"round {number + 1}: {what}, {tree}: {tool.name}")
                os.sync()
                began = perf_counter()
                job()
                values.setdefault(f"{what}, {tree}: {tool.name}", []).append(
                    round(perf_counter() - began, 4)
                )

    for tool in tools:
        tool.begin(place / tool.name)
    each("first", lambda tool: partial(tool.take, place / tool.name, many.root))
    for tool in tools:
        values.setdefault(f"stored, {tree}: {tool.name}", []).append(_mib(place / tool.name))
    many.add_batch()
    each(
        "next",
        lambda tool: partial(tool.take, place / tool.name, many.root) if tool.check else None,
    )
    each("verify", lambda tool: tool.check and partial(tool.check, place / tool.name))
    each(
        "restore",
        lambda tool: (
            tool.restore and partial(tool.restore, place / tool.name, place / f"{tool.name}-out")
        ),
    )


def _tools(scratch: Path) -> list[Tool]:
    environ = {
        "RESTIC_PASSWORD": "bench",
        "RESTIC_CACHE_DIR": str(scratch / "restic-cache"),
        "BORG_BASE_DIR": str(scratch / "borg-base"),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
    }
    run = partial(_run, environ=environ)
    count = iter(range(1_000_000))
    return [
        Tool(
            OURS,
            begin=_nothing,
            take=lambda to, tree: run(*STREAMCTL, "checkpoint", "backup", tree, "--to", to),
            check=lambda to: run(*STREAMCTL, "backup", "verify", "--read-data", "-r", to),
            restore=lambda to, out: run(
                *STREAMCTL, "checkpoint", "restore", "latest", "--from", to, "--to", out
            ),
        ),
        Tool(
            RESTIC,
            begin=lambda to: run("restic", "init", "-r", to),
            take=lambda to, tree: run("restic", "backup", "-r", to, tree),
            check=lambda to: run("restic", "check", "--read-data", "-r", to),
            restore=lambda to, out: run("restic", "restore", "latest", "-r", to, "--target", out),
        ),
        Tool(
            BORG,
            begin=lambda to: run("borg", "init", "-e", "none", to),
            take=lambda to, tree: run("borg", "create", f"{to}::{next(count)}", tree),
            check=lambda to: run("borg", "check", "--verify-data", to),
        ),
        Tool(
            TAR,
            begin=_nothing,
            take=lambda to, tree: run(
                "sh", "-c", 'tar cf "$1" -C "$2" . && sync "$1"', "-", to, tree
            ),
        ),
        Tool(
            CP,
            begin=_nothing,
            take=lambda to, tree: run("cp", "-r", tree, to),
            restore=lambda to, out: run("cp", "-r", to, out),
        ),
    ]


def _nothing(to: Path) -> None:
    """It makes its repository itself."""
    del to


def _run(*command: object, environ: dict[str, str]) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command[:4]}: {done.stderr.strip()[-1000:]}")


def _is_there(name: str) -> bool:
    return shutil.which(name.split(maxsplit=1)[0]) is not None


def _mib(path: Path) -> float:
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return round(sum(item.stat().st_size for item in files) / 2**20, 3)


def _huge(place: Path) -> float:
    """Peak resident memory of a backup with one state file of 10 GiB, in MiB."""
    tell("a file of 10 GiB is made and backed up")
    many = Many(place / "checkpoint", partitions=1, rows=1, value_bytes=10)
    many.add_batch()
    with (many.root / "state/0/0/1.delta").open("wb") as file:
        for number in range(_HUGE_BYTES >> 20):
            file.write(number.to_bytes(8, "big") + bytes((1 << 20) - 8))
    with _children_memory() as peak:
        _run(
            *STREAMCTL, "checkpoint", "backup", many.root, "--to", place / "repository", environ={}
        )
    return peak[0]


@contextmanager
def _children_memory() -> Iterator[list[float]]:
    """The largest child so far: ours is measured where it is larger than all before."""
    found = [0.0]
    yield found
    found[0] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
