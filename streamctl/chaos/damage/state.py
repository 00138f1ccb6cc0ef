"""Damage to the state: changes, snapshots, tables, schemas, operators."""

from pathlib import Path

from streamctl.chaos.damage.edits import TEMPORARY, drop, each, edit, flip, half, write
from streamctl.chaos.damage.flavours import CHANGELOG, HDFS, ROCKS, STATEFUL, VERSION_2
from streamctl.chaos.damage.model import Damage, Place
from streamctl.checkpoint.tree import layout


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
        lambda a: write(a.stores()[0] / f".{a.version + 1}.delta.{TEMPORARY}", b"x"),
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
