"""A checkpoint to change, and what a tree is made of."""

import hashlib
import json
import os
import shutil
import zlib
from datetime import UTC, datetime
from pathlib import Path

from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change.apply import ChangeReport
from streamctl.checkpoint.change.area import Area, Target, area_of, held, target
from streamctl.checkpoint.change.plan import Plan, require
from streamctl.checkpoint.change.undo import plan_undo
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import OffsetsEntry, SourceOffset
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from tests.goldens import golden, relocate

NOW = datetime(2030, 1, 1, tzinfo=UTC)
_OURS = {"journal", "trash", "lease.json", "lease.lock", "pending.json"}


def digest(*trees: Path) -> str:
    """Every name, kind, mode, time and byte below some directories, but for streamctl's records."""
    total = hashlib.sha256()
    for tree in trees:
        for folder, folders, files in os.walk(tree):
            if Path(folder).name == "_streamctl":
                folders[:] = [name for name in folders if name not in _OURS]
                files = [name for name in files if name not in _OURS]  # noqa: PLW2901
            folders[:] = sorted(name for name in folders if not name.endswith(".streamctl"))
            where = os.path.relpath(folder, tree)
            total.update(f"{where}/{Path(folder).stat().st_mode}\0".encode())
            for name in sorted(files):
                path = Path(folder, name)
                found = path.lstat()
                # Our own pointers are small files written again: their bytes count.
                when = 0 if "_streamctl" in where else found.st_mtime_ns
                total.update(f"{where}/{name} {found.st_mode} {when}\0".encode())
                total.update(path.read_bytes())
    return total.hexdigest()


def copy_golden(version: str, name: str, to: Path) -> Path:
    """A golden checkpoint of one's own."""
    shutil.copytree(golden(version, name), to)
    relocate(to, was=golden(version, name))
    return to


def run(area: Area, plan: Plan, *, accept: tuple[str, ...] = ()) -> ChangeReport:
    """What a command does with a plan."""
    require(plan, accept=(*accept, "no-file-sink"))
    return _apply(area, plan)


def apply_now(plan: Plan) -> ChangeReport:
    """A plan that no guard objects to."""
    return _apply(area_of(plan.location), plan)


def _apply(area: Area, plan: Plan) -> ChangeReport:
    with held(area, plan.verb) as holding:
        changes.recover(area)
        return changes.apply(area, plan, holding)


def undo(area: Area, name: str = "") -> ChangeReport:
    """`streamctl checkpoint undo`."""
    with held(area, "undo"):
        changes.recover(area)
    return run(area, plan_undo(area, name, why="", now=NOW))


def bare(path: Path, *, sink: Path | None = None) -> Target:
    """The target of a checkpoint that Spark alone made."""
    return target(str(path), sink=str(sink) if sink else "")


def small(path: Path, *, batches: int = 4, uncommitted: bool = True, topic: str = "t") -> Path:
    """A stateless Kafka checkpoint written by hand: few files, so few points to fail at."""
    for folder in ("offsets", "commits", "sources/0"):
        (path / folder).mkdir(parents=True)
    (path / "metadata").write_bytes(log.format_metadata("8d6e1b0e-3f5c-4f7f-9a62-6f0f0a1f2b3c"))
    (path / "sources/0/0").write_bytes(log.format_kafka_initial({topic: {0: 0, 1: 0}}))
    for number in range(batches + uncommitted):
        end = log.format_kafka_offsets({topic: {0: 10 * (number + 1), 1: 5 * (number + 1)}})
        entry = OffsetsEntry(
            timestamp_ms=1_700_000_000_000 + 60_000 * number,
            sources=(SourceOffset(source_id="0", text=end),),
        )
        (path / f"offsets/{number}").write_bytes(log.format_offsets(entry))
        (path / f"offsets/.{number}.crc").write_bytes(
            _hadoop((path / f"offsets/{number}").read_bytes())
        )
        if number < batches:
            (path / f"commits/{number}").write_bytes(b'v1\n{"nextBatchWatermarkMs":0}')
    return path


def _hadoop(data: bytes) -> bytes:
    """The checksum file that Hadoop keeps beside these bytes."""
    pieces = [data[at : at + 512] for at in range(0, len(data), 512)]
    sums = b"".join(zlib.crc32(piece).to_bytes(4, "big") for piece in pieces)
    return b"crc\0" + (512).to_bytes(4, "big") + sums


def sink_of(path: Path, *, batches: int = 4, interval: int = 3, files: int = 1) -> Path:
    """A file sink's output of the same batches."""
    folder = path / "_spark_metadata"
    folder.mkdir(parents=True)
    everything: list[str] = []
    for number in range(batches):
        lines = []
        for part in range(files):
            data = path / f"part-{number}-{part}.parquet"
            data.write_text(f"data of {number}")
            (path / f".{data.name}.crc").write_text("crc")
            lines.append(
                json.dumps(
                    {"path": f"file://{data}", "size": 9, "isDir": False, "action": "add"},
                    separators=(",", ":"),
                )
            )
        everything += lines
        compact = (number + 1) % interval == 0
        name = f"{number}.compact" if compact else str(number)
        (folder / name).write_text("\n".join(["v1", *(everything if compact else lines)]))
        (folder / f".{name}.crc").write_text("crc")
    return path


def location(path: Path, *, queries: tuple[str, ...] = ("windows",), batches: int = 4) -> Area:
    """A location of ours with one generation."""
    store = Store.open(str(path))
    generation = Generation(
        name="0001",
        created_at=NOW,
        job="jobs.telemetry:TelemetryJob",
        starting_offsets='{"t": {"0": 0, "1": 0}}',
        why="first start",
    )
    generations.add(store, generation)
    for query in queries:
        small(path / "0001" / query, batches=batches)
    return area_of(str(path))
