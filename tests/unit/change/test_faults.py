"""Killed or failed at every change to a file: the old or the new, whole; and it can run again."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streamctl.checkpoint.backup.format import Manifest
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.sources import find_sources
from streamctl.checkpoint.backup.take import About, take
from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change import exchange
from streamctl.checkpoint.change.apply import Build
from streamctl.checkpoint.change.area import Area, area_of, held
from streamctl.checkpoint.change.clear import plan_clear
from streamctl.checkpoint.change.plan import Plan
from streamctl.checkpoint.change.prune import Policy, plan_prune
from streamctl.checkpoint.change.restore import Wanted, builder, plan_restore
from streamctl.checkpoint.change.rewind import plan_rewind
from streamctl.checkpoint.change.rotate import plan_rotate
from streamctl.checkpoint.change.skip import Skip, plan_skip
from streamctl.checkpoint.change.undo import plan_undo
from streamctl.reports import ignore
from tests.faults import Fail, Kill, run_forked
from tests.unit.change.helpers import NOW, bare, digest, location, run, sink_of, small

_JOB = "jobs.telemetry:TelemetryJob"
CODES = (errno.ENOSPC, errno.EACCES, errno.EIO, errno.ENOENT)


@dataclass(frozen=True)
class Case:
    """A command on a place of its own: how to set it up, and what it plans then."""

    name: str
    setup: Callable[[Path], None]
    plan: Callable[[Path], tuple[Area, Plan]]
    build: Callable[[Path], Build] | None = None


def _rewind_setup(root: Path) -> None:
    small(root / "checkpoint", batches=2)
    sink_of(root / "out", batches=2)


def _rewind(root: Path) -> tuple[Area, Plan]:
    target = bare(root / "checkpoint", sink=root / "out")
    return target.area, plan_rewind(target, 0, why="test", now=NOW)


def _undo_setup(root: Path) -> None:
    _rewind_setup(root)
    run(*_rewind(root))


def _undo(root: Path) -> tuple[Area, Plan]:
    area = bare(root / "checkpoint").area
    return area, plan_undo(area, why="test", now=NOW)


def _location(root: Path) -> None:
    location(root / "checkpoint", batches=2)


def _rotate(root: Path) -> tuple[Area, Plan]:
    area = area_of(str(root / "checkpoint"))
    return area, plan_rotate(
        area,
        job=_JOB,
        starting=None,
        topic_ids={},
        sinks={},
        kafka=None,
        why="test",
        now=NOW,
    )


def _clear_ours(root: Path) -> tuple[Area, Plan]:
    area = area_of(str(root / "checkpoint"))
    return area, plan_clear(area, why="test", now=NOW)


def _clear_bare(root: Path) -> tuple[Area, Plan]:
    area = bare(root / "checkpoint").area
    sink = str(root / "out")
    return area, plan_clear(area, why="test", now=NOW, sink=sink, permanently=True)


def _skip_setup(root: Path) -> None:
    small(root / "checkpoint", batches=1)


def _skip(root: Path) -> tuple[Area, Plan]:
    target = bare(root / "checkpoint")
    wanted = Skip(topic="t", partition=0, end=13)
    return target.area, plan_skip(target, wanted, why="test", now=NOW, dead_letter_topic="t.dlq")


def _prune_setup(root: Path) -> None:
    """Three generations, something in the trash of checkpoint and sink, an orphan."""
    for _ in range(2):
        if not (root / "checkpoint").exists():
            _location(root)
        area, plan = _rotate(root)
        run(area, plan)
        name = max(p.name for p in (root / "checkpoint").glob("0*"))
        shutil.rmtree(root / "checkpoint" / name)
        small(root / "checkpoint" / name / "windows", batches=1)
    left = root / "checkpoint/0003/windows/offsets/.9.0d2c5b1e.tmp"
    left.write_text("left")
    os.utime(left, (1, 1))


def _prune(root: Path) -> tuple[Area, Plan]:
    area = area_of(str(root / "checkpoint"))
    policy = Policy(keep_generations=1, trash_days=0)
    return area, plan_prune(area, policy, why="test", now=datetime.now(UTC) + timedelta(hours=1))


def _restore_setup(root: Path) -> None:
    """A location whose output has a log, and a backup of its batch before the last."""
    location(root / "checkpoint", batches=2)
    sink_of(root / "out/0001/windows", batches=2)
    kept = root.parent / "backups"  # its ids are random: one serves all rounds
    if not kept.exists():
        _back_up(root, kept)
    shutil.copytree(kept, root / "backups")


def _back_up(root: Path, to: Path) -> None:
    where = str(root / "checkpoint")
    sources, record = find_sources(where, query="", output=str(root / "out"), sink="")
    repository = Repository.open(str(to), create=True)
    about = About(location=where, generation=record)
    take(sources, repository, about, now=NOW, batch_id=0, on_event=ignore)


def _backup(root: Path) -> tuple[Repository, Manifest]:
    repository = Repository.open(str(root / "backups"))
    return repository, repository.manifest("latest")


def _restore(root: Path) -> tuple[Area, Plan]:
    area = area_of(str(root / "checkpoint"))
    repository, manifest = _backup(root)
    wanted = Wanted(repository=repository, manifest=manifest, output=str(root / "out"), job=_JOB)
    return area, plan_restore(area, wanted, kafka=None, now=NOW)


def _restored(root: Path) -> Build:
    return builder(*_backup(root), keep_rows=True, on_event=ignore)


CASES = [
    Case("restore", _restore_setup, _restore, _restored),
    Case("prune", _prune_setup, _prune),
    Case("skip", _skip_setup, _skip),
    Case("rewind", _rewind_setup, _rewind),
    Case("undo", _undo_setup, _undo),
    Case("rotate", _location, _rotate),
    Case("clear", _location, _clear_ours),
    Case("clear-permanently", _rewind_setup, _clear_bare),
]


SLOWLY = [Case("rewind-three-renames", _rewind_setup, _rewind)]
"""Where no system call exchanges two trees."""


@pytest.fixture(params=[*CASES, *SLOWLY], ids=lambda case: case.name)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Each command."""
    if request.param in SLOWLY:
        monkeypatch.setattr(exchange, "_renameat2", lambda: None)
    return request.param


