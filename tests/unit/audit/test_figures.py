"""Cuts of queries that are not equally far, and the figures as of them."""

import pytest

from streamctl.audit.account import Role
from streamctl.audit.cut import cuts
from streamctl.audit.figures import Letters, Marks, Span, figures, read_places
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.errors import CheckpointNotFound
from streamctl.rundir.losses import Loss, LossCause
from tests.unit.dlq.cluster import DLQ, NOON, NOON_MS, Cluster
from tests.written import Written

GENERATION = Generation(
    name="0001",
    created_at=NOON,
    job="m:J",
    why="test",
    starting_offsets='{"t": {"0": 10, "1": 0}}',
)
WHOLE = Span(starts={"t": {0: 10}}, ends={})
MARKS = Marks(starts={"t": {0: 0, 1: 0}}, ends={"t": {0: 100, 1: 100}})


def write(tmp_path, query, *ends, planned=None):
    written = Written(tmp_path / "cp" / "0001" / query)
    for end in ends:
        written.commit({"t": end}, at=NOON)
    if planned:
        written.plan({"t": planned}, at=NOON)
    return written


def sink(tmp_path, query, *names):
    folder = tmp_path / "out" / "0001" / query / "_spark_metadata"
    folder.mkdir(parents=True)
    for name, files in names:
        lines = [f'{{"path":"file:///{file}","size":1,"action":"add"}}' for file in files]
        (folder / name).write_text("\n".join(["v1", *lines]))


def cut_of(tmp_path):
    found = cuts(
        Store.open(str(tmp_path / "cp")), GENERATION, output_location=str(tmp_path / "out")
    )
    return {cut.query: cut for cut in found}


def test_each_query_is_cut_where_all_others_have_been(tmp_path):
    write(tmp_path, "a", {0: 20, 1: 5}, {0: 30, 1: 5}, {0: 30, 1: 9}, planned={0: 40, 1: 9})
    write(tmp_path, "b", {0: 30, 1: 7})
    found = cut_of(tmp_path)
    assert (found["a"].batch_id, found["a"].ends) == (1, {"t": {0: 30, 1: 5}})
    assert (found["a"].committed, found["a"].planned) == (
        {"t": {0: 30, 1: 9}},
        {"t": {0: 40, 1: 9}},
    )
    assert (found["b"].batch_id, found["b"].ends) == (0, {"t": {0: 30, 1: 7}})


def test_nothing_can_be_compared_when_the_other_query_has_not_begun(tmp_path):
    write(tmp_path, "a", {0: 20, 1: 5})
    write(tmp_path, "b", planned={0: 20, 1: 5})
    assert cut_of(tmp_path)["a"].batch_id is None


def test_nothing_has_begun(tmp_path):
    with pytest.raises(CheckpointNotFound):
        cut_of(tmp_path)


@pytest.mark.parametrize(
    ("log", "files", "is_whole"),
    [
        ([("0", "a"), ("1", "b"), ("2", "c")], ("file:///a", "file:///b"), True),
        ([("1", "b"), ("2", "c")], ("file:///b",), False),  # one is missing
        ([("0.compact", "xy"), ("1", "b")], ("file:///x", "file:///y", "file:///b"), True),
        ([("2.compact", "abc")], (), False),  # batches of a compaction cannot be told apart
        (None, None, True),  # no file sink
    ],
)
def test_files_of_the_output_up_to_the_cut(tmp_path, log, files, is_whole):
    write(tmp_path, "a", {0: 20}, {0: 30}, {0: 40})
    write(tmp_path, "b", {0: 30})
    if log:
        sink(tmp_path, "a", *log)
    found = cut_of(tmp_path)["a"]
    assert (found.batch_id, found.files, found.is_whole) == (1, files, is_whole)


def loss(batch_id, start, end, **more):
    given = {"exact": True, "records": end - start, "cause": LossCause.DELETED} | more
    return Loss(
        at=NOON, generation="0001", query="a", batch_id=batch_id, topic="t", partition=0,
        start_offset=start, end_offset=end, previous_batch_at=None, batch_at=NOON,
        oldest_left_at=None, **given,
    )  # fmt: skip


