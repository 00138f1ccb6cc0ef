"""The corpus: every kind of damage to a checkpoint.

`scripts/judge` starts real Spark on each, done to copies of golden checkpoints; the tests hold
`verify` against what it saw. Experiments do them to a stopped job.
Edits drop the file's Hadoop checksum, as an operator's editor on another host would, unless the
name says that it stays.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamctl.checkpoint.tree import layout


@dataclasses.dataclass(frozen=True)
class Place:
    """A checkpoint to damage: its newest batches, and the version that the next start loads.

    Attributes:
        sink: output of its file sink; None for that of a golden checkpoint, beside it.
    """

    root: Path
    planned: int
    committed: int
    sink: Path | None = None

    @property
    def version(self) -> int:
        return self.planned + 1 if self.planned == self.committed else self.planned

    def offsets(self, batch: int) -> Path:
        return self.root / "offsets" / str(batch)

    def commits(self, batch: int) -> Path:
        return self.root / "commits" / str(batch)

    def stores(self) -> list[Path]:
        """Directories with state files, the first of partition 1 first."""
        found = {p.parent for p in self.root.glob("state/*/*/**/*") if layout.state_file(p.name)}
        return sorted(found, key=lambda p: (p.relative_to(self.root).parts[2] != "1", str(p)))

    def state(self, kind: str, *, newest: bool = True) -> Path:
        """The newest file of a kind that the next start may load, or the oldest."""
        found = [
            (file[0], p)
            for p in sorted(self.stores()[0].iterdir())
            if (file := layout.state_file(p.name)) and p.suffix == f".{kind}"
        ]
        usable = sorted((v, p) for v, p in found if v <= self.version)
        return usable[-1 if newest else 0][1]

    def table(self) -> Path:
        """The table that the newest usable snapshot needs."""
        from streamctl.checkpoint.formats.snapshot import parse_snapshot

        path = self.state("zip")
        with path.open("rb") as stream:
            return path.parent / "SSTs" / parse_snapshot(stream, name="").ssts[-1].stored_name

    @property
    def out(self) -> Path:
        if self.sink is not None:
            return self.sink / "_spark_metadata"
        return self.root.with_name(self.root.name + "-out") / "_spark_metadata"


@dataclasses.dataclass(frozen=True)
class Damage:
    """One kind.

    Attributes:
        fits: beginnings of the flavours it is for.
    """

    name: str
    what: str
    apply: Callable[[Place], object]
    fits: tuple[str, ...] = ("",)


def place(root: Path, *, sink: Path | None = None) -> Place:
    return Place(
        root=root,
        sink=sink,
        planned=max(layout.batch_ids(p.name for p in (root / "offsets").iterdir())),
        committed=max(layout.batch_ids(p.name for p in (root / "commits").iterdir())),
    )


def drop(path: Path, *, keep_sidecar: bool = False) -> None:
    if path.is_dir():
        shutil.rmtree(path)
        return
    path.unlink(missing_ok=True)  # a list may name a file and its sidecar
    for name in () if keep_sidecar else layout.sidecars(path.name):
        path.with_name(name).unlink(missing_ok=True)


def write(path: Path, data: bytes, *, keep_sidecar: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if not keep_sidecar:
        path.with_name(layout.hadoop_sidecar(path.name)).unlink(missing_ok=True)


def edit(path: Path, change: Callable[[bytes], bytes], *, keep_sidecar: bool = False) -> None:
    write(path, change(path.read_bytes()), keep_sidecar=keep_sidecar)


def metadata_of(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    def lines(data: bytes) -> bytes:
        rows = data.split(b"\n")
        fields = json.loads(rows[1])
        change(fields)
        rows[1] = json.dumps(fields, separators=(",", ":")).encode()
        return b"\n".join(rows)

    edit(path, lines)


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes, at: float = 0.5) -> bytes:
    n = int(len(data) * at)
    return data[:n] + bytes([data[n] ^ 0x10]) + data[n + 1 :]


def last_line(data: bytes, line: bytes | None) -> bytes:
    rows = data.split(b"\n")[:-1]
    return b"\n".join(rows if line is None else [*rows, line])


def renumber(data: bytes, add: int) -> bytes:
    """Move the last source's offset, whichever number it is; of Kafka's, the first partition's."""
    text = data.split(b"\n")[-1]
    value = json.loads(text)
    if isinstance(value, dict) and all(isinstance(part, dict) for part in value.values()):
        partitions = next(iter(value.values()))
        partitions["0"] = max(0, partitions["0"] + add)
        return last_line(data, json.dumps(value, separators=(",", ":")).encode())
    key = next((k for k in ("offset", "logOffset") if isinstance(value, dict) and k in value), None)
    if key is None:
        return last_line(data, str(value + add).encode())
    value[key] = max(0, value[key] + add)
    return last_line(data, json.dumps(value, separators=(",", ":")).encode())


