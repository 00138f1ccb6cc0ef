"""Each dead letter goes back once, wherever a replay is killed."""

from collections import Counter

import pytest

from streamctl.checkpoint.location.store import Store
from streamctl.dlq import replay as replaying
from streamctl.dlq.ledger import Ledger
from streamctl.dlq.letters import Wanted, read_letters
from streamctl.errors import Malformed, PartlyDone, StreamctlError
from streamctl.reports import Verdict
from streamctl.resilience.dead_letter import PREFIX
from streamctl.resilience.replayed import attempt_of, read_identity
from tests.unit.dlq.cluster import DLQ, Cluster, Killed

COMMITTED, UNCOMMITTED = "read_committed", "read_uncommitted"


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path))


@pytest.fixture
def cluster(monkeypatch):
    """Five letters of a topic with two partitions; one of them was written twice."""
    monkeypatch.setattr(replaying, "_MOST_LETTERS", 2)
    made = Cluster()
    for partition, records in ((0, 8), (1, 4)):
        for _ in range(records):
            made.add("t", partition)
    for offset in (1, 2, 2, 5):
        made.letter(offset, headers=[("own", b"kept")], key=b"k", value=bytes([offset]))
    made.letter(3, partition=1)
    return made


def replay(cluster, store, *, wanted=Wanted(), ledger=Ledger, **more):  # noqa: B008 - frozen
    given = {"to": "", "most_attempts": 3, "limit": None, "isolation": UNCOMMITTED} | more
    letters = read_letters(cluster, DLQ, wanted)
    return replaying.replay(cluster, ledger(store), letters, topic=DLQ, **given)


def arrived(cluster, topic="t", isolation=UNCOMMITTED):
    """Identity -> how often the job sees it."""
    found = Counter()
    for partition, (low, high) in cluster.watermarks(topic).items():
        for record in cluster.read(topic, partition, low, high, isolation=isolation):
            found[read_identity(record.headers)] += 1
    del found[None]
    return {(place.partition, place.offset): times for place, times in found.items()}


ONCE = {(0, 1): 1, (0, 2): 1, (0, 5): 1, (1, 3): 1}


def test_each_record_goes_back_once_as_it_was(cluster, store):
    report = replay(cluster, store)
    assert arrived(cluster) == ONCE
    assert (report.sent_records, report.selection.letters, report.selection.records) == (4, 5, 4)
    back = cluster.logs["t", 0][8]
    assert (back.key, back.value, back.partition) == (b"k", b"\x01", 0)
    assert dict(back.headers)["own"] == b"kept"
    assert attempt_of(back.headers) == 1
    assert not any(name.startswith(PREFIX) for name, _ in back.headers)
    again = replay(cluster, store)
    assert (again.sent_records, again.selection.replayed_before) == (0, 4)
    assert arrived(cluster) == ONCE


class KilledLedger(Ledger):
    cluster: Cluster

    def write(self, intent):
        self.cluster.step("before the ledger")
        super().write(intent)
        self.cluster.step("after the ledger")


