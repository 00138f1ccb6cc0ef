"""The file sink's log, taken back: with compactions old and new, and with holes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamctl.checkpoint.change.sink import SinkPlan, format_log, local, plan_sink
from streamctl.checkpoint.formats.filelog import FileEntry, parse_file_log

Log = dict[str, tuple[FileEntry, ...]]


def entry(batch: int, part: int = 0) -> FileEntry:
    path = f"file:///out/part-{batch}-{part}.parquet"
    return FileEntry(path=path, fields={"path": path, "action": "add"})


def log_of(batches: int, *, interval: int = 5, files: int = 1, purged: int = 0) -> Log:
    """What Spark's sink holds after some batches; entries below `purged` are cleaned away."""
    found: Log = {}
    everything: list[FileEntry] = []
    for number in range(batches):
        own = [entry(number, part) for part in range(files)]
        everything += own
        compact = (number + 1) % interval == 0
        name = f"{number}.compact" if compact else str(number)
        if number >= purged:
            found[name] = tuple(everything if compact else own)
    return found


def after(log: Log, plan: SinkPlan) -> Log:
    """The log once the plan is carried out."""
    left = {name: entries for name, entries in log.items() if name not in plan.logs}
    written = {n: parse_file_log(t.encode(), name=n) for n, t in plan.written.items()}
    return left | written


def read_all(log: Log) -> list[str]:
    """What a reader sees: the last compaction and everything after it."""
    from streamctl.checkpoint.formats.filelog import chain

    there = chain(log)
    assert there.missing == ()
    return [item.path for name in there.needed for item in log[name]]


@given(
    batches=st.integers(1, 40),
    to=st.integers(0, 39),
    interval=st.integers(2, 12),
    files=st.integers(1, 3),
)
def test_a_reader_sees_exactly_the_kept_batches(
    batches: int, to: int, interval: int, files: int
) -> None:
    """Kept and dropped files together are all; a reader sees the kept ones in order."""
    log = log_of(batches, interval=interval, files=files)
    to = min(to, batches - 1)
    plan = plan_sink(log, log.__getitem__, to)
    assert plan.problem == ""
    kept = [entry(n, part).path for n in range(to + 1) for part in range(files)]
    assert read_all(after(log, plan)) == kept
    dropped = [entry(n, part).path for n in range(to + 1, batches) for part in range(files)]
    assert list(plan.files) == dropped


@given(to=st.integers(0, 18), purged=st.integers(1, 19), files=st.integers(1, 2))
def test_a_purged_log_is_told_from_the_next_compaction_or_refused(
    to: int, purged: int, files: int
) -> None:
    """Never a wrong log: what a reader sees afterwards is right, or the plan says it cannot."""
    log = log_of(20, interval=5, files=files, purged=purged)
    plan = plan_sink(log, log.__getitem__, to)
    if plan.problem:
        return
    kept = [entry(n, part).path for n in range(to + 1) for part in range(files)]
    assert read_all(after(log, plan)) == kept


def test_the_compaction_is_written_anew() -> None:
    """Batches 0 to 5 are purged, 9.compact repeats them: what 7 wrote and after is cut off."""
    log = log_of(12, interval=10, purged=7)
    plan = plan_sink(log, log.__getitem__, 6)
    assert list(plan.written) == ["6.compact"]
    assert plan.logs == ("7", "8", "9.compact", "10", "11")


@pytest.mark.parametrize(
    ("log", "to", "why"),
    [
        ({}, 3, "nothing of the batches up to 3"),
        (log_of(3), 5, "nothing of the batches after 2"),
        ({k: v for k, v in log_of(8).items() if k != "6"}, 3, "lacks batch 6"),
        (log_of(10, interval=10, purged=9), 8, "no longer tells"),
    ],
)
def test_what_cannot_be_taken_back(log: Log, to: int, why: str) -> None:
    """And why, in words."""
    assert why in plan_sink(log, log.__getitem__, to).problem


def test_all_of_it_goes() -> None:
    """Cleared with its checkpoint, whatever the log looks like."""
    log = log_of(12, interval=5)
    plan = plan_sink(log, log.__getitem__, -1)
    assert after(log, plan) == {}
    assert len(plan.files) == 12


def test_the_log_s_text_is_spark_s() -> None:
    """A version line, then one JSON a line, without a last line end."""
    text = format_log([entry(0), entry(1)])
    assert text.splitlines()[0] == "v1"
    assert parse_file_log(text.encode(), name="x") == (entry(0), entry(1))


def test_paths_of_a_log_are_uris() -> None:
    """Escaped, with or without an authority."""
    assert local("file:///out/a%20b") == "/out/a b"
    assert local("file:/out/x") == "/out/x"
    assert local("s3://bucket/x") is None
