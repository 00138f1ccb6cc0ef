"""When alerts open and close, who is told, and that a receiver may be down."""

import itertools
import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamctl.errors import NotFound, SettingsInvalid
from streamctl.health.alerts import deliver as module
from streamctl.health.alerts.alerter import Alerter
from streamctl.health.alerts.book import AlertBook, Notice
from streamctl.health.alerts.deliver import Delivery
from streamctl.health.alerts.listing import list_alerts, silence, try_receivers
from streamctl.health.alerts.rules import RULES
from streamctl.health.alerts.states import Average, Told, fresh, step
from streamctl.health.rules import judge
from streamctl.lag.model import LagFinding
from streamctl.observe.batches import Batches
from streamctl.observe.machine import Disk
from streamctl.observe.sample import compose
from streamctl.observe.sizes import Usage
from streamctl.reports import Verdict
from streamctl.resilience.breaker import BreakerState, Circuit
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.losses import Loss, LossCause
from streamctl.rundir.records import BackupState, Observed
from streamctl.settings.model import AlertSettings, Settings, SuperviseSettings
from tests.harness import until
from tests.receiver import Receiver
from tests.samples import GIB, NOW, lag, progress_line, sample, status

LAG = next(rule for rule in RULES if rule.name == "lag")
ALERTS = AlertSettings(
    lag_records=100, hysteresis=0.1, settle_seconds=60, reminder_seconds=600, average_seconds=0
)
SETTINGS = Settings(alerts=ALERTS)


def at(seconds: float):
    return NOW + timedelta(seconds=seconds)


def told_by(values, *, silenced=lambda _: None, settings=SETTINGS):
    """What is told of one value each ten seconds."""
    state, told = fresh(LAG, settings), []
    for number, value in enumerate(values):
        now = at(10 * number)
        state, kind = step(
            state, value=value, where="", settings=settings.alerts,
            silenced_until=silenced(now), now=now,
        )  # fmt: skip
        if kind:
            told.append((number, kind))
    return told


@pytest.mark.parametrize(
    ("values", "expected", "why"),
    [
        ([100] * 9, [], "at the threshold is not past it"),
        ([101], [(0, Told.OPEN)], "past it"),
        ([101] + [89] * 7, [(0, Told.OPEN), (7, Told.CLOSE)], "good for the settling time"),
        ([101] + [91] * 20, [(0, Told.OPEN)], "within the hysteresis it stays open"),
        ([101, 0] * 30, [(0, Told.OPEN)], "flapping never settles"),
        ([101] + [None] * 20, [(0, Told.OPEN)], "unknown does not close"),
        ([101] + [0] * 5 + [None] + [0] * 2, [(0, Told.OPEN), (7, Told.CLOSE)], "nor begin anew"),
        ([101] * 62, [(0, Told.OPEN), (60, Told.REMINDER)], "told again after a while"),
        (
            [101] + [0] * 7 + [101],
            [(0, Told.OPEN), (7, Told.CLOSE), (8, Told.OPEN)],
            "a new opening is a new notice",
        ),
    ],
)
def test_a_case(values, expected, why):
    assert told_by(values) == expected, why


def test_small_values_are_bad_below():
    disk = next(rule for rule in RULES if rule.name == "disk")
    settings = replace_settings(disk_free_bytes=100)
    state = fresh(disk, settings)
    look = partial(step, where="", settings=settings.alerts, silenced_until=None)
    state, told = look(state, value=99, now=NOW)
    assert told is Told.OPEN
    _, told = look(state, value=109, now=at(99))
    assert told is None
    state, _ = look(state, value=111, now=at(1))
    _, told = look(state, value=111, now=at(61))
    assert told is Told.CLOSE


def replace_settings(**changes):
    return Settings(alerts=AlertSettings.model_validate(ALERTS.model_dump() | changes))


def test_a_silence_keeps_quiet_and_its_end_tells_what_is_still_open():
    until_40 = lambda now: at(40) if now < at(40) else None  # noqa: E731
    assert told_by([101] * 6, silenced=until_40) == [(4, Told.OPEN)]
    assert told_by([101] + [0] * 9, silenced=lambda _: at(999)) == []


def test_who_was_told_of_an_opening_is_told_of_a_close_in_a_silence_too():
    from_10 = lambda now: at(999) if now >= at(10) else None  # noqa: E731
    assert told_by([101] + [0] * 9, silenced=from_10) == [(0, Told.OPEN), (7, Told.CLOSE)]


