"""The installed program, a real broker and real Spark: start, look, stop, kill, recover."""

import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from streamctl.errors import ExitCode
from streamctl.job.launcher import session_members
from streamctl.kafka.client import Broker
from streamctl.rundir.records import Failure, FailureClass, Observed
from streamctl.sandbox import lifecycle as sandbox
from tests import accounting
from tests.harness import ASK_SECONDS, Project, until
from tests.integration.conftest import QUICK_TO_SAY_IDLE

pytestmark = pytest.mark.integration
TELEMETRY = ("windows", "dead_letters")


def an_hour_ago() -> str:
    return f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"


def produce(project, *, count: int, ledger: Path, **options: object) -> None:
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    answer = project(
        *("produce", "--count", str(count), "--ledger", str(ledger), "--flaw", "all=0.1"),
        *("--late", "0.1", "--event-rate", "2", "--start-time", an_hour_ago()),
        *(text.replace("_", "-") if text.startswith("--") else text for text in flags),
    )
    assert answer.exit_code == 0, answer.stderr


def test_a_whole_life(project, broker, topic, tmp_path):
    """Start, start again, status, logs, stop with its proof, stop again, and an account."""
    ledger = tmp_path / "ledger"
    produce(project, count=3000, ledger=ledger)
    first = project.json("start", "--set", accounting.RETAIN_ALL)
    assert first.exit_code == 0, first.stderr
    assert first.data["outcome"] == "started"
    assert sorted(first.data["queries"]) == sorted(TELEMETRY)
    again = project.json("start")
    assert (again.exit_code, again.data["outcome"]) == (0, "already_running")
    assert again.data["run_id"] == first.data["run_id"]
    accounting.drain(project, broker, topic)

    status = project.json("status")
    assert (status.exit_code, status.data["verdict"]) == (0, "ok")
    queries = {query["name"]: query for query in status.data["queries"]}
    assert queries["windows"]["committed_batch_id"] >= 2

    stopped = project.json("stop")
    assert stopped.exit_code == 0, stopped.stderr
    assert stopped.data["outcome"] == "stopped"
    for query in stopped.data["queries"]:
        position = project.checkpoints()[query["name"]].position()
        assert query["committed_batch_id"] == position.committed_batch_id
        assert query["planned_batch_id"] - query["committed_batch_id"] <= 1
        assert query["next_offsets"] == {
            topic: {str(p): high for p, (_, high) in broker.watermarks(topic).items()}
        }
    assert project.json("stop").data["outcome"] == "already_stopped"
    after = project.json("status")
    assert (after.exit_code, after.data["observed"]) == (0, "stopped")

    audit = accounting.check(project, broker, topic, ledger)
    assert audit.wrong == []
    must = audit.must
    assert (must.unread, audit.counts.letters_again) == (0, 0)
    queries = {query["name"]: query for query in after.data["queries"]}
    assert queries["windows"]["total_rows"] == 3000
    assert queries["windows"]["late_rows"] == must.late > 0
    assert sum(queries["dead_letters"]["rejected_rows"].values()) == len(must.rejected) > 0
    warnings = project("logs", "--level", "WARN").stdout.splitlines()
    assert 0 < len(warnings) < len(must.rejected)

    produce(project, count=10_000, ledger=tmp_path / "while-it-is-down")
    lag = project.json("lag")
    assert lag.exit_code == ExitCode.FOUND
    assert [query["lag_records"] for query in lag.data["queries"]] == [10_000, 10_000]
    assert lag.data["queries"][0]["state"] in {"ok", "stopped"}  # by how long ago it stopped


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where programs that a test starts have their temporary files."""
    directory = tmp_path / "tmp"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    return directory


def test_sigkill_of_the_driver_is_recovered_and_all_is_accounted_for(
    project, broker, topic, tmp_path, temporary
):
    ledger = tmp_path / "ledger"
    produce(project, count=6000, ledger=ledger)
    flags = ("--set", accounting.RETAIN_ALL, "--set", "kafka.max_offsets_per_trigger=500")
    assert project("start", *flags, "--no-wait").exit_code == 0
    for kills in range(1, 3):
        until(lambda: project.status().observed is Observed.RUNNING)
        until(lambda batch=kills: project.checkpoints()["windows"].log_ids().committed[-1] >= batch)
        victim, killed_at = project.status().driver_pid, time.monotonic()
        os.kill(victim, signal.SIGKILL)
        until(lambda pid=victim: project.status().driver_pid != pid)
        assert time.monotonic() - killed_at < 2
        until(lambda n=kills: project.status().attempt == n + 1)
    until(lambda: project.status().observed is Observed.RUNNING)
    accounting.drain(project, broker, topic)
    assert len(list(temporary.glob("*/blockmgr-*"))) == 1, "what the killed ones had is gone"
    assert project("stop").exit_code == 0
    assert project.status().restarts == 2
    assert list(temporary.iterdir()) == []
    audit = accounting.check(project, broker, topic, ledger)
    assert (audit.wrong, audit.must.unread) == ([], 0)


def test_a_standby_takes_over_and_all_is_accounted_for(project, broker, topic, tmp_path):
    """Its session is up before the kill; the account is that of one uninterrupted run."""
    ledger = tmp_path / "ledger"
    produce(project, count=3000, ledger=ledger)
    flags = ("--set", accounting.RETAIN_ALL, "--set", "kafka.max_offsets_per_trigger=500")
    assert project("start", *flags, "--set", "supervise.standby=true").exit_code == 0
    until(lambda: "standby is ready" in project("logs").stdout, every=ASK_SECONDS)
    before = project.status()
    os.kill(before.driver_pid, signal.SIGKILL)
    until(lambda: project.status().driver_pid == before.standby_pid)
    until(lambda: project.status().observed is Observed.RUNNING)
    accounting.drain(project, broker, topic)
    assert project("stop").exit_code == 0
    after = project.status()
    assert (after.attempt, after.restarts, after.standby_pid) == (2, 1, None)
    assert not session_members(before.standby_pid)
    audit = accounting.check(project, broker, topic, ledger)
    assert (audit.wrong, audit.must.unread) == ([], 0)


def test_sigterm_to_the_supervisor_is_a_stop(project):
    assert project("start").exit_code == 0
    status = project.status()
    supervisor = psutil.Process(status.supervisor_pid)
    supervisor.terminate()
    until(lambda: not supervisor.is_running() or supervisor.status() == psutil.STATUS_ZOMBIE)
    assert project.status().observed is Observed.STOPPED
    assert not project.status().interrupted
    for checkpoint in project.checkpoints().values():
        ids = checkpoint.log_ids()
        assert len(ids.planned) - len(ids.committed) in {0, 1}


def test_a_killed_supervisor_leaves_no_second_writer(project, broker, topic, tmp_path, temporary):
    """The driver ends by itself after its batch, and `stop` waits for that."""
    ledger = tmp_path / "ledger"
    produce(project, count=2000, ledger=ledger)
    retain = ("--set", accounting.RETAIN_ALL)
    assert project("start", *retain).exit_code == 0
    status = project.status()
    os.kill(status.supervisor_pid, signal.SIGKILL)
    until(lambda: project.json("status").data["supervisor_pid"] is None, every=0.5)
    assert project.json("status").exit_code == ExitCode.FOUND
    stopped = project.json("stop")
    assert (stopped.exit_code, stopped.data["outcome"]) == (0, "already_stopped")
    assert not session_members(status.driver_pid)
    assert list(temporary.iterdir()) == []
    assert project("start", *retain).exit_code == 0
    accounting.drain(project, broker, topic)
    assert project("stop").exit_code == 0
    audit = accounting.check(project, broker, topic, ledger)
    assert (audit.wrong, audit.must.unread, audit.counts.letters_again) == ([], 0, 0)


def test_without_records_it_is_ready_and_says_so(project):
    assert "windows\tcommitted a batch" in project("start").stdout  # Spark's first is empty
    assert project("stop").exit_code == 0
    assert "windows\tnothing to read yet" in project("start").stdout
    followed = project.spawn("logs", "-f", "--grep", "ended: stopped")
    assert project("stop").exit_code == 0
    assert "ended: stopped as asked" in followed.stdout.readline()
    followed.send_signal(signal.SIGINT)
    followed.communicate(timeout=10)
    assert followed.returncode == ExitCode.INTERRUPTED


def test_in_the_foreground_ctrl_c_stops(project):
    process = project.spawn("start", "--foreground", "--no-archive")
    until(lambda: project.run.path.joinpath("status.json").exists())
    until(lambda: project.status().observed is Observed.RUNNING)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0
    assert project.status().observed is Observed.STOPPED
    assert "ended: stopped as asked" in stderr


def test_two_starts_at_once_make_one_job(project):
    both = [project.spawn("start", "-o", "json") for _ in range(2)]
    answers = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    reports = [json.loads(stdout)["data"] for stdout, _ in answers]
    assert {report["outcome"] for report in reports} == {"started", "already_running"}
    assert len({report["supervisor_pid"] for report in reports}) == 1


def test_ctrl_c_while_waiting_ends_only_the_waiting(project):
    process = project.spawn("start")
    until(lambda: project.run.path.joinpath("status.json").exists())
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "goes on" in stderr
    until(lambda: project.status().observed is Observed.RUNNING)

    process = project.spawn("stop")
    until(lambda: project.run.path.joinpath("stop.json").exists())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode in {ExitCode.INTERRUPTED, ExitCode.DONE}
    until(lambda: project.status().observed is Observed.STOPPED)


BROKEN_JOB = """
from jobs.job import Job, Parquet, Query

