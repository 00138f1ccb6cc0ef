"""A large checkpoint, made of one golden checkpoint's files."""

import json
import shutil
from pathlib import Path

from streamctl.checkpoint.tree import layout
from tests.goldens import golden


def make(root: Path, *, partitions: int, operators: int, versions: int) -> int:
    """Write it, and return the number of files.

    Every partition holds the same deltas with their checksums, and one snapshot, so that any
    Spark can load it.
    """
    source = golden("4.2.0", "hdfs-aggregation")
    store = source / "state" / "0" / "0"
    delta = next(p for p in sorted(store.iterdir()) if p.suffix == ".delta")
    snapshot = next(p for p in sorted(store.iterdir()) if p.suffix == ".snapshot")
    offsets = source / "offsets" / str(_newest(source / "offsets"))
    commit = source / "commits" / str(_newest(source / "commits"))
    for folder in ("offsets", "commits"):
        (root / folder).mkdir(parents=True)
    shutil.copy(source / "metadata", root / "metadata")
    for batch in range(versions):
        (root / "offsets" / str(batch)).write_bytes(_pinned(offsets.read_bytes(), partitions))
        (root / "commits" / str(batch)).write_bytes(commit.read_bytes())
    for operator in range(operators):
        place = root / "state" / str(operator)
        (place / "_metadata").mkdir(parents=True)
        metadata = json.loads((source / "state/0/_metadata/metadata").read_text().split("\n")[1])
        metadata["operatorInfo"]["operatorId"] = operator
        metadata["stateStoreInfo"][0]["numPartitions"] = partitions
        (place / "_metadata" / "metadata").write_text("v1\n" + json.dumps(metadata))
        for partition in range(partitions):
            _store(place / str(partition), delta, snapshot, versions)
        shutil.copytree(store / "_metadata", place / "0" / "_metadata")
    return sum(1 for path in root.rglob("*") if path.is_file())


def _store(place: Path, delta: Path, snapshot: Path, versions: int) -> None:
    place.mkdir()
    for kind, path, numbers in (
        ("delta", delta, range(1, versions + 1)),
        ("snapshot", snapshot, [versions - 5]),
    ):
        data = path.read_bytes()
        sums = path.with_name(layout.hadoop_sidecar(path.name)).read_bytes()
        for number in numbers:
            (place / f"{number}.{kind}").write_bytes(data)
            (place / f".{number}.{kind}.crc").write_bytes(sums)


def _pinned(data: bytes, partitions: int) -> bytes:
    lines = data.split(b"\n")
    metadata = json.loads(lines[1])
    metadata["conf"]["spark.sql.shuffle.partitions"] = str(partitions)
    return b"\n".join([lines[0], json.dumps(metadata).encode(), *lines[2:]])


def _newest(folder: Path) -> int:
    return max(layout.batch_ids(path.name for path in folder.iterdir()))