@given(st.lists(st.one_of(st.none(), st.integers(0, 200)), max_size=200))
def test_notices_come_in_pairs_and_not_more_often_than_the_settling_time(values):
    told = [item for item in told_by(values) if item[1] is not Told.REMINDER]
    kinds = [kind for _, kind in told]
    assert kinds == [Told.OPEN, Told.CLOSE] * (len(kinds) // 2) + [Told.OPEN] * (len(kinds) % 2)
    opened = [number for number, kind in told if kind is Told.OPEN]
    assert all(later - earlier > 6 for earlier, later in itertools.pairwise(opened))


def test_values_are_averaged():
    average = Average(30)
    assert average.add(10, NOW) == 10
    assert average.add(20, at(10)) == 15
    assert average.add(None, at(20)) == 15
    assert average.add(None, at(35)) == 20
    assert average.add(None, at(99)) is None


BACKUP = BackupState(at=NOW, verdict=Verdict.PROBLEM, id="", good_at=None, problem="no space")
BACKED_UP = replace(BACKUP, verdict=Verdict.OK)
OPEN = BreakerState(circuit=Circuit.OPEN, since=NOW, reason="too much is bad")
GONE = LagFinding(
    code="kafka-partition-gone", topic="t", partition=1, detail="t partition 1 is not there"
)
LOSS = Loss(
    at=NOW,
    generation="0001",
    query="windows",
    batch_id=3,
    topic="t",
    partition=0,
    start_offset=5,
    end_offset=9,
    records=4,
    exact=True,
    cause=LossCause.DELETED,
    previous_batch_at=None,
    batch_at=NOW,
    oldest_left_at=None,
)
BAD = {
    "failed": {"status": status(observed=Observed.FAILED)},
    "backup": {"status": status(backup=BACKUP)},
    "breaker": {"status": status(breaker=OPEN)},
    "not_processing": {"query": {"not_processing_seconds": 9999.0}},
    "lag": {"lag": lag(10**6)},
    "time_lag": {"lag": lag(1, seconds=9999)},
    "retention": {"lag": lag(1, retention=5)},
    "kafka": {"lag": lag(findings=[GONE])},
    "loss": {"query": {"losses_last_hour": 1}},
    "errors": {"query": {"rejected_per_minute": {"a": 900, "b": 900}}},
    "rejected_share": {"query": {"rejected_share": 0.5}},
    "repaired_state": {"query": {"repaired_last_hour": 1}},
    "checkpoint_size": {
        "query": {
            "sizes": [
                Usage(kind="state", files=1, size_bytes=50 * GIB),
                Usage(kind="other", files=1, size_bytes=50 * GIB),
            ]
        }
    },
    "disk": {"disks": [Disk(place="output", path="/o", free_bytes=5, total_bytes=9)]},
    "restarts": {"status": status(attempts_left=0)},
}


def test_every_rule_has_its_bad_case():
    assert BAD.keys() == {rule.name for rule in RULES}


@pytest.mark.parametrize("name", BAD)
def test_each_alert_opens_and_closes_once_at_a_real_receiver(name, tmp_path):
    good, changes = {"status": status(backup=BACKED_UP)}, dict(BAD[name])
    with Receiver().listening() as receiver:
        settings = Settings(alerts=AlertSettings(receivers=[receiver.url], heartbeat=[]))
        run = RunDirectory(tmp_path / "run")
        book, log = AlertBook(run.path), []
        delivery = Delivery(
            book,
            receivers=settings.alerts.receivers,
            heartbeat=[],
            tell=lambda *line: log.append(line),
        )
        delivery.start()
        alerter = Alerter(book, settings, put=delivery.put, tell=lambda *line: log.append(line))
        for number in range(60):
            bad = 10 <= number < 30 and number % 3 != 2  # it flaps
            now = at(5 * number)
            alerter.look(replace(sample(**changes if bad else good), at=now))
        for number in range(60, 120):
            alerter.look(sample(at(5 * number), **good))
        delivery.end(within_seconds=20)
    titles = [notice["title"] for notice in receiver.got]
    assert [title.split("]")[0] for title in titles] == ["[open", "[over"], titles
    assert next(rule for rule in RULES if rule.name == name).title in titles[0]
    assert [level for level, _ in log] == ["ERROR", "INFO"]
    assert "`" in receiver.got[0]["message"], "the next command"


def looked_at(tmp_path, samples, settings=SETTINGS):
    """What is told of samples, as (number, alert, kind)."""
    told, number = [], 0

    def put(notice):
        if notice.told in {Told.OPEN, Told.CLOSE}:
            told.append((number, notice.alert, notice.told))

    alerter = Alerter(AlertBook(tmp_path), settings, put=put, tell=lambda *_: None)
    for number, seen in enumerate(samples):  # noqa: B007 - `put` reads it
        alerter.look(seen)
    return told


def composed(path, now, *, losses=(), trigger="0 seconds"):
    """A sample as it is made of a run's files."""
    batches = Batches(path)
    batches.read()
    return compose(
        status(losses=list(losses)), batches, lag=lag(), lag_problem="", sizes={}, disks=[],
        processes=None, stall_seconds=60.0, trigger=trigger, now=now,
    )  # fmt: skip


def test_a_loss_opens_its_alert_and_an_hour_without_another_closes_it(tmp_path):
    times = [at(600 * number) for number in range(12)]
    lost = replace(LOSS, at=at(1))
    seen = [composed(tmp_path / "p", now, losses=[lost] if now > NOW else []) for now in times]
    assert looked_at(tmp_path, seen) == [(1, "loss", Told.OPEN), (8, "loss", Told.CLOSE)]


def test_a_repair_opens_its_alert_and_an_hour_without_another_closes_it(tmp_path):
    def line(number, repaired):
        state = [{"operator": "x", "rows": 1, "memory_bytes": 1, "snapshots_repaired": repaired}]
        return progress_line(number, at=at(600 * number), state=state)

    seen, written = [], b""
    for number in range(12):
        written += line(number, 2 if number == 1 else 0)
        (tmp_path / "p.jsonl").write_bytes(written)
        seen.append(composed(tmp_path / "p.jsonl", at(600 * number)))
    assert looked_at(tmp_path, seen) == [
        (1, "repaired_state", Told.OPEN),
        (8, "repaired_state", Told.CLOSE),
    ]


@pytest.mark.parametrize(
    ("attempts", "left", "expected", "why"),
    [
        (3, [3, 2, 1, 0, 0, 3, 3], [Told.OPEN, Told.CLOSE], "used up, and refilled"),
        (1, [1, 0, 0, 1, 1], [Told.OPEN, Told.CLOSE], "of one too"),
        (0, [0, 0, 0], [], "none are wanted"),
    ],
)
def test_restarts_that_are_used_up_open_an_alert_and_their_refill_closes_it(
    tmp_path, attempts, left, expected, why
):
    settings = Settings(supervise=SuperviseSettings(attempts=attempts))
    seen = [
        sample(at(60 * number), status=status(attempts_left=count))
        for number, count in enumerate(left)
    ]
    told = looked_at(tmp_path, seen, settings)
    assert [(alert, kind) for _, alert, kind in told] == [
        ("restarts", kind) for kind in expected
    ], why


def test_the_alert_of_a_standstill_waits_for_the_window_that_health_has(tmp_path):
    """With a rare trigger: else it opens and closes between any two batches."""
    path = tmp_path / "p.jsonl"
    path.write_bytes(progress_line(1, at=NOW))
    looks = [composed(path, at(100 * number), trigger="10 minutes") for number in range(25)]
    told = looked_at(tmp_path, looks)
    assert told == [(19, "not_processing", Told.OPEN)], "1802 s: three triggers and three batches"
    ready = [judge(look, loop_age_seconds=0).checks[3].verdict is Verdict.OK for look in looks]
    assert ready == [True] * 19 + [False] * 6
    quick = [composed(path, at(100 * number)) for number in range(25)]
    assert looked_at(tmp_path / "quick", quick) == [(4, "not_processing", Told.OPEN)], "300 s"


def test_of_several_queries_the_one_furthest_past_its_own_window_counts():
    rule = next(rule for rule in RULES if rule.name == "not_processing")
    slow, quick = (
        replace(sample().queries[0], name=name, not_processing_seconds=silent,
                stall_window_seconds=window)
        for name, silent, window in (("slow", 1700.0, 1800.0), ("quick", 400.0, 60.0))
    )  # fmt: skip
    reading = rule.read(sample(queries=[slow, quick]), SETTINGS)
    assert (reading.value, reading.where, reading.threshold) == (400.0, "query quick", 300.0)


def test_what_kafka_does_not_have_any_more_is_named_in_the_notice(tmp_path):
    notices = []
    alerter = Alerter(AlertBook(tmp_path), SETTINGS, put=notices.append, tell=lambda *_: None)
    alerter.look(sample(lag=lag(findings=[GONE])))
    body = next(notice.body for notice in notices if notice.alert == "kafka")
    assert "kafka-partition-gone: t partition 1 is not there" in body


def test_a_receiver_that_is_down_is_tried_again_until_it_takes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 0.05)
    log = []
    with Receiver().listening() as receiver:
        receiver.up = False
        book = AlertBook(tmp_path)
        delivery = Delivery(
            book, receivers=[receiver.url], heartbeat=[], tell=lambda *line: log.append(line)
        )
        delivery.start()
        began = threading.active_count()
        delivery.put(notice(Told.OPEN))
        until(lambda: receiver.refused >= 2)
        assert len(book.pending()) == 1
        receiver.up = True
        until(lambda: receiver.got)
        until(lambda: not book.pending())
        delivery.end(within_seconds=5)
    assert len(receiver.got) == 1
    assert threading.active_count() <= began
    assert [level for level, _ in log] == ["WARN"]


