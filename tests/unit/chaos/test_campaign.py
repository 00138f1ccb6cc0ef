"""Campaigns: their order, what is left of them, and what their exit code says."""

import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamctl.chaos.campaign import (
    Campaign,
    NotRun,
    last_campaign,
    plan,
    run_campaign,
    trials,
)
from streamctl.chaos.catalogue import action, selected
from streamctl.chaos.cleanup import Cleaned, cleanup
from streamctl.chaos.effects import Effects
from streamctl.chaos.evidence import write_evidence
from streamctl.chaos.experiment import Activity, Experiment, Process, Role
from streamctl.chaos.feed import Flow
from streamctl.chaos.load.model import Plan
from streamctl.chaos.load.notes import Notes
from streamctl.chaos.load.run import run_load
from streamctl.chaos.owner import owned
from streamctl.chaos.proxy.control import start_child
from streamctl.errors import Busy, ExitCode, Malformed, NotFound, SettingsInvalid
from streamctl.reports import Verdict, as_json
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Desired, Observed, Status
from streamctl.sandbox import process
from tests.recordings import recorded

EXPERIMENTS = selected(quick=True)


def campaign(verdict: Verdict, *, judged: bool, not_run: bool) -> Campaign:
    gone = NotRun(experiment="e", reason="no", hint="", exit_code=ExitCode.UNSUPPORTED)
    return Campaign(
        id="1", verdict=verdict, seed=1, started_at="", seconds=1, directory=Path(),
        judgements=[None] if judged else [], not_run=[gone] if not_run else [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (campaign(Verdict.OK, judged=True, not_run=False), ExitCode.DONE),
        (campaign(Verdict.PROBLEM, judged=True, not_run=False), ExitCode.FOUND),
        (campaign(Verdict.UNKNOWN, judged=True, not_run=True), ExitCode.FOUND),
        (campaign(Verdict.UNKNOWN, judged=False, not_run=True), ExitCode.UNSUPPORTED),
    ],
)
def test_the_exit_code_says_what_was_found_or_why_nothing_could_be(made, expected):
    assert made.exit_code is expected


def test_once_is_in_order_and_more_often_is_shuffled_by_the_seed():
    assert plan(EXPERIMENTS, seed=1, repeat=1) == EXPERIMENTS
    often = plan(EXPERIMENTS, seed=1, repeat=5)
    assert len(often) == 30
    assert often == plan(EXPERIMENTS, seed=1, repeat=5)
    assert often != plan(EXPERIMENTS, seed=2, repeat=5)
    names = sorted(each.name for each in EXPERIMENTS)
    assert all(sorted(e.name for e in often[n : n + 6]) == names for n in range(0, 30, 6))


def test_verdicts_are_made_anew_from_the_evidence(tmp_path):
    place = tmp_path / "20260101-000000" / "001-driver-killed"
    place.mkdir(parents=True)
    write_evidence(place / "evidence.json", recorded())
    [(evidence, judgement)] = trials(last_campaign(tmp_path))
    assert (evidence, judgement.verdict) == (recorded(), Verdict.OK)


def test_a_campaign_that_is_not_there(tmp_path):
    with pytest.raises(NotFound, match="no experiment was run"):
        last_campaign(tmp_path / "none")
    with pytest.raises(NotFound, match='no campaign "x"'):
        last_campaign(tmp_path, "x")


def clean(base: Path) -> Cleaned:
    return cleanup([base], target=lambda _: None)


def sleeper(tmp_path: Path, word: str) -> int:
    code = "import time; time.sleep(60)"
    return process.spawn([sys.executable, "-c", code, word], output=tmp_path / "out")


