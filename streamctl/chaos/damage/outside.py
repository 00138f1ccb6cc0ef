"""Damage outside the query's own logs and state: the file sink's log, and a file source's."""

from pathlib import Path

from streamctl.chaos.damage.edits import drop, each, write
from streamctl.chaos.damage.flavours import FILES, SINK
from streamctl.chaos.damage.model import Damage, Place
from streamctl.checkpoint.tree import layout


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