@pytest.mark.parametrize("isolation", [COMMITTED, UNCOMMITTED])
def test_a_kill_at_any_point_neither_doubles_nor_loses(cluster, store, isolation, monkeypatch):
    """Also a kill of the replay after the kill; the job sees each record once."""
    monkeypatch.setattr(KilledLedger, "cluster", cluster, raising=False)
    points = []
    cluster.step = points.append
    replay(cluster, store, ledger=KilledLedger)
    assert len(points) == 2 * (1 + 2 + 1) + 2 * 4  # two transactions of two records
    for first in range(len(points)):
        for second in {None, 0, first // 2}:
            fresh, place = _copy(cluster), Store.open(f"{store.path}/{first}-{second}")
            monkeypatch.setattr(KilledLedger, "cluster", fresh)
            for at in (first, second):
                if at is not None:
                    _replay_killed(fresh, place, at, isolation)
            fresh.step = lambda _: None
            report = replay(fresh, place, ledger=KilledLedger, isolation=isolation)
            assert arrived(fresh, isolation=isolation) == ONCE, (points[first], first, second)
            assert report.doubtful_records == 0


def _copy(cluster):
    fresh = Cluster()
    for (topic, partition), log in cluster.logs.items():
        fresh.logs[topic, partition] = [r for r in log if r and not read_identity(r.headers)]
    return fresh


def _replay_killed(cluster, store, at, isolation):
    left = iter(range(at + 1))

    def step(_name):
        if next(left, None) == at:
            raise Killed

    cluster.step = step
    try:
        replay(cluster, store, ledger=KilledLedger, isolation=isolation)
    except Killed:
        return


def test_a_predecessor_that_still_lives_can_send_nothing_more(cluster, store):
    """The id is taken over before the target is looked at; what was open is ended."""
    old = cluster.producer({"transactional.id": f"streamctl-replay-{DLQ}"})
    old.begin_transaction()
    replay(cluster, store)
    assert not cluster.open


def test_where_the_target_no_longer_tells_nothing_is_sent_twice(cluster, store, monkeypatch):
    """Retention took what came since: it may have been the record."""
    monkeypatch.setattr(KilledLedger, "cluster", cluster, raising=False)
    _replay_killed(cluster, store, 4, UNCOMMITTED)  # one of two is there
    cluster.lows["t", 0] = len(cluster.logs["t", 0])
    report = replay(cluster, store)
    assert (report.doubtful_records, report.recovered_records) == (2, 0)
    assert report.verdict is Verdict.UNKNOWN
    assert replay(cluster, store).sent_records == 0


def test_an_error_ends_it_and_the_next_one_goes_on(cluster, store):
    def refuse(name):
        if name == "commit":
            raise StreamctlError("no answer")

    cluster.step = refuse
    with pytest.raises(PartlyDone, match="0 records were replayed, then: no answer"):
        replay(cluster, store)
    cluster.step = lambda _: None
    assert replay(cluster, store).recovered_records == 2
    assert arrived(cluster) == ONCE


def test_a_record_that_comes_back_each_time_stays_at_the_limit(cluster, store):
    """Its attempts are in its headers; each time it is a letter of another place."""
    replay(cluster, store, wanted=Wanted(offset=1))
    for attempt in (1, 2, 3):
        place = cluster.logs["t", 0][-2]  # before the marker
        assert attempt_of(place.headers) == attempt
        cluster.letter(place.offset, headers=place.headers)
        report = replay(cluster, store, wanted=Wanted(offset=place.offset))
    assert (report.sent_records, report.selection.over_limit) == (0, 1)


def test_the_same_place_of_a_topic_made_anew_is_another_record(cluster, store):
    replay(cluster, store)
    cluster.letter(1)
    headers = [
        (n, b"77" if n.endswith("timestamp-ms") else v) for n, v in cluster.logs[DLQ, 0][-1].headers
    ]
    cluster.add(DLQ, 0, headers=headers)
    assert replay(cluster, store).sent_records == 1


@pytest.mark.parametrize(
    ("wanted", "limit", "sent"),
    [(Wanted(reason="bad"), None, 4), (Wanted(reason="ba"), None, 0), (Wanted(), 3, 3)],
)
def test_some_of_them(cluster, store, wanted, limit, sent):
    assert replay(cluster, store, wanted=wanted, limit=limit).sent_records == sent
    assert replay(cluster, store).sent_records == 4 - sent


def test_another_topic_is_another_replay(cluster, store):
    assert replay(cluster, store, to="t2").sent_records == 4
    assert replay(cluster, store, to="t2").sent_records == 0
    assert replay(cluster, store).sent_records == 4


def test_letters_of_others_are_left_and_told(cluster, store):
    cluster.add(DLQ, 0, headers=[("whose", b"not ours")])
    report = replay(cluster, store)
    assert (report.sent_records, report.selection.foreign_letters) == (4, 1)
    assert report.verdict is Verdict.UNKNOWN


def test_a_damaged_ledger_stops_it(cluster, store):
    replay(cluster, store)
    (name, *_) = store.names("_streamctl/replayed")
    store.replace(f"_streamctl/replayed/{name}", b'{"at"')
    with pytest.raises(Malformed, match="what was replayed is damaged"):
        replay(cluster, store)