def test_what_a_killed_run_left_is_ended_and_its_journal_stays(tmp_path):
    directory = tmp_path / "20260101-000000"
    trial = directory / "001-kafka-killed"
    run = RunDirectory(trial / "project" / ".streamctl" / "default")
    supervisor, driver = (
        sleeper(tmp_path, word) for word in ("streamctl.supervisor", "the driver")
    )
    now = datetime.now(UTC)
    run.write(
        Status(
            desired=Desired.RUNNING, observed=Observed.RUNNING, run_id="r", job="j", attempt=1,
            attempts_left=1, supervisor_pid=supervisor, driver_pid=driver, started_at=now,
            attempt_started_at=now, updated_at=now, generation="0001", checkpoint_location="",
        )
    )  # fmt: skip
    (trial / "journal.json").write_text("{}")
    (directory / "kafka").mkdir()
    (directory / "kafka" / "sandbox.json").write_text(
        json.dumps({"kafka_version": "4", "port": 1, "controller_port": 2})
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = start_child(directory / "proxy", server.getsockname())
    started = process.start_time(proxy.note.pid)
    assert clean(tmp_path).campaigns == [directory.name]
    for pid in (supervisor, driver, proxy.note.pid):
        assert process.start_time(pid) is None
    assert started is not None
    assert [path.name for path in sorted(directory.iterdir())] == [trial.name, "lock"]
    assert (trial / "journal.json").exists()


def test_what_ended_in_order_is_left_alone(tmp_path):
    trial = tmp_path / "20260101-000000" / "001-e"
    (trial / "project").mkdir(parents=True)
    (trial / "evidence.json").write_text("{}")
    assert clean(tmp_path).campaigns == []


def touch(path: Path) -> Activity:
    return Activity(
        name="back", role=Role.ACTION, provider=Process(command=("touch", str(path / "back")))
    )


def test_the_rollbacks_that_a_killed_run_did_not_come_to_are_done_once(tmp_path):
    trial = tmp_path / "20260101-000000" / "001-mine"
    effects = Effects(trial / "effects.jsonl")
    effects.promise(touch(tmp_path))
    effects.begin("kafka.kill", undo="kafka.start", arguments={})  # its broker is gone by now
    assert clean(tmp_path).campaigns == ["20260101-000000"]
    assert (tmp_path / "back").exists()
    (tmp_path / "back").unlink()
    assert clean(tmp_path).campaigns == []
    assert not (tmp_path / "back").exists()


def test_what_cannot_be_changed_back_is_said_and_tried_again(tmp_path):
    trial = tmp_path / "20260101-000000" / "001-mine"
    Effects(trial / "effects.jsonl").promise(touch(tmp_path / "later"))
    found = clean(tmp_path)
    assert found.verdict is Verdict.PROBLEM
    assert found.left[0].startswith("20260101-000000: back: it answered 1: touch:")
    (tmp_path / "later").mkdir()
    assert clean(tmp_path).verdict is Verdict.OK
    assert (tmp_path / "later" / "back").exists()


def test_a_record_that_cannot_be_read_keeps_no_other_campaign_from_being_cleaned(tmp_path):
    for number in (1, 2):
        Effects(tmp_path / f"{number}" / "001-mine" / "effects.jsonl").promise(touch(tmp_path))
    (tmp_path / "1" / "001-mine" / "effects.jsonl").write_text('{"number": 1, "verb": "a"}\n')
    found = clean(tmp_path)
    assert found.campaigns == ["2"]
    assert "of another release" in found.left[0]


def test_a_campaign_that_runs_is_left_alone(tmp_path):
    running = tmp_path / "20260101-000000"
    Effects(running / "001-mine" / "effects.jsonl").promise(touch(tmp_path))
    (running / "kafka").mkdir()
    with owned(running):
        found = clean(tmp_path)
        assert (found.campaigns, found.left) == ([], [])
        assert found.running == [f"20260101-000000 is run by process {os.getpid()}"]
    assert (running / "kafka").exists()
    assert not (tmp_path / "back").exists()
    assert clean(tmp_path).campaigns == ["20260101-000000"]


@pytest.fixture
def no_stage(monkeypatch):
    """Nothing may be started."""

    def start(*_, **__):
        raise AssertionError("a stage was made")

    for module in ("campaign", "load.run"):
        monkeypatch.setattr(f"streamctl.chaos.{module}.Stage", start)


@pytest.mark.usefixtures("no_stage")
def test_a_load_run_that_is_being_run_is_not_gone_on_with(tmp_path):
    wanted, flow = Plan(first=1000), Flow()
    asked = {"plan": as_json(wanted), "flow": as_json(flow), "settings": {}}
    running = Notes(directory=tmp_path / "20260101-000000", asked=asked, started_at="")
    running.save()
    (running.directory / "kafka").mkdir()
    with owned(running.directory), pytest.raises(Busy, match=f"is run by process {os.getpid()}"):
        run_load(wanted, base=tmp_path, flow=flow, settings={})
    assert (running.directory / "kafka").exists()


@pytest.mark.usefixtures("no_stage")
@pytest.mark.parametrize(
    ("step", "error"),
    [
        (action("kafka.kil"), NotFound),
        (action("job.status"), NotFound),  # a probe
        (action("kafka.slow", shares=0.2), Malformed),
        (action("kafka.kill", gently=True), Malformed),
        (action("job.kill_at"), Malformed),
        (action("network.fault", latency=300), SettingsInvalid),
        (action("network.fault", kind="black-hole"), SettingsInvalid),
        (action("store.fault", flap=1), SettingsInvalid),
    ],
)
def test_a_verb_that_is_not_right_is_refused_before_anything_is_started(tmp_path, step, error):
    for place in ("before", "method", "rollbacks"):
        wrong = Experiment(name="e", title="E", **{"method": (), place: (step,)})
        with pytest.raises(error):
            run_campaign([EXPERIMENTS[0], wrong], base=tmp_path / "chaos", seed=1)
    assert not (tmp_path / "chaos").exists()
