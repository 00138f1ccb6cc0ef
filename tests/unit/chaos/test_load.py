"""How rates are searched, and what figures are made of."""

import json
import os
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from streamctl.chaos.evidence import Sample
from streamctl.chaos.feed import EVENT_SPEED, Feed, Flow
from streamctl.chaos.load import measure, recovery, run
from streamctl.chaos.load.committed import committed_rate, waits
from streamctl.chaos.load.judge import judge
from streamctl.chaos.load.measure import counted, is_sustained, measure_step, percentile, slope
from streamctl.chaos.load.model import LoadReport, Plan, Recovery, Step, read_load
from streamctl.chaos.load.notes import Notes, unfinished
from streamctl.chaos.load.search import search
from streamctl.chaos.report.load_page import curves, load_page, recovery_curves
from streamctl.errors import DeadlinePassed, NotFound
from streamctl.lag.positions import Step as Committed
from streamctl.produce.ledger_entries import Delivery, LedgerEntry
from streamctl.reports import Event, Verdict, as_json


@pytest.mark.parametrize(
    ("capacity", "halvings", "found", "tried"),
    [
        (5000, 0, 4000, [1000, 2000, 4000, 8000]),
        (5000, 2, 5000, [1000, 2000, 4000, 8000, 6000, 5000]),
        (7900, 3, 7500, [1000, 2000, 4000, 8000, 6000, 7000, 7500]),
        (500, 2, None, [1000]),  # not even the first: nothing to halve
    ],
)
def test_the_highest_rate_is_found(capacity, halvings, found, tried):
    seen = []

    def attempt(rate: float) -> bool:
        seen.append(rate)
        return rate <= capacity

    assert search(attempt, first=1000, halvings=halvings) == found
    assert seen == tried


def test_the_growth_of_a_lag_is_the_slope_of_its_line():
    looks = [Sample(at=float(n), true_lag=100 + 20 * n + (n % 2)) for n in range(10)]
    assert slope(looks) == pytest.approx(20, abs=0.2)


@pytest.mark.parametrize("lags", [[], [None, None, None], [5, None, 5], [5, 5]])
def test_a_lag_that_was_hardly_seen_has_no_growth(lags):
    looks = [Sample(at=float(n), true_lag=lag) for n, lag in enumerate(lags)]
    assert slope(looks) is None


@pytest.mark.parametrize(
    ("growth", "rate", "seconds", "expected"),
    [
        pytest.param(0.0, 1000, 30, True, id="it stands still"),
        pytest.param(-300.0, 1000, 30, True, id="it shrinks"),
        pytest.param(50.0, 1000, 30, True, id="noise of a short step"),
        pytest.param(51.0, 1000, 30, False, id="it grows"),
        pytest.param(50.0, 1000, 300, False, id="what is noise in seconds grows in minutes"),
        pytest.param(6.0, 1000, 300, True, id="a second's records in the half of a long step"),
        pytest.param(None, 1000, 30, None, id="nobody looked"),
        pytest.param(0.0, 940, 30, False, id="it was not sent"),
        pytest.param(None, 940, 30, False, id="it was not sent, and nobody looked"),
    ],
)
def test_a_rate_is_sustained_when_it_is_sent_and_the_lag_does_not_grow(
    growth, rate, seconds, expected
):
    assert is_sustained(growth, rate, asked=1000, seconds=seconds) is expected


def committed(batch_id: int, at: float, *ends: int, topic: str = "t") -> Committed:
    moment = datetime.fromtimestamp(at, UTC)
    return Committed(
        batch_id=batch_id,
        planned_at=moment,
        committed_at=moment,
        ends={topic: dict(enumerate(ends))},
    )


def test_a_record_waits_from_its_making_to_the_commit_of_the_batch_that_read_it():
    """Under a backlog that is many batches later."""
    batches = [committed(0, 10, 5, 2), committed(1, 12, 5, 3), committed(2, 40, 9, 3)]
    made = [(0, 4, 9.5), (1, 2, 9.0), (0, 5, 11.0), (0, 8, 12.0)]
    assert list(waits(made, batches, "t")) == [0.5, 3.0, 29.0, 28.0]


@pytest.mark.parametrize(
    ("made", "first"),
    [
        ((0, 9, 1.0), 0),  # not read yet: those are the slowest
        ((2, 0, 1.0), 0),  # a partition that no batch has
        ((0, 4, 1.0), 7),  # read by a batch whose begin is not known
    ],
)
def test_waits_are_not_known_when_one_is_not(made, first):
    batches = [committed(first, 10, 5, 2), committed(first + 1, 12, 9, 3)]
    assert waits([(0, 5, 1.0), made], batches, "t") is None
    assert waits([(0, 5, 1.0)], batches, "t") is not None
    assert waits([(0, 5, 1.0)], [], "t") is None