def notice(told, title="t"):
    from datetime import UTC, datetime

    return Notice(at=datetime.now(UTC), told=told, alert="", title=title, body="b")


def test_what_was_not_delivered_is_delivered_by_the_next_run(tmp_path):
    with Receiver().listening() as receiver:
        receiver.up = False
        book = AlertBook(tmp_path)
        first = Delivery(book, receivers=[receiver.url], heartbeat=[], tell=lambda *_: None)
        first.start()
        first.put(notice(Told.OPEN))
        until(lambda: receiver.refused)
        first.end(within_seconds=0.1)
        receiver.up = True
        second = Delivery(book, receivers=[receiver.url], heartbeat=[], tell=lambda *_: None)
        second.start()
        until(lambda: receiver.got)
        second.end(within_seconds=5)


def test_heartbeats_go_to_their_own_receivers_and_old_ones_nowhere(tmp_path):
    taken = []

    def send(url, sent):
        taken.append((url, sent.title))
        return False

    book = AlertBook(tmp_path)
    delivery = Delivery(book, receivers=["a"], heartbeat=["b"], tell=lambda *_: None, send=send)
    delivery.put(notice(Told.HEARTBEAT, "1"))
    delivery.put(notice(Told.HEARTBEAT, "2"))
    delivery.start()
    until(lambda: not book.pending())
    delivery.end(within_seconds=5)
    assert taken == [("b", "2")]


