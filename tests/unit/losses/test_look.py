"""Receipts for what was passed over, from checkpoints without Spark and a broker from a table."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from streamctl.checkpoint.location import generations, journal
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.errors import BrokerUnreachable, TopicNotFound
from streamctl.losses import look as looking
from streamctl.observe.status import judge
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.losses import LossCause, Seen
from streamctl.rundir.records import Desired, Launch, Observed
from tests.written import Written

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Kafka:
    def __init__(self, lows):
        self.lows, self.ids, self.end = lows, {"t": "id1"}, 1000

    def topic(self, name):
        if name not in self.ids:
            raise TopicNotFound(name)
        return SimpleNamespace(topic_id=self.ids[name])

    def watermarks(self, _name):
        return {partition: (low, self.end) for partition, low in self.lows.items()}


@pytest.fixture
def kafka(monkeypatch):
    record = SimpleNamespace(timestamp_ms=round(NOON.timestamp() * 1000))
    monkeypatch.setattr(
        looking, "first_records", lambda _b, places, **_more: dict.fromkeys(places, record)
    )
    return Kafka({0: 0, 1: 0})


@pytest.fixture
def store(tmp_path):
    made = Store.open(str(tmp_path / "checkpoint"))
    generation = Generation(
        name="0001", created_at=NOON, job="m:J", why="test", topic_ids={"t": "id1"},
        starting_offsets='{"t": {"0": 5, "1": 5}}',
    )  # fmt: skip
    generations.add(made, generation)
    return made


@pytest.fixture
def written(store):
    return Written(store_path(store, "q"))


def store_path(store, query):
    from pathlib import Path

    return Path(store.path) / "0001" / query


@pytest.fixture
def run(tmp_path):
    made = RunDirectory(tmp_path / "run")
    made.write(
        Launch(
            run_id="r",
            attempt=1,
            generation="0001",
            checkpoint_base="",
            output_base="",
            starting_offsets="",
        )
    )
    return made


def commit(run, written, ends, *, rows=None, query="q"):
    """A batch; with its line of progress, unless the driver died before."""
    at = NOON + timedelta(seconds=written.next)
    batch = written.commit({"t": ends}, at=at)
    if rows is not None:
        tell(run, batch, rows, at=at, query=query)


def tell(run, batch, rows, *, at, query="q"):
    line = {
        "kind": "progress",
        "at": at.isoformat(),
        "generation": "0001",
        "query": query,
        "batch_id": batch,
        "input_rows": rows,
    }
    with run.progress_file.open("a") as file:
        file.write(json.dumps(line) + "\n")


def ranges(losses):
    return [(x.batch_id, x.partition, x.start_offset, x.end_offset, x.records) for x in losses]


def test_a_loss_is_found_once_and_written_down(run, store, written, kafka):
    commit(run, written, {0: 10, 1: 10}, rows=10)
    assert looking.look(run, store, kafka) == []
    kafka.lows = {0: 14, 1: 0}
    commit(run, written, {0: 20, 1: 10}, rows=6)
    found = looking.look(run, store, kafka)
    assert ranges(found) == [(1, 0, 10, 14, 4)]
    (loss,) = run.losses()
    assert loss.key == found[0].key
    assert (loss.exact, loss.cause) == (True, LossCause.DELETED)
    assert (loss.previous_batch_at, loss.batch_at) == (NOON, NOON + timedelta(seconds=1))
    assert loss.oldest_left_at == NOON
    assert loss.describe() == (
        "4 records of t partition 0 were passed over unread, offsets 10 to 13: "
        "deleted before they were read"
    )
    (entry,) = journal.entries(store)
    assert (entry.verb, entry.undo, entry.after["losses"][0]["records"]) == ("loss", None, 4)
    assert looking.look(run, store, kafka) == []


def test_the_first_batch_is_held_against_where_it_began(run, store, written, kafka):
    kafka.lows = {0: 8, 1: 0}
    commit(run, written, {0: 10, 1: 10}, rows=7)
    assert ranges(looking.look(run, store, kafka)) == [(0, 0, 5, 8, 3)]


def test_a_kill_between_receipt_and_mark_tells_nothing_twice(run, store, written, kafka):
    kafka.lows = {0: 8, 1: 0}
    commit(run, written, {0: 10, 1: 10}, rows=7)
    looking.look(run, store, kafka)
    run.remove(Seen)
    assert looking.look(run, store, kafka) == []
    assert len(run.losses()) == 1


def test_old_batches_are_not_judged_by_what_the_log_is_today(run, store, written, kafka):
    """Nobody looked before: what they read was there then. Their rows would tell."""
    commit(run, written, {0: 10, 1: 10})
    commit(run, written, {0: 20, 1: 10})
    kafka.lows = {0: 900, 1: 900}
    assert looking.look(run, store, kafka) == []
    commit(run, written, {0: 30, 1: 10})
    assert ranges(looking.look(run, store, kafka)) == [(2, 0, 20, 30, 10)]


def test_the_newest_batch_is_left_until_its_rows_are_told(run, store, written, kafka):
    """Spark tells them after the commit; without them a loss would not be exact."""
    kafka.lows = {0: 8, 1: 0}
    commit(run, written, {0: 10, 1: 10})
    assert looking.look(run, store, kafka, more_comes=True) == []
    tell(run, 0, 7, at=NOON)
    (loss,) = looking.look(run, store, kafka, more_comes=True)
    assert (loss.records, loss.exact) == (3, True)


def test_what_a_driver_has_not_told_when_it_ends_is_not_exact(run, store, written, kafka):
    commit(run, written, {0: 10, 1: 10}, rows=10)
    assert looking.look(run, store, kafka) == []
    kafka.lows = {0: 14, 1: 0}
    tell(run, 1, 6, at=NOON - timedelta(hours=1))  # of another checkpoint
    commit(run, written, {0: 20, 1: 10})
    (loss,) = looking.look(run, store, kafka)
    assert (loss.records, loss.exact) == (4, False)


def test_after_a_rewind_the_batches_are_looked_at_anew(run, store, written, kafka):
    """The same ids have other contents; what was found before is not told again."""
    kafka.lows = {0: 8, 1: 0}
    commit(run, written, {0: 10, 1: 10}, rows=7)
    commit(run, written, {0: 20, 1: 10}, rows=10)
    assert len(looking.look(run, store, kafka)) == 1
    for folder in ("offsets", "commits"):
        (written.path / folder / "1").unlink()
    written.next = 1
    kafka.lows = {0: 14, 1: 0}
    at = NOON + timedelta(hours=1)
    written.commit({"t": {0: 25, 1: 10}}, at=at)
    tell(run, 1, 11, at=at)
    written.commit({"t": {0: 30, 1: 10}}, at=at)
    assert ranges(looking.look(run, store, kafka)) == [(1, 0, 10, 14, 4)]


def test_where_nothing_can_be_missing_the_driver_s_lines_are_not_read(
    run, store, written, kafka, monkeypatch
):
    """They may be many, and a look comes every few seconds."""
    commit(run, written, {0: 10, 1: 10}, rows=10)
    monkeypatch.setattr(RunDirectory, "progress", None)
    assert looking.look(run, store, kafka) == []


def test_each_query_is_told_of_a_topic_made_anew_once(run, store, written, kafka):
    slow = Written(store_path(store, "slow"))
    commit(run, written, {0: 10, 1: 10}, rows=10)
    commit(run, slow, {0: 10, 1: 10}, rows=10, query="slow")
    looking.look(run, store, kafka)
    kafka.ids = {"t": "id2"}
    commit(run, written, {0: 40, 1: 10}, rows=30)
    found = looking.look(run, store, kafka)
    assert [(x.query, x.partition, x.start_offset, x.end_offset) for x in found] == [
        ("q", 0, 0, 10),
        ("q", 1, 0, 10),
    ]
    commit(run, slow, {0: 40, 1: 10}, rows=30, query="slow")
    assert {x.query for x in looking.look(run, store, kafka)} == {"slow"}
    commit(run, written, {0: 50, 1: 10}, rows=10)
    assert looking.look(run, store, kafka) == []


@pytest.mark.parametrize(
    ("batches", "end", "told"),
    [
        pytest.param([20, 30], 1000, (1, 0, 20), id="longer: the newest batch, rather too much"),
        pytest.param([30, 30], 30, (0, 0, 5), id="longer, and a batch that waits at its end"),
        pytest.param([30, 30], 99, (1, 0, 30), id="one that waits for what is there is the newest"),
        pytest.param([20, 7], 7, (1, 0, 7), id="shorter: where the position went back"),
        pytest.param([20, 7, 9], 9, (1, 0, 7), id="and the batches after that read on"),
    ],
)
def test_of_a_topic_made_anew_the_batch_that_began_with_it(recreated, batches, end, told):
    """Batches that were committed before it was made anew, and not looked at, have no part."""
    (first,) = recreated(batches, end)
    assert (first.batch_id, first.start_offset, first.end_offset) == told


def test_a_topic_made_anew_is_told_when_a_batch_has_begun_with_it(recreated):
    """The only batch ends after the new topic does: it has read the old one."""
    assert recreated([20], 8) == []
    (late,) = recreated([6], 8)
    assert (late.batch_id, late.end_offset) == (1, 6)


@pytest.fixture
def recreated(run, store, written, kafka):
    def look(batches, end):
        kafka.ids, kafka.end = {"t": "id2"}, end
        for at in batches:
            commit(run, written, {0: at}, rows=0)
        return looking.look(run, store, kafka)

    return look


def test_what_could_not_be_asked_is_asked_the_next_time(run, store, written, kafka, monkeypatch):
    def unreachable(_name):
        raise BrokerUnreachable("no answer")

    commit(run, written, {0: 10, 1: 10}, rows=7)
    kafka.lows = {0: 8, 1: 0}
    with monkeypatch.context() as away:
        away.setattr(kafka, "watermarks", unreachable)
        with pytest.raises(BrokerUnreachable):
            looking.look(run, store, kafka)
    assert len(looking.look(run, store, kafka)) == 1


def test_status_tells_a_loss_until_the_next_start(run, store, written, kafka):
    kafka.lows = {0: 8, 1: 0}
    commit(run, written, {0: 10, 1: 10}, rows=7)
    losses = looking.look(run, store, kafka)

    def at(started):
        status = SimpleNamespace(
            observed=Observed.RUNNING, desired=Desired.RUNNING, started_at=started, unwell=""
        )
        return judge(status, alive=True, failure=None, losses=losses)

    verdict, reasons = at(losses[0].at - timedelta(seconds=1))
    assert verdict is Verdict.PROBLEM
    assert reasons == [losses[0].describe()]
    assert at(losses[0].at + timedelta(seconds=1)) == (Verdict.OK, [])