def test_the_committed_rate_is_that_between_the_first_and_the_last_commit():
    batches = [committed(n, at, 100 * n, 50 * n) for n, at in enumerate((1, 10, 12, 16, 30))]
    assert committed_rate(batches, "t", began=9, ended=20) == pytest.approx(300 / 6)
    assert committed_rate(batches, "t", began=11, ended=13) is None
    assert committed_rate(batches, "other", began=9, ended=20) == 0


@pytest.mark.parametrize(
    ("share", "expected"), [(50, 2), (95, 4), (100, 4), (25, 1), (1, 1)]
)  # fmt: skip
def test_percentiles_are_of_the_nearest_rank(share, expected):
    assert percentile([4, 1, 3, 2], share) == expected
    assert percentile([], share) is None


def test_what_counts_itself_is_told_once_a_count():
    told = []
    tell = counted(told.append, "2,000 records/s, seconds")
    for done in (0, 0, 1, 1, 2):
        tell(Event(message="producing", done=done, total=2))
    assert [(each.message, each.done, each.total) for each in told] == [
        ("2,000 records/s, seconds", done, 2) for done in (0, 1, 2)
    ]


class Rig:
    """A job that commits two batches; `drains` says whether it comes to the end."""

    topic = "t"

    def __init__(self, tmp_path, monkeypatch, *, drains: bool = True) -> None:
        self.drained, self._drains = False, drains
        self.places = {"checkpoint": tmp_path}
        self.run = SimpleNamespace(progress=list, logs="logs")
        self.query = "windows"
        self.feed = SimpleNamespace(timed=self._timed, made_at=lambda created_ms: created_ms / 1000)
        monkeypatch.setattr(measure, "read_positions", self._positions)
        monkeypatch.setattr(measure, "read_ledger", lambda _: self._entries)

    def _timed(self, _, seconds, *, on_event):
        on_event(Event(message="producing", done=0, total=int(seconds)))
        (self.places["checkpoint"] / "state").write_bytes(b"x" * 1000)
        return SimpleNamespace(acknowledged_records=4, ledger="a ledger")

    def _positions(self, *_, **__):
        assert self.drained, "what still waits has no commit yet"
        return SimpleNamespace(steps=[committed(0, 10.0, 2), committed(1, 13.0, 4)])

    @property
    def _entries(self):
        at = ((None, 0, 9_000), (None, 1, 9_500), ("invalid_json", 2, 0), (None, 3, 10_000))
        return [
            LedgerEntry(n, reason, "d", None, made, Delivery.ACKNOWLEDGED, 0, offset)
            for n, (reason, offset, made) in enumerate(at)
        ]

    def drain(self, _):
        self.drained = True
        return self._drains

    def driver_processes(self):
        return [os.getpid(), 2**30]

    def checkpoint(self):
        return None


def test_a_step_is_measured_to_the_commit_of_its_last_record(tmp_path, monkeypatch):
    told = []
    step = measure_step(
        Rig(tmp_path, monkeypatch), SimpleNamespace(samples=[]), Flow(rate=1.0), seconds=10,
        on_event=told.append,
    )  # fmt: skip
    assert (step.latency_p50_seconds, step.latency_p95_seconds) == (1.0, 3.0)
    assert (step.sustained, step.lag_growth) == (None, None)
    assert step.checkpoint_bytes == 1000
    assert step.checkpoint_growth_bytes_per_second > 0
    assert step.memory_bytes > 0
    assert [event.done for event in told] == [0, 10]


def test_a_step_that_is_never_read_to_its_end_is_no_figure(tmp_path, monkeypatch):
    rig = Rig(tmp_path, monkeypatch, drains=False)
    with pytest.raises(DeadlinePassed) as error:
        measure_step(rig, SimpleNamespace(samples=[]), Flow(rate=1.0), seconds=10)
    assert "--rate" in error.value.hint