def without_partition(data: bytes) -> bytes:
    """Forget the first partition of a Kafka source."""
    value = json.loads(data.split(b"\n")[-1])
    next(iter(value.values())).pop("0")
    return last_line(data, json.dumps(value, separators=(",", ":")).encode())


def rewind(at: Place, by: int, *, state: bool) -> None:
    for batch in range(at.committed - by + 1, at.planned + 1):
        drop(at.offsets(batch))
        if at.commits(batch).exists():
            drop(at.commits(batch))
    for path in [p for s in at.stores() for p in s.iterdir()] if state else []:
        found = layout.state_file(path.name)
        if found and found[0] > at.committed - by + 1:
            drop(path)


def each(paths: list[Path]) -> None:
    for path in paths:
        drop(path)


def sink_entry(at: Place, batch: int) -> None:
    newest = max(at.out.iterdir(), key=lambda p: layout.batch_id(p.name.split(".")[0]) or -1)
    write(at.out / str(batch), newest.read_bytes())


def _sink_newest(at: Place) -> Path:
    return max(
        (p for p in at.out.iterdir() if layout.batch_id(p.name) is not None),
        key=lambda p: int(p.name),
    )


def _source_newest(at: Place) -> Path:
    folder = at.root / "sources" / "0"
    return max((p for p in folder.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))


STATEFUL = ("hdfs", "rocksdb")
WATERMARKED = ("hdfs", "rocksdb-agg", "rocksdb-ch", "rocksdb-join", "rocksdb2-agg", "rocksdb2-ch")
HDFS = ("hdfs",)
ZIP = ("rocksdb-aggregation",)
ROCKS = ("rocksdb",)
CHANGELOG = ("rocksdb-changelog", "rocksdb2-changelog")
SINK = ("stateless-filesink", "hdfs-aggregation", "rocksdb-changelog")
FILES = ("hdfs-deduplication-files",)
KAFKA = ("hdfs-kafka", "stateless-kafka")
VERSION_2 = ("rocksdb-transform", "rocksdb2-transform", "rocksdb-join3")
"""Flavours whose operator metadata is of version 2."""
V9 = b"v9"
TMP = "0f0e0d0c-0000-1111-2222-333344445555.tmp"