class Broken(Job):
    name = "broken"

    def queries(self, records, context):
        return [Query(name="out", frame=records.select("nonsense"), sink=Parquet())]
"""


def test_an_analysis_error_is_told_and_not_retried(project):
    (project.directory / "mine.py").write_text(BROKEN_JOB)
    answer = project("start", "--job", "mine:Broken")
    assert answer.exit_code == ExitCode.FAILED
    assert "UNRESOLVED_COLUMN" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert project.status().attempt == 1
    failure = project.run.read(Failure)
    assert failure.failure_class is FailureClass.CODE
    status = project.json("status")
    assert status.exit_code == ExitCode.FOUND
    assert status.data["failure"]["condition"].startswith("UNRESOLVED_COLUMN")


def test_a_broker_that_was_lost_is_told_once_and_nothing_is_lost(tmp_path):
    """A broker of its own is killed under the job and comes back on the same port."""
    kafka, topic, ledger = tmp_path / "kafka", "t", tmp_path / "ledger"
    servers = sandbox.up(directory=kafka, topics={topic: 2}).bootstrap_servers
    (tmp_path / "project").mkdir()
    quick = {"default.api.timeout.ms": "4000", "request.timeout.ms": "3000"}
    project = Project(
        tmp_path / "project",
        {
            "kafka": {"bootstrap_servers": servers, "topic": topic, "starting_offsets": "earliest"},
            "kafka.options": quick,
            "spark": {"master": "local[2]", "shuffle_partitions": 2},
            "spark.options": QUICK_TO_SAY_IDLE
            | {"spark.sql.streaming.minBatchesToRetain": "1000000"},
        },
    )
    try:
        produce(project, count=1000, ledger=ledger)
        assert project("start").exit_code == 0
        sandbox.kill(directory=kafka)
        until(lambda: project.status().observed is Observed.BACKING_OFF, seconds=120)
        status = project.json("status")
        assert status.exit_code == ExitCode.FOUND
        assert f"no answer from Kafka at {servers}" in status.data["reasons"][0]
        sandbox.up(directory=kafka)
        until(lambda: project.status().observed is Observed.RUNNING, seconds=120)
        assert project.json("status").exit_code == 0
        broker = Broker(servers, timeout_seconds=20)
        accounting.drain(project, broker, topic)
        assert project("stop").exit_code == 0
        errors = project("logs", "--level", "ERROR").stdout
        assert "\tat " not in errors
        audit = accounting.check(project, broker, topic, ledger)
        assert (audit.wrong, audit.must.unread) == ([], 0)
    finally:
        project.clean()
        sandbox.down(directory=kafka)


def steady_again(project) -> set[str]:
    lines = project.json("logs", "--grep", "caught up").stdout.splitlines()
    told = [json.loads(line)["data"]["fields"] for line in lines]
    return {line["query"] for line in told if line["bound"] == 200}


def test_catch_up_takes_larger_batches_while_behind_and_then_steady_ones(
    project, broker, topic, tmp_path
):
    ledger = tmp_path / "ledger"
    produce(project, count=6000, ledger=ledger)
    flags = ("--set", accounting.RETAIN_ALL, "--set", "kafka.max_offsets_per_trigger=200")
    assert project("start", *flags, "--set", "catch_up.enabled=true").exit_code == 0
    accounting.drain(project, broker, topic)
    until(lambda: steady_again(project) == set(TELEMETRY))
    assert project("stop").exit_code == 0
    lines = [json.loads(line) for line in project.run.progress_file.read_text().splitlines()]
    for query in TELEMETRY:
        told = [x for x in lines if x["kind"] == "progress" and x["query"] == query]
        rows = [x["input_rows"] for x in told]
        assert rows[0] <= 200
        assert max(rows) > 400, "how far they grow is for the machine to say"
    assert accounting.check(project, broker, topic, ledger).wrong == []
