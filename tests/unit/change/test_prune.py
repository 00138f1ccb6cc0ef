"""Prune and archive: by policy, each with a reason, never what is needed."""

import os
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamctl.checkpoint.change.archive import GenerationNotFound, NotTheSame, pack, plan_archive
from streamctl.checkpoint.change.area import Area, held
from streamctl.checkpoint.change.orphans import find_orphans
from streamctl.checkpoint.change.plan import Guarded, require
from streamctl.checkpoint.change.prune import (
    Policy,
    decide_generations,
    decide_trash,
    plan_prune,
)
from streamctl.checkpoint.change.rewind import plan_rewind
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.verify import verify
from streamctl.errors import ExitCode
from tests.goldens import cases
from tests.unit.change.helpers import (
    NOW,
    bare,
    copy_golden,
    digest,
    location,
    run,
    sink_of,
    small,
    undo,
)

LATER = timedelta(days=30)
NAMES = st.lists(st.integers(1, 99).map("{:04d}".format), unique=True)


@given(names=NAMES, keep=st.integers(0, 5))
def test_every_generation_is_decided_with_a_reason(names: list[str], keep: int) -> None:
    """Keep and remove are all; the current one stays; what goes is older than what stays."""
    current = names[0] if names else ""
    decided = decide_generations(names, current, keep)
    assert sorted(item.name for item in decided) == sorted(names)
    assert all(item.reason for item in decided)
    assert all(item.keep for item in decided if item.name == current)
    gone = [item.name for item in decided if not item.keep]
    stay = [item.name for item in decided if item.keep and item.name != current]
    assert len(stay) == min(keep, max(0, len(names) - 1))
    assert not gone or not stay or max(gone) < min(stay)


@given(ages=st.lists(st.floats(-100, 100)), days=st.floats(0, 50))
def test_every_trash_entry_is_decided_with_a_reason(ages: list[float], days: float) -> None:
    """Of a clock that went back nothing is expired."""
    made = [(str(n), NOW - timedelta(days=age)) for n, age in enumerate(ages)]
    decided = decide_trash(made, days=days, now=NOW)
    assert [item.name for item in decided] == [name for name, _ in made]
    assert all(item.reason for item in decided)
    assert all(item.keep for item, age in zip(decided, ages, strict=True) if age < 0)


@pytest.mark.parametrize(("version", "name"), cases())
def test_nothing_that_a_start_needs_is_an_orphan(tmp_path: Path, version: str, name: str) -> None:
    """Of each golden, all orphans removed: it verifies as before, deep."""
    path = copy_golden(version, name, tmp_path / "checkpoint")
    (path / "offsets/.99.0a1b.tmp").write_text("x")
    policy = Policy(orphan_hours=0)
    area = bare(path).area
    when = datetime.now(UTC) + LATER
    before = verify(Checkpoint.open(str(path))).verdict
    plan = plan_prune(area, policy, why="test", now=when)
    assert plan.facts["orphaned_files"] >= 1
    run(area, plan, accept=("accept-findings",))
    assert verify(Checkpoint.open(str(path))).verdict is before
    assert not list(find_orphans(Checkpoint.open(str(path)), before_seconds=when.timestamp()))


def test_state_of_abandoned_batches_is_an_orphan(tmp_path: Path) -> None:
    """What a rewind by hand leaves: the next start would load it."""
    path = copy_golden("4.2.0", "hdfs-aggregation", tmp_path / "checkpoint")
    newest = Checkpoint.open(str(path)).log_ids().planned[-1]
    late = path / f"state/0/0/{newest + 5}.delta"
    late.write_bytes(b"")
    young = list(find_orphans(Checkpoint.open(str(path)), before_seconds=0))
    assert young == []
    found = find_orphans(Checkpoint.open(str(path)), before_seconds=LATER.total_seconds() * 1e6)
    assert f"state/0/0/{newest + 5}.delta" in {item.path for item in found}


def test_trash_expires_beside_outputs_too(tmp_path: Path) -> None:
    """What a rewind took is freed after its days, and not before; then undo says so."""
    path, sink = small(tmp_path / "checkpoint"), sink_of(tmp_path / "out")
    target = bare(path, sink=sink)
    report = run(target.area, plan_rewind(target, 1, why="", now=NOW))
    soon = plan_prune(target.area, Policy(), why="", now=datetime.now(UTC))
    assert soon.steps == ()
    run(target.area, plan_prune(target.area, Policy(), why="", now=datetime.now(UTC) + LATER))
    assert [p for p in tmp_path.rglob("trash/*/*")] == []  # noqa: C416
    with pytest.raises(Guarded) as refusal:
        undo(target.area, report.entry)
    assert refusal.value.exit_code is ExitCode.NOT_FOUND


def archive(area: Area, to: Path, *names: str) -> str:
    plan = plan_archive(area, to=str(to), names=names, why="", now=NOW)
    require(plan)
    with held(area, "archive") as holding:
        for name in plan.facts["archived"]:
            pack(area, name, to=str(to), held=holding, now=NOW)
    return run(area, plan).entry


def test_an_archive_opens_without_us_and_undo_brings_the_source_back(tmp_path: Path) -> None:
    """A plain tar of zstd; hard links of a rewind are files of their own in it."""
    import zstandard

    area = location(tmp_path / "at")
    small(tmp_path / "at/0002/windows")
    (tmp_path / "at/_streamctl/current.json").write_text('{"generation": "0002"}')
    (tmp_path / "at/_streamctl/generations/0002.json").write_text(
        (tmp_path / "at/_streamctl/generations/0001.json").read_text().replace("0001", "0002")
    )
    os.link(tmp_path / "at/0001/windows/metadata", tmp_path / "at/0001/windows/linked")
    before = digest(tmp_path / "at")
    source = {
        p.relative_to(tmp_path / "at").as_posix(): p.read_bytes()
        for p in (tmp_path / "at/0001").rglob("*")
        if p.is_file()
    }
    entry = archive(area, tmp_path / "archive")
    assert not (tmp_path / "at/0001").exists()
    with (
        (tmp_path / "archive/generation-0001.tar.zst").open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        assert {info.name: tar.extractfile(info).read() for info in tar} == source  # type: ignore[union-attr]
    undo(area, entry)
    assert digest(tmp_path / "at") == before
    undo(area, archive(area, tmp_path / "archive"))  # the same: as after a kill before the removal
    of_another = tmp_path / "at/0001/windows/metadata"  # of the same length
    of_another.write_bytes(of_another.read_bytes().replace(b"8d6e1b0e", b"00000000"))
    with pytest.raises(Guarded) as refusal:
        archive(area, tmp_path / "archive")
    assert refusal.value.exit_code is ExitCode.NOT_EMPTY
    with pytest.raises(GenerationNotFound):
        archive(area, tmp_path / "other", "0002")


def test_an_archive_that_reads_back_differently_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And has no manifest, so that it is no archive."""
    area = location(tmp_path / "at")
    (tmp_path / "at/_streamctl/current.json").unlink()
    monkeypatch.setattr(
        "streamctl.checkpoint.change.archive._read_back", lambda *_, **__: {"x": "y"}
    )
    with pytest.raises(NotTheSame):
        archive(area, tmp_path / "archive", "0001")
    assert (tmp_path / "at/0001/windows/metadata").exists()
    assert not (tmp_path / "archive/generation-0001.json").exists()