def test_a_heartbeat_is_put_each_interval(tmp_path):
    beats = []
    settings = Settings(alerts=AlertSettings(heartbeat_seconds=60))
    alerter = Alerter(AlertBook(tmp_path), settings, put=beats.append, tell=lambda *_: None)
    for number in range(25):
        alerter.look(sample(at(5 * number)))
    assert [beat.told for beat in beats] == [Told.HEARTBEAT] * 3


def test_an_open_alert_stays_open_over_a_restart_of_the_supervisor(tmp_path):
    book, notices = AlertBook(tmp_path), []
    settings = Settings(alerts=AlertSettings(average_seconds=0))
    Alerter(book, settings, put=notices.append, tell=lambda *_: None).look(sample(lag=lag(10**6)))
    again = Alerter(book, settings, put=notices.append, tell=lambda *_: None)
    again.look(sample(at(5), lag=lag(10**6)))
    assert [n.alert for n in notices if n.told is Told.OPEN] == ["lag"]


def test_silences_are_listed_and_end(tmp_path):
    run = RunDirectory(tmp_path)
    with pytest.raises(NotFound):
        silence(run, "nonsense", lasting=timedelta(hours=1), who="w", why="", now=NOW)
    made = silence(run, "lag", lasting=timedelta(hours=1), who="w", why="night", now=NOW)
    assert [s.alert for s in made.silences] == ["lag"]
    report = list_alerts(run, SETTINGS, watched=True, now=NOW)
    assert report.verdict is Verdict.OK
    assert [s.why for s in report.silences] == ["night"]
    assert list_alerts(run, SETTINGS, watched=False, now=at(3601)).silences == []
    assert list_alerts(run, SETTINGS, watched=False, now=NOW).verdict is Verdict.UNKNOWN
    assert not silence(run, "lag", lasting=timedelta(0), who="w", why="", now=NOW).silences


def test_trying_receivers_says_which_took_it():
    with Receiver().listening() as receiver:
        settings = AlertSettings(receivers=[receiver.url, "nonsense://x"])
        tested = try_receivers(settings, job="j", now=NOW)
    assert tested.verdict is Verdict.PROBLEM
    assert [bool(receipt.problem) for receipt in tested.receipts] == [False, True]
    assert [receipt.service for receipt in tested.receipts] == ["json", "nonsense"]
    with pytest.raises(SettingsInvalid):
        try_receivers(AlertSettings(), job="j", now=NOW)