LOGS = [
    Damage(
        "offsets-last-deleted", "newest offsets entry deleted", lambda a: drop(a.offsets(a.planned))
    ),
    Damage(
        "offsets-last-deleted-sidecar-left",
        "newest offsets entry deleted, its checksum left",
        lambda a: drop(a.offsets(a.planned), keep_sidecar=True),
    ),
    Damage(
        "offsets-last-empty",
        "newest offsets entry emptied",
        lambda a: write(a.offsets(a.planned), b""),
    ),
    Damage(
        "offsets-last-cut",
        "newest offsets entry cut in its JSON",
        lambda a: edit(a.offsets(a.planned), half),
    ),
    Damage(
        "offsets-last-version-only",
        "only the version line left",
        lambda a: write(a.offsets(a.planned), b"v1"),
    ),
    Damage(
        "offsets-last-source-line-lost",
        "source line of the newest offsets entry removed",
        lambda a: edit(a.offsets(a.planned), lambda d: last_line(d, None)),
    ),
    Damage(
        "offsets-last-source-line-twice",
        "source line of the newest offsets entry doubled",
        lambda a: edit(a.offsets(a.planned), lambda d: d + b"\n" + d.split(b"\n")[-1]),
    ),
    Damage(
        "offsets-last-version-9",
        "newest offsets entry of an unknown version",
        lambda a: edit(a.offsets(a.planned), lambda d: V9 + d[2:]),
    ),
    Damage(
        "offsets-last-garbage",
        "newest offsets entry overwritten",
        lambda a: write(a.offsets(a.planned), b"\x93\xfa\x01oops"),
    ),
    Damage(
        "offsets-last-not-utf8",
        "a byte of the newest offsets entry is not UTF-8",
        lambda a: edit(a.offsets(a.planned), lambda d: d[:30] + b"\xff" + d[31:]),
    ),
    Damage(
        "offsets-last-offset-garbage",
        "the source's offset is no JSON",
        lambda a: edit(a.offsets(a.planned), lambda d: last_line(d, b"{oops")),
    ),
    Damage(
        "offsets-last-backwards",
        "newest offsets entry ends before the one before",
        lambda a: edit(a.offsets(a.planned), lambda d: renumber(d, -30)),
        ("stateless-f", "hdfs-agg", "rocksdb-agg", *KAFKA),
    ),
    Damage(
        "offsets-last-partition-lost",
        "newest offsets entry without a partition",
        lambda a: edit(a.offsets(a.planned), without_partition),
        KAFKA,
    ),
    Damage(
        "offsets-last-topic-renamed",
        "newest offsets entry of another topic",
        lambda a: edit(a.offsets(a.planned), lambda d: d.replace(b'{"', b'{"other-', 1)),
        KAFKA,
    ),
    Damage(
        "source-initial-deleted",
        "the offsets that the Kafka source began with deleted",
        lambda a: drop(a.root / "sources/0/0"),
        KAFKA,
    ),
    Damage(
        "source-initial-garbage",
        "the offsets that the Kafka source began with overwritten",
        lambda a: write(a.root / "sources/0/0", b"\0v1\n{oops"),
        KAFKA,
    ),
    Damage(
        "offsets-previous-deleted",
        "second newest offsets entry deleted",
        lambda a: drop(a.offsets(a.planned - 1)),
    ),
    Damage(
        "offsets-previous-empty",
        "second newest offsets entry emptied",
        lambda a: write(a.offsets(a.planned - 1), b""),
    ),
    Damage(
        "offsets-previous-cut",
        "second newest offsets entry cut",
        lambda a: edit(a.offsets(a.planned - 1), half),
    ),
    Damage(
        "offsets-old-deleted",
        "an old offsets entry deleted",
        lambda a: drop(a.offsets(a.planned - 2)),
    ),
    Damage(
        "offsets-old-empty",
        "an old offsets entry emptied",
        lambda a: write(a.offsets(a.planned - 2), b""),
    ),
    Damage(
        "offsets-all-deleted",
        "`offsets/` deleted, the rest kept",
        lambda a: drop(a.root / "offsets"),
    ),
    Damage(
        "offsets-stray-999",
        "a copy of an entry named 999",
        lambda a: write(a.offsets(999), a.offsets(a.planned).read_bytes()),
    ),
    Damage(
        "offsets-directory",
        "the newest entry is a directory",
        lambda a: (drop(a.offsets(a.planned)), a.offsets(a.planned).mkdir())[0],
    ),
    Damage(
        "offsets-last-old-watermark",
        "watermark of the newest offsets entry set back",
        lambda a: metadata_of(a.offsets(a.planned), lambda m: m.update(batchWatermarkMs=1)),
        WATERMARKED,
    ),
    Damage(
        "offsets-last-partitions-edited",
        "state partitions in the newest offsets entry edited",
        lambda a: metadata_of(
            a.offsets(a.planned), lambda m: m["conf"].update({"spark.sql.shuffle.partitions": "3"})
        ),
        STATEFUL,
    ),
    Damage(
        "offsets-last-conf-gone",
        "pinned settings of the newest offsets entry removed",
        lambda a: metadata_of(a.offsets(a.planned), lambda m: m.update(conf={})),
        STATEFUL,
    ),
    Damage(
        "offsets-last-codec-edited",
        "pinned compression of the newest offsets entry edited",
        lambda a: metadata_of(
            a.offsets(a.planned),
            lambda m: m["conf"].update(
                {"spark.sql.streaming.stateStore.compression.codec": "zstd"}
            ),
        ),
        STATEFUL,
    ),
    Damage(
        "offsets-last-bit-flip",
        "one bit of the watermark flipped, the checksum kept",
        lambda a: edit(
            a.offsets(a.planned), lambda d: d.replace(b'Ms":17', b'Ms":13', 1), keep_sidecar=True
        ),
        STATEFUL,
    ),
    Damage(
        "offsets-backup-copy",
        "`12.bak` and a note in `offsets/`",
        lambda a: (
            write(a.offsets(0).with_name("12.bak"), b"x"),
            write(a.offsets(0).with_name("note.txt"), b"x"),
        )[0],
    ),
    Damage(
        "offsets-temporary",
        "a crashed writer's temporary file",
        lambda a: write(a.offsets(0).with_name(f".{a.planned + 1}.{TMP}"), b"x"),
    ),
    Damage(
        "offsets-sidecar-orphan",
        "a checksum without file where the next entry goes",
        lambda a: write(a.offsets(0).with_name(f".{a.planned + 1}.crc"), b"crc\0\0\0\2\0aaaa"),
    ),
    Damage(
        "sidecars-all-deleted",
        "all Hadoop checksums deleted",
        lambda a: [p.unlink() for p in a.root.rglob(".*.crc")] and None,
    ),
    Damage(
        "offsets-and-commits-deleted",
        "both logs deleted, the rest kept",
        lambda a: (drop(a.root / "offsets"), drop(a.root / "commits"))[0],
    ),
    Damage("commit-last-deleted", "newest commit deleted", lambda a: drop(a.commits(a.committed))),
    Damage(
        "commit-last-two-deleted",
        "two newest commits deleted",
        lambda a: each([a.commits(a.committed), a.commits(a.committed - 1)]),
    ),
    Damage("commits-all-deleted", "`commits/` deleted", lambda a: drop(a.root / "commits")),
    Damage(
        "commit-last-empty", "newest commit emptied", lambda a: write(a.commits(a.committed), b"")
    ),
    Damage(
        "commit-last-version-only",
        "newest commit cut to its version line",
        lambda a: edit(a.commits(a.committed), lambda d: d[:2]),
    ),
    Damage(
        "commit-last-cut",
        "newest commit cut in its JSON",
        lambda a: edit(a.commits(a.committed), lambda d: d[:12]),
    ),
    Damage(
        "commit-last-garbage",
        "newest commit overwritten",
        lambda a: write(a.commits(a.committed), b"\x93\xfa\x01oops"),
    ),
    Damage(
        "commit-last-version-9",
        "newest commit of an unknown version",
        lambda a: edit(a.commits(a.committed), lambda d: V9 + d[2:]),
    ),
    Damage(
        "commit-ahead",
        "a commit of a batch that was never planned",
        lambda a: write(a.commits(a.planned + 1), a.commits(a.committed).read_bytes()),
    ),
    Damage(
        "commit-old-deleted", "an old commit deleted", lambda a: drop(a.commits(a.committed - 2))
    ),
    Damage(
        "commit-old-empty",
        "an old commit emptied",
        lambda a: write(a.commits(a.committed - 2), b""),
    ),
    Damage(
        "commit-sidecar-orphan",
        "a checksum without file where the next commit goes",
        lambda a: write(a.commits(0).with_name(f".{a.committed + 1}.crc"), b"crc\0\0\0\2\0aaaa"),
    ),
    Damage("metadata-deleted", "`metadata` deleted", lambda a: drop(a.root / "metadata")),
    Damage("metadata-empty", "`metadata` emptied", lambda a: write(a.root / "metadata", b"")),
    Damage("metadata-cut", "`metadata` cut", lambda a: edit(a.root / "metadata", half)),
    Damage(
        "metadata-garbage",
        "`metadata` overwritten",
        lambda a: write(a.root / "metadata", b"\x93\xfa\x01oops"),
    ),
    Damage("root-note", "a note in the root", lambda a: write(a.root / "README.txt", b"x")),
    Damage(
        "rewound-logs-only",
        "three batches removed from the logs, not from the state",
        lambda a: rewind(a, 3, state=False),
    ),
    Damage(
        "rewound-whole",
        "three batches removed from logs and state (control)",
        lambda a: rewind(a, 3, state=True),
        ("stateless", "hdfs-aggregation", "hdfs-join", "rocksdb"),
    ),
]
STATE = [
    Damage("nothing", "nothing (control)", lambda _: None),
    Damage("state-deleted", "`state/` deleted", lambda a: drop(a.root / "state"), STATEFUL),
    Damage(
        "state-emptied",
        "everything in `state/` deleted",
        lambda a: each(list((a.root / "state").iterdir())),
        STATEFUL,
    ),
    Damage(
        "partition-deleted",
        "a state partition deleted",
        lambda a: drop(a.root / "state/0/1"),
        STATEFUL,
    ),
    Damage(
        "partition-emptied",
        "a state partition emptied",
        lambda a: each([p for p in a.stores()[0].iterdir() if not p.name.startswith(".")]),
        STATEFUL,
    ),
    Damage(
        "store-deleted",
        "one of a join's four stores deleted",
        lambda a: drop(a.stores()[0]),
        ("hdfs-join", "rocksdb-changelog-join"),
    ),
    Damage(
        "change-last-deleted",
        "newest delta or changelog deleted",
        lambda a: drop(_change(a)),
        (*HDFS, *CHANGELOG),
    ),
    Damage(
        "change-last-empty",
        "newest delta or changelog emptied",
        lambda a: write(_change(a), b""),
        (*HDFS, *CHANGELOG),
    ),
    Damage(
        "change-last-cut",
        "newest delta or changelog cut in half",
        lambda a: edit(_change(a), half),
        (*HDFS, *CHANGELOG),
    ),
    Damage(
        "change-last-end-cut",
        "the compressor's end mark of the newest delta cut off",
        lambda a: edit(_change(a), lambda d: d[:-10]),
        (*HDFS, "rocksdb-changelog"),
    ),
    Damage(
        "change-last-flipped",
        "a bit of the newest delta or changelog flipped",
        lambda a: edit(_change(a), flip),
        (*HDFS, *CHANGELOG),
    ),
    Damage(
        "change-oldest-deleted",
        "oldest delta or changelog deleted",
        lambda a: drop(a.state(_kind(a), newest=False)),
        (*HDFS, *CHANGELOG),
    ),
    Damage(
        "change-swapped",
        "newest delta replaced by the other partition's",
        lambda a: write(
            _change(a), (a.stores()[-1] / _change(a).name).read_bytes(), keep_sidecar=True
        ),
        ("hdfs-aggregation",),
    ),
    Damage(
        "snapshot-last-deleted",
        "newest snapshot deleted",
        lambda a: drop(a.state("snapshot")),
        HDFS,
    ),
    Damage(
        "snapshot-last-cut", "newest snapshot cut", lambda a: edit(a.state("snapshot"), half), HDFS
    ),
    Damage(
        "snapshot-last-empty",
        "newest snapshot emptied",
        lambda a: write(a.state("snapshot"), b""),
        HDFS,
    ),
    Damage(
        "snapshot-last-flipped",
        "a bit of the newest snapshot flipped",
        lambda a: edit(a.state("snapshot"), flip),
        HDFS,
    ),
    Damage(
        "snapshots-all-cut",
        "all snapshots cut",
        lambda a: [edit(p, half) for p in a.stores()[0].glob("*.snapshot")] and None,
        HDFS,
    ),
    Damage("zip-last-deleted", "newest zip deleted", lambda a: drop(a.state("zip")), ROCKS),
    Damage("zip-last-cut", "newest zip cut", lambda a: edit(a.state("zip"), half), ROCKS),
    Damage("zip-last-empty", "newest zip emptied", lambda a: write(a.state("zip"), b""), ROCKS),
    Damage(
        "zip-last-flipped",
        "a bit of the newest zip flipped",
        lambda a: edit(a.state("zip"), flip),
        ROCKS,
    ),
    Damage(
        "zip-last-directory-cut",
        "directory at the end of the newest zip cut off",
        lambda a: edit(a.state("zip"), lambda d: d[: d.index(b"PK\x01\x02")]),
        ROCKS,
    ),
    Damage(
        "zip-last-flipped-sum-kept",
        "a bit of the newest zip flipped, the checksum kept",
        lambda a: edit(a.state("zip"), flip, keep_sidecar=True),
        ROCKS,
    ),
    Damage(
        "zips-all-deleted",
        "all zips deleted",
        lambda a: each([p for s in a.stores() for p in s.glob("*.zip")]),
        ROCKS,
    ),
    Damage("table-deleted", "a table of the newest zip deleted", lambda a: drop(a.table()), ROCKS),
    Damage("table-cut", "a table of the newest zip cut", lambda a: edit(a.table(), half), ROCKS),
    Damage("tables-all-deleted", "`SSTs/` deleted", lambda a: drop(a.stores()[0] / "SSTs"), ROCKS),
    Damage(
        "table-stray",
        "a table that nothing refers to",
        lambda a: write(a.stores()[0] / "SSTs" / "000001-x.sst", b""),
        ROCKS,
    ),
    Damage(
        "checksum-spark-edited",
        "Spark's checksum of the newest changelog edited",
        lambda a: edit(
            a.stores()[0] / layout.spark_sidecar(_change(a).name),
            lambda d: d.replace(b'"value":', b'"value":1'),
        ),
        ("rocksdb2-changelog",),
    ),
    Damage(
        "checksum-spark-deleted",
        "Spark's checksum of the newest changelog deleted",
        lambda a: (a.stores()[0] / layout.spark_sidecar(_change(a).name)).unlink(),
        ("rocksdb2-changelog",),
    ),
    Damage(
        "stray-snapshot",
        "`backup.snapshot` in a partition",
        lambda a: write(a.stores()[0] / "backup.snapshot", b"x"),
        STATEFUL,
    ),
    Damage(
        "stray-delta",
        "`backup.delta` in a partition",
        lambda a: write(a.stores()[0] / "backup.delta", b"x"),
        STATEFUL,
    ),
    Damage(
        "stray-zip",
        "`backup.zip` in a partition",
        lambda a: write(a.stores()[0] / "backup.zip", b"x"),
        STATEFUL,
    ),
    Damage(
        "stray-changelog",
        "`backup.changelog` in a partition",
        lambda a: write(a.stores()[0] / "backup.changelog", b"x"),
        STATEFUL,
    ),
    Damage(
        "stray-note",
        "a note in a partition",
        lambda a: write(a.stores()[0] / "note.txt", b"x"),
        STATEFUL,
    ),
    Damage(
        "state-temporary",
        "a crashed task's temporary file",
        lambda a: write(a.stores()[0] / f".{a.version + 1}.delta.{TMP}", b"x"),
        STATEFUL,
    ),
    Damage("schema-deleted", "state schema deleted", lambda a: drop(_schema(a)), STATEFUL),
    Damage("schema-empty", "state schema emptied", lambda a: write(_schema(a), b""), STATEFUL),
    Damage("schema-cut", "state schema cut", lambda a: edit(_schema(a), half), STATEFUL),
    Damage(
        "schema-version-9",
        "state schema of an unknown version",
        lambda a: edit(_schema(a), lambda d: d[:3] + b"9" + d[4:]),
        STATEFUL,
    ),
    Damage(
        "operator-metadata-deleted",
        "operator metadata deleted",
        lambda a: drop(_operator(a)),
        STATEFUL,
    ),
    Damage(
        "operator-metadata-empty",
        "operator metadata emptied",
        lambda a: write(_operator(a), b""),
        STATEFUL,
    ),
    Damage(
        "operator-metadata-elsewhere",
        "operator metadata names schema files at another place",
        lambda a: edit(_operator(a), lambda d: d.replace(b'["file:/', b'["file:/gone/')),
        VERSION_2,
    ),
    Damage(
        "operator-metadata-garbage",
        "operator metadata overwritten",
        lambda a: edit(_operator(a), lambda d: d[:3] + b"{oops"),
        STATEFUL,
    ),
]
OUTSIDE = [
    Damage(
        "sink-ahead",
        "the sink's log is three batches ahead",
        lambda a: [sink_entry(a, a.planned + n) for n in (1, 2, 3)] and None,
        SINK,
    ),
    Damage(
        "sink-last-deleted",
        "the sink's log lost its newest entries",
        lambda a: each(
            [p for p in a.out.iterdir() if (layout.batch_id(p.name) or 0) >= a.committed]
        ),
        SINK,
    ),
    Damage("sink-deleted", "the sink's log deleted", lambda a: drop(a.out), SINK),
    Damage(
        "sink-last-empty",
        "newest entry of the sink's log emptied",
        lambda a: write(_sink_newest(a), b""),
        SINK,
    ),
    Damage(
        "sink-hole",
        "an entry of the sink's log deleted",
        lambda a: drop(a.out / str(int(_sink_newest(a).name) - 1)),
        SINK,
    ),
    Damage("source-log-deleted", "`sources/` deleted", lambda a: drop(a.root / "sources"), FILES),
    Damage(
        "source-log-last-deleted",
        "newest entry of the file source's log deleted",
        lambda a: drop(_source_newest(a)),
        FILES,
    ),
    Damage(
        "source-log-last-empty",
        "newest entry of the file source's log emptied",
        lambda a: write(_source_newest(a), b""),
        FILES,
    ),
    Damage(
        "source-log-last-garbage",
        "newest entry of the file source's log overwritten",
        lambda a: write(_source_newest(a), b"v1\n{oops"),
        FILES,
    ),
    Damage(
        "source-log-hole",
        "an entry of the file source's log deleted",
        lambda a: drop(a.root / "sources/0/1"),
        FILES,
    ),
]
CORPUS = [*STATE, *LOGS, *OUTSIDE]
JUDGED = (
    "hdfs-aggregation",
    "hdfs-join",
    "hdfs-deduplication-files",
    "rocksdb-aggregation",
    "rocksdb-changelog",
    "rocksdb2-aggregation",
    "rocksdb2-changelog",
    "stateless-filesink",
    "rocksdb-join3",
    "rocksdb-transformwithstate",
    "rocksdb2-transformwithstate",
    "hdfs-kafka-aggregation",
    "stateless-kafka",
)
"""The flavours that real Spark is started on."""


def _kind(at: Place) -> str:
    return "delta" if at.root.name.startswith("hdfs") else "changelog"


def _change(at: Place) -> Path:
    return at.state(_kind(at))


def _schema(at: Place) -> Path:
    first = at.root.glob("state/0/0/**/_metadata/schema")
    return min([*first, *at.root.glob("state/0/_stateSchema/*/0_*")])


def _operator(at: Place) -> Path:
    """Metadata of the first operator: of version 2, the newest."""
    return max(
        at.root.glob("state/0/_metadata/v2/*"), default=at.root / "state/0/_metadata/metadata"
    )


def fits(damage: Damage, flavour: str) -> bool:
    return any(flavour.startswith(start) for start in damage.fits)


def cases() -> list[tuple[str, Damage]]:
    """Every (flavour, damage) that makes sense."""
    return [(name, d) for name in JUDGED for d in CORPUS if fits(d, name)]
