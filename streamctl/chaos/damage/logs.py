"""Damage to the logs: offsets, commits, the query's id, and what a source began with."""

from streamctl.chaos.damage.edits import (
    TEMPORARY,
    drop,
    each,
    edit,
    half,
    last_line,
    metadata_of,
    renumber,
    rewind,
    without_partition,
    write,
)
from streamctl.chaos.damage.flavours import KAFKA, STATEFUL, WATERMARKED
from streamctl.chaos.damage.model import Damage

V9 = b"v9"

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
        lambda a: write(a.offsets(0).with_name(f".{a.planned + 1}.{TEMPORARY}"), b"x"),
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
