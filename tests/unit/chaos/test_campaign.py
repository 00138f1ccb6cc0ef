"""Campaigns: their order, what is left of them, and what their exit code says."""

import json
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamctl.chaos.campaign import (
    Campaign,
    NotRun,
    _plan,
    cleanup,
    last_campaign,
    trials,
)
from streamctl.chaos.catalogue import selected
from streamctl.chaos.evidence import write_evidence
from streamctl.chaos.proxy.control import start_child
from streamctl.errors import ExitCode, NotFound
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Desired, Observed, Status
from streamctl.sandbox import process
from tests.planted import recorded

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
    assert _plan(EXPERIMENTS, seed=1, repeat=1) == EXPERIMENTS
    often = _plan(EXPERIMENTS, seed=1, repeat=5)
    assert len(often) == 30
    assert often == _plan(EXPERIMENTS, seed=1, repeat=5)
    assert often != _plan(EXPERIMENTS, seed=2, repeat=5)
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
    assert cleanup(tmp_path).campaigns == [directory.name]
    for pid in (supervisor, driver, proxy.note.pid):
        assert process.start_time(pid) is None
    assert started is not None
    assert [path.name for path in sorted(directory.iterdir())] == [trial.name]
    assert (trial / "journal.json").exists()


def test_what_ended_in_order_is_left_alone(tmp_path):
    trial = tmp_path / "20260101-000000" / "001-e"
    (trial / "project").mkdir(parents=True)
    (trial / "evidence.json").write_text("{}")
    assert cleanup(tmp_path).campaigns == []