def command(case: Case, root: Path) -> None:
    """What the CLI does: hold the lease, finish what is pending, plan, apply."""
    area, _ = case.plan(root)
    with held(area, case.name) as holding:
        changes.recover(area)
        _, plan = case.plan(root)
        changes.apply(area, plan, holding, build=case.build(root) if case.build else None)


def finish(root: Path) -> None:
    """What the next command does first."""
    area = area_of(str(root / "checkpoint"))
    with held(area, "recover"):
        changes.recover(area)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory where there is one: thousands of flushes need no disk."""
    home = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="streamctl-", dir=home) as path:
        yield Path(path)


class Place:
    """A place to break things in: made anew at each point, at the same path."""

    def __init__(self, case: Case, memory: Path) -> None:
        self.root = memory / "place"
        self._case = case
        self.fresh()
        command(case, self.root)  # so that no child imports what its parent has
        self.fresh()
        self.old = digest(self.root)
        self.points = run_forked(lambda: command(case, self.root), roots=[self.root])
        assert not self.points.error, self.points.traceback
        self.new = shape(self.root)
        self.fresh()
        self.before = shape(self.root)
        assert self.new != self.before

    def fresh(self) -> None:
        """As before the command."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        self._case.setup(self.root)


def shape(root: Path) -> dict[str, bytes]:
    """Names and bytes, without times and without our own records."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        ours = ".streamctl" in name or any(
            part in name
            for part in (
                *("_streamctl/journal", "_streamctl/trash", "_streamctl/lease"),
                "backups/locks",  # a dead reader's binds nobody, and prune sweeps it
            )
        )
        if path.is_file() and not ours:
            found[name] = path.read_bytes()
    return found


def test_killed_at_every_point(case: Case, memory: Path) -> None:
    """Afterwards it is the old or the new; after the next command wholly one; and it runs again."""
    place = Place(case, memory)
    total = len(place.points.points)
    seen = set()
    for point in range(total):
        place.fresh()
        outcome = run_forked(
            lambda: command(case, place.root), roots=[place.root], fault=Kill(at=point)
        )
        assert outcome.killed, point
        finish(place.root)
        now = shape(place.root)
        assert now in (place.before, place.new), place.points.points[point]
        seen.add(now == place.new)
        if now == place.before:
            again = run_forked(lambda: command(case, place.root), roots=[place.root])
            assert not again.error, again.traceback
            assert shape(place.root) == place.new
        left = [p for p in place.root.rglob("pending.json*") if p.suffix == ".json"]
        assert not left
    assert seen == {True, False}


def test_failed_at_every_point(case: Case, memory: Path) -> None:
    """A refused write is told, and nothing is left half; once storage is well, it runs.

    Each point meets one of the codes; `scripts/campaign faults` lets each meet all.
    """
    fail_everywhere(case, memory, lambda point: CODES[point % len(CODES)])


def fail_everywhere(case: Case, memory: Path, code: Callable[[int], int]) -> int:
    """Fail each change of a command once, with the code that its number asks for.

    Returns:
        The number of points.
    """
    place = Place(case, memory)
    for point in range(len(place.points.points)):
        place.fresh()
        fault = Fail(at=point, code=code(point))
        outcome = run_forked(lambda: command(case, place.root), roots=[place.root], fault=fault)
        finish(place.root)
        now = shape(place.root)
        assert now in (place.before, place.new), place.points.points[point]
        if outcome.error:
            assert outcome.error.split(":")[0] in _TOLD, outcome.traceback
        if now == place.before:
            again = run_forked(lambda: command(case, place.root), roots=[place.root])
            assert not again.error, again.traceback
            assert shape(place.root) == place.new
    return len(place.points.points)


def campaign(place: Path, *, count: int, chance: Any) -> tuple[dict[str, Any], list[str]]:
    """Every code at every point of every command.

    Returns:
        Points met, and what is wrong.
    """
    del count, chance
    figures, wrong = {}, []
    for case in CASES:
        for code in CODES:
            name = f"{case.name} {errno.errorcode[code]}"
            try:
                figures[name] = fail_everywhere(case, place / name, lambda _, code=code: code)
            except AssertionError as error:
                wrong.append(f"{name}: {error}")
    return figures | {"points": sum(figures.values())}, wrong


_TOLD = {"StorageFailed", "PartlyDone", "Busy", "LeaseLost"}


def test_storage_that_stays_broken(case: Case, memory: Path) -> None:
    """No later write works either: the next command, with storage well again, finishes."""
    place = Place(case, memory)
    for point in range(len(place.points.points)):
        place.fresh()
        run_forked(
            lambda: command(case, place.root),
            roots=[place.root],
            fault=Fail(at=point, code=errno.ENOSPC, lasting=True),
        )
        finish(place.root)
        assert shape(place.root) in (place.before, place.new), place.points.points[point]