def test_a_job_that_was_just_started_is_warm_before_it_is_measured(tmp_path, monkeypatch):
    rig = Rig(tmp_path, monkeypatch)
    measure.warm_up(rig, Flow(rate=1.0))
    assert rig.drained
    with pytest.raises(DeadlinePassed):
        measure.warm_up(Rig(tmp_path, monkeypatch, drains=False), Flow(rate=1.0))


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Asks for a load run of a job that carries 5,000 records/s, and says what was done to it."""

    @contextmanager
    def started(*_, partitions):
        done.append(("start", partitions))
        yield "subject", "watch"

    def measured(_, __, flow, *, seconds, **___):
        done.append((flow.rate, seconds))
        return step(flow.rate, sustained=flow.rate <= 5000)

    def recovered(_, flow):
        done.append(("kill", flow.rate))
        return BACK

    done = []
    monkeypatch.setattr(run, "Stage", lambda *_, **__: nullcontext())
    monkeypatch.setattr(run, "_started", started)
    monkeypatch.setattr(run, "warm_up", lambda _, flow, **__: done.append(("warm", flow.rate)))
    monkeypatch.setattr(run, "measure_step", measured)
    monkeypatch.setattr(run, "recover", recovered)
    monkeypatch.setattr(run, "end_what_was_left", lambda *_, **__: None)

    def ask():
        done.clear()
        plan = Plan(first=2000, halvings=0, confirm_seconds=300, partitions=4)
        return run.run_load(plan, base=tmp_path, flow=Flow(), settings={}, command="again"), done

    return ask


def test_a_run_warms_up_searches_confirms_and_kills(loaded):
    report, done = loaded()
    assert done == [
        ("start", 4), ("warm", 2000), (2000, 30), (4000, 30), (8000, 30), (3600, 300),
        ("kill", 4000),
    ]  # fmt: skip
    assert (report.sustained_rate, report.verdict, report.command) == (4000, Verdict.OK, "again")
    assert (report.confirmed.rate, report.confirmed.sustained) == (3600, True)


def test_what_was_measured_before_an_interruption_is_not_measured_again(loaded, monkeypatch):
    measured = run.measure_step

    def interrupted(*given, seconds, **more):
        if seconds == 300:
            raise KeyboardInterrupt
        return measured(*given, seconds=seconds, **more)

    monkeypatch.setattr(run, "measure_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loaded()
    monkeypatch.setattr(run, "measure_step", measured)
    report, done = loaded()
    assert done == [("start", 4), ("warm", 2000), (3600, 300), ("kill", 4000)]
    assert [each.rate for each in report.steps] == [2000, 4000, 8000]


def test_the_time_of_a_timed_record_tells_when_it_was_made(tmp_path, monkeypatch):
    """Event time runs faster, and from the clock: a producer that is held up makes them later."""
    moment = [1000.0]
    clock = SimpleNamespace(time=lambda: moment[0] + 50, monotonic=lambda: moment[0])
    monkeypatch.setattr("streamctl.chaos.feed.time", clock)
    given = {}
    monkeypatch.setattr("streamctl.chaos.feed.produce", lambda *_, **kw: given.update(kw))
    feed = Feed(SimpleNamespace(), "t", ledgers=tmp_path, seed=1)
    feed.timed(Flow(rate=10.0, record_bytes=500), 5)
    assert given["mix"].record_bytes == 500
    first = given["clock"](0)
    moment[0] += 3.0
    second = given["clock"](1)
    assert second - first == 3000 * EVENT_SPEED
    moment[0] += 60.0
    assert [feed.made_at(first), feed.made_at(second)] == pytest.approx([1050, 1053])


def step(rate: float, *, sustained: bool | None) -> Step:
    return Step(
        rate=rate, sent_rate=rate, sustained=sustained, lag_growth=0 if sustained else 900,
        committed_rate=rate * 0.99, batch_p50_seconds=0.5, batch_p95_seconds=1.0,
        latency_p50_seconds=0.8, latency_p95_seconds=None, processor_share=0.4,
        memory_bytes=2**29, checkpoint_bytes=2**20, checkpoint_growth_bytes_per_second=2**14,
    )  # fmt: skip


BACK = Recovery(state_store="rocksdb", state_rows=1200, seconds=8.1)
GONE = Recovery(state_store="hdfs", state_rows=9, seconds=None)


@pytest.mark.parametrize(
    ("tried", "confirmed", "recoveries", "highest", "verdict"),
    [
        ([True, False], None, [BACK], 1000, Verdict.OK),
        ([True, False], True, [BACK], 1000, Verdict.OK),
        ([True, False], False, [BACK], 1000, Verdict.PROBLEM),
        ([True, False], ..., [BACK], 1000, Verdict.UNKNOWN),
        ([False], None, [BACK], None, Verdict.UNKNOWN),
        ([True, None], None, [BACK], 1000, Verdict.UNKNOWN),  # nobody looked: it may be more
        ([True, False], True, [BACK, GONE], 1000, Verdict.PROBLEM),
        ([None], None, [GONE], None, Verdict.PROBLEM),
    ],
)
def test_the_verdict_is_that_of_all_figures(tried, confirmed, recoveries, highest, verdict):
    steps = [step(1000, sustained=sustained) for sustained in tried]
    longer = step(900, sustained=None if confirmed is ... else confirmed)
    found = judge(steps, None if confirmed is None else longer, recoveries, highest=highest)
    assert found is verdict


def test_a_driver_that_does_not_come_back_is_told(monkeypatch):
    monkeypatch.setattr(recovery, "_PATIENCE_SECONDS", 0)
    monkeypatch.setattr(recovery.job, "kill", lambda _: None)
    monkeypatch.setattr(recovery.time, "sleep", lambda _: None)
    monkeypatch.setattr(recovery, "batches", lambda _: ([], []))
    state = {"state": [{"rows": 7}]}
    subject = SimpleNamespace(
        run=SimpleNamespace(progress=lambda: [state]), query="windows", settings={},
        feed=SimpleNamespace(start=lambda _: None, stop=lambda: None),
    )  # fmt: skip
    assert recovery.recover(subject, Flow()) == Recovery(
        state_store="rocksdb", state_rows=7, seconds=None
    )
    told = []
    assert len(list(recovery.recoveries(subject, Flow(), (7,), on_event=told.append))) == 1
    assert told[-1].message == "7 rows: no batch within 0 s"


@pytest.fixture
def report(tmp_path):
    return LoadReport(
        verdict=Verdict.OK, started_at="2026-01-01T00:00:00.000Z", sustained_rate=2000,
        command="streamctl load run --rate 2000 --set 'a=<b>'",
        directory=tmp_path, steps=[step(2000, sustained=True), step(4000, sustained=False)],
        confirmed=step(1800, sustained=True), recovery=BACK,
        recoveries=[
            Recovery(state_store=store, state_rows=rows, seconds=seconds)
            for store, rows, seconds in
            (("rocksdb", 90_000, 9.0), ("rocksdb", 1000, 8.0), ("hdfs", 1000, None))
        ],
    )  # fmt: skip


def test_a_load_run_is_read_again_and_drawn(tmp_path, report):
    with pytest.raises(NotFound):
        read_load(tmp_path)
    (tmp_path / "load.json").write_text(json.dumps(as_json(report)))
    assert read_load(tmp_path) == report
    html = load_page(report)
    for words in (
        "2,000 records/s are sustained.",
        "Nine tenths of it, 1,800 records/s, held.",
        "89% of the rate that was found was committed",
        "1,200",
        "none followed",
        "checkpoint grows by, KiB/s",
        "16 KiB/s",
        "streamctl load run --rate 2000 --set &#x27;a=&lt;b&gt;&#x27;",
    ):
        assert words in html
    assert {plot.band for plot in curves(report)} == {(4000, 4000)}
    assert "<script" not in html
    rocksdb, hdfs = recovery_curves(report)
    assert rocksdb.points == [(1000, 8.0), (90_000, 9.0)]
    assert (hdfs.points, "hdfs" in hdfs.title) == ([(1000, None)], True)


def test_what_is_not_known_is_not_drawn_as_a_rate_that_failed(report):
    unseen = replace(report, steps=[step(2000, sustained=True), step(4000, sustained=None)])
    assert {plot.band for plot in curves(unseen)} == {None}
    assert "not known" in load_page(unseen)


def test_a_report_of_a_release_before_is_read(tmp_path, report):
    values = as_json(report)
    del values["command"]
    for each in (*values["steps"], values["confirmed"]):
        del each["committed_rate"], each["checkpoint_growth_bytes_per_second"]
    (tmp_path / "load.json").write_text(json.dumps(values))
    assert read_load(tmp_path).steps[0].committed_rate is None
    assert "not known" in load_page(read_load(tmp_path))


def test_an_interrupted_run_is_gone_on_with_when_the_same_is_asked(tmp_path):
    asked = {"plan": {"first": 1000}}
    notes = Notes(directory=tmp_path / "1", asked=asked, started_at="2026-01-01T00:00:00.000Z")
    notes.steps.append(step(1000, sustained=True))
    notes.save()
    found = unfinished(tmp_path, asked)
    assert found == notes
    assert found.known(1000).sustained
    assert found.known(2000) is None
    assert unfinished(tmp_path, {"plan": {"first": 2000}}) is None
    (tmp_path / "1" / "load.json").write_text("{}")
    assert unfinished(tmp_path, asked) is None  # it has come to its end