def figures_of(tmp_path, *, span=WHOLE, whole=True, totals=None, losses=(), letters=None, **answer):
    write(tmp_path, "a", {0: 20, 1: 5}, {0: 30, 1: 10}, planned={0: 40, 1: 10})
    return figures(
        cut_of(tmp_path)["a"],
        span,
        MARKS,
        is_whole=whole,
        totals=totals,
        losses=list(losses),
        letters=letters,
        answer={"role": "counted"} | answer,
    )


TOTALS = {
    "uncounted_batches": 0,
    "input_rows": 26,
    "dead_letters": 3,
    "late_rows": 3,
}


def test_offsets_from_the_beginning_to_the_end(tmp_path):
    found = figures_of(
        tmp_path, totals=TOTALS, losses=[loss(0, 12, 15), loss(9, 25, 28)], tells_late=True,
        letters=Letters(
            rejected=dict.fromkeys([("t", 0, 12), ("t", 0, 9), ("t", 0, 30), ("t", 1, 0)], ""),
            set_aside={("t", 0, 13): "quarantine", ("t", 0, 14): "skip", ("t", 1, 50): "skip"},
        ),
    )  # fmt: skip
    assert (found.role, found.read) == (Role.COUNTED, 30)
    assert (found.in_flight, found.unread, found.deleted_unread) == (10, 150, 0)
    assert (found.skipped, found.skipped_exactly) == (3, True)  # not of batches after the cut
    assert found.empty == 30 - 3 - 26 - 1  # what was skipped was not read; what is hidden was
    assert found.set_aside == 2
    assert found.letters == 2  # not before the beginning, not after the cut
    assert (found.rejected, found.late) == (3, 3)


@pytest.mark.parametrize("totals", [None, TOTALS | {"uncounted_batches": 1}])
def test_what_the_driver_did_not_count_is_not_known(tmp_path, totals):
    found = figures_of(tmp_path, totals=totals, tells_late=True)
    assert (found.empty, found.late, found.rejected) == (None, None, None)


def test_a_job_that_does_not_count_late_records_has_not_none(tmp_path):
    assert figures_of(tmp_path, totals=TOTALS, tells_late=False).late is None


def test_of_a_part_only_offsets_are_known(tmp_path):
    part = Span(starts={"t": {0: 15, 1: 0}}, ends={"t": {0: 18, 1: 1}})
    found = figures_of(
        tmp_path, span=part, whole=False, totals=TOTALS, losses=[loss(0, 12, 17)],
        output_records=9, state_records=9,
        letters=Letters(rejected={("t", 0, 15): "", ("t", 0, 18): ""}),
    )  # fmt: skip
    assert (found.read, found.skipped, found.letters) == (4, 2, 1)
    assert (found.in_output, found.in_state, found.late, found.empty) == (None,) * 4


def test_letters_of_this_generation_each_record_once():
    cluster = Cluster()
    cluster.letter(1, at_ms=NOON_MS - 3_600_000)
    cluster.letter(2, at_ms=NOON_MS)
    cluster.letter(2, at_ms=NOON_MS)
    cluster.add(DLQ, 0)
    cluster.letter(3, at_ms=NOON_MS, run="quarantine")
    cluster.letter(2, at_ms=NOON_MS, run="skip")  # by one query, and another's rules reject it
    found = read_places(cluster, DLQ, GENERATION)
    assert found == Letters(rejected={("t", 0, 2): "bad"}, set_aside={("t", 0, 3): "quarantine"})


def test_letters_that_may_be_gone_are_not_known():
    cluster = Cluster()
    for offset in range(3):
        cluster.letter(offset, at_ms=NOON_MS + offset)
    cluster.lows[DLQ, 0] = 1
    assert read_places(cluster, DLQ, GENERATION) is None


def test_what_was_deleted_before_this_generation_is_not_missed():
    cluster = Cluster()
    cluster.letter(0, at_ms=NOON_MS - 3_600_000)
    cluster.letter(1, at_ms=NOON_MS - 3_600_000)
    cluster.letter(2, at_ms=NOON_MS)
    cluster.lows[DLQ, 0] = 1
    assert len(read_places(cluster, DLQ, GENERATION).rejected) == 1
