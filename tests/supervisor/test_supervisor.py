"""The real supervisor as a process of its own, with a driver that needs no Spark."""

import json
import os
import shutil
import signal
import time
from datetime import UTC, datetime

import psutil
import pytest

from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change.area import held
from streamctl.checkpoint.change.rotate import plan_rotate
from streamctl.checkpoint.location import journal, lease
from streamctl.lifecycle.stop import Outcome, stop
from streamctl.observe.status import is_supervised, read_status
from streamctl.reports import Verdict
from streamctl.rundir.records import Desired, Failure, FailureClass, Observed
from tests.faults import Kill, points_of, run_forked
from tests.supervisor.harness import PATIENCE_SECONDS, Harness, is_gone, until
from tests.unit.change.helpers import NOW, location


def test_a_killed_driver_is_noticed_and_restarted_and_nothing_of_it_is_left(harness):
    harness.start("run")
    before = harness.running()
    orphan = harness.child()
    [left] = harness.temporary.glob("*/left")
    killed_at = time.monotonic()
    os.kill(before.driver_pid, signal.SIGKILL)
    until(lambda: harness.status().observed is Observed.BACKING_OFF)
    assert time.monotonic() - killed_at < 2
    until(lambda: harness.status().attempt == 2)
    assert is_gone(orphan)
    after = harness.running()
    assert (after.run_id, after.restarts, after.attempts_left) == (before.run_id, 1, 2)
    assert after.driver_pid != before.driver_pid
    assert [path != left for path in harness.temporary.glob("*/left")] == [True]


def test_a_driver_that_goes_on_without_getting_on_is_killed_and_started_again(harness):
    harness.start("run", hung_seconds=1)
    before = harness.running()
    orphan = harness.child()
    until(lambda: harness.status().attempt == 2)
    assert is_gone(orphan)
    assert harness.status().restarts == 1
    told = [str(line["message"]) for line in harness.log()]
    assert [text for text in told if "has said nothing for" in text]
    assert [text for text in told if text.startswith("restart in") and "said nothing" in text]
    assert harness.running().driver_pid != before.driver_pid


def test_drivers_that_hang_one_after_the_other_use_up_the_restarts(harness):
    """Silence is no stable run, and one that starts no query is hung too."""
    supervisor = harness.start("mute", hung_seconds=0.6, stable_seconds=0.3, attempts=2)
    assert supervisor.wait(PATIENCE_SECONDS) == 1
    assert harness.status().attempt == 3
    failure = harness.run.read(Failure)
    assert failure.condition == "DriverHung"
    assert failure.message.startswith("the driver has started no query for")


def test_below_the_disk_floor_the_job_ends_in_order_and_says_so(harness):
    supervisor = harness.start("run", disk_floor_bytes=10**18)
    assert supervisor.wait(PATIENCE_SECONDS) == 1
    status, failure = harness.status(), harness.run.read(Failure)
    assert (status.observed, status.interrupted) == (Observed.FAILED, False)
    assert failure.condition == "DiskNearlyFull"
    assert "the floor is" in failure.message
    assert "streamctl checkpoint prune" in failure.hint
    assert [line for line in harness.log() if "nearly full" in str(line["message"])]


def test_a_standby_takes_over_from_a_killed_driver_and_another_is_made(harness):
    supervisor = harness.start("run", standby=True)
    harness.running()
    before = until(lambda: (status := harness.status()).standby_pid and status)
    os.kill(before.driver_pid, signal.SIGKILL)
    until(lambda: harness.status().attempt == 2)
    after = until(lambda: (status := harness.running()).standby_pid and status)
    assert after.driver_pid == before.standby_pid
    assert after.standby_pid not in {before.standby_pid, before.driver_pid}
    waiting = psutil.Process(after.standby_pid)
    supervisor.terminate()
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    assert is_gone(waiting)
    assert list(harness.temporary.iterdir()) == []


def test_a_standby_that_died_is_not_waited_for(harness):
    """The next attempt is a new driver; the dead one is not replaced at once."""
    harness.start("run", standby=True)
    before = until(lambda: (status := harness.status()).standby_pid and status)
    os.kill(before.standby_pid, signal.SIGKILL)
    until(lambda: harness.status().standby_pid is None)
    os.kill(before.driver_pid, signal.SIGKILL)
    until(lambda: harness.status().attempt == 2)
    after = harness.running()
    assert after.driver_pid not in {before.standby_pid, before.driver_pid}
    assert after.standby_pid is None


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_supervisor_is_a_graceful_stop(harness, name):
    supervisor = harness.start("slow:0.5")
    harness.running()
    child = harness.child()
    supervisor.send_signal(name)
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    status = harness.status()
    assert (status.observed, status.desired) == (Observed.STOPPED, Desired.STOPPED)
    assert not status.interrupted
    assert status.driver_pid is None
    assert is_gone(child)
    assert lease.read(harness.store) is None
    assert not is_supervised(harness.run)


def test_stop_waits_for_the_driver(harness):
    supervisor = harness.start("slow:1")
    harness.running()
    report = stop(harness.run, deadline_seconds=10)
    assert report.outcome is Outcome.STOPPED
    assert report.exit_code == 0
    assert report.seconds >= 1
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    assert stop(harness.run, deadline_seconds=10).outcome is Outcome.ALREADY_STOPPED


def test_past_the_deadline_the_driver_is_killed_and_it_is_said(harness):
    supervisor = harness.start("hang")
    harness.running()
    child = harness.child()
    report = stop(harness.run, deadline_seconds=0.5)
    assert report.outcome is Outcome.INTERRUPTED
    assert report.exit_code == 16
    assert supervisor.wait(PATIENCE_SECONDS) == 16
    assert is_gone(child)
    assert any("deadline passed" in str(line["message"]) for line in harness.log())


def test_a_later_stop_may_be_more_urgent(harness):
    supervisor = harness.start("hang")
    harness.running()
    supervisor.send_signal(signal.SIGTERM)
    until(lambda: harness.status().observed is Observed.STOPPING)
    stop(harness.run, deadline_seconds=0.3)
    assert supervisor.wait(PATIENCE_SECONDS) == 16


@pytest.mark.parametrize("kind", ["code", "data", "configuration"])
def test_what_would_repeat_itself_is_not_retried(harness, kind):
    supervisor = harness.start(f"fail:{kind}", "run")
    assert supervisor.wait(PATIENCE_SECONDS) == 1
    status = harness.status()
    assert (status.observed, status.attempt) == (Observed.FAILED, 1)
    assert harness.run.read(Failure).failure_class is FailureClass(kind)
    report = read_status(harness.run)
    assert report.verdict is Verdict.PROBLEM
    assert "it was told to fail" in report.reasons[0]


@pytest.mark.parametrize("behaviour", ["fail:infrastructure", "exit:7", "unreachable"])
def test_infrastructure_is_retried_with_growing_waits_until_the_budget_is_spent(harness, behaviour):
    supervisor = harness.start(behaviour, attempts=2)
    assert supervisor.wait(PATIENCE_SECONDS) == 1
    status = harness.status()
    assert (status.attempt, status.restarts, status.attempts_left) == (3, 2, 0)
    waits = [line["message"] for line in harness.log() if "restart in" in str(line["message"])]
    assert [wait[:16] for wait in waits] == ["restart in 0.3 s", "restart in 0.6 s"]
    assert harness.run.read(Failure).failure_class is FailureClass.INFRASTRUCTURE


def test_a_stable_attempt_refills_the_restarts_while_it_runs(harness):
    harness.start("exit:7", "run", attempts=1, stable_seconds=4)
    assert harness.running().attempts_left == 0
    until(lambda: harness.status().attempts_left == 1)
    assert harness.status().observed is Observed.RUNNING
    told = [line for line in harness.log() if "left again" in str(line["message"])]
    assert [line["level"] for line in told] == ["INFO"]


def test_every_line_of_the_log_says_its_run_and_attempt(harness):
    supervisor = harness.start("exit:7", "run")
    until(lambda: harness.status().attempt == 2)
    run_id = harness.running().run_id
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    lines = harness.log()
    assert {line["run_id"] for line in lines} == {run_id}
    started = [line["attempt"] for line in lines if line["message"] == "driver started"]
    assert started == [1, 2]
    assert [line["attempt"] for line in lines if line["from"] == "output"] == [1, 2]


def test_the_level_holds_for_the_supervisor_too(harness):
    supervisor = harness.start("exit:7", "run", log={"level": "WARN"})
    until(lambda: harness.status().attempt == 2)
    harness.running()
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    told = {line["level"] for line in harness.log() if line["from"] == "supervisor"}
    assert told == {"WARN", "ERROR"}


def test_an_unreachable_broker_is_waited_for_and_told_once(harness):
    supervisor = harness.start("run", max_backoff_seconds=0.3)
    running = harness.running()
    (harness.run.path / "broker-is-down").touch()
    os.kill(running.driver_pid, signal.SIGKILL)
    until(lambda: harness.status().attempt == 2)
    until(lambda: harness.status().observed is Observed.BACKING_OFF)
    time.sleep(1.5)
    report = read_status(harness.run)
    assert report.verdict is Verdict.PROBLEM
    assert "no answer from Kafka at nowhere" in report.reasons[0]
    told = [line for line in harness.log() if "no answer from Kafka" in str(line["message"])]
    assert [line["level"] for line in told] == ["ERROR"]
    (harness.run.path / "broker-is-down").unlink()
    assert harness.running().attempts_left == 2
    assert harness.run.read(Failure) is None

    (harness.run.path / "broker-is-down").touch()
    os.kill(harness.status().driver_pid, signal.SIGKILL)
    until(lambda: harness.status().attempt == 3)
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(PATIENCE_SECONDS) == 0


def test_patience_with_a_broker_ends(harness):
    harness.run.path.mkdir()
    (harness.run.path / "broker-is-down").touch()
    supervisor = harness.start("run", attempts=0, broker_patience_seconds=0.2)
    assert supervisor.wait(PATIENCE_SECONDS) == 1
    assert harness.run.read(Failure).condition == "BrokerUnreachable"


def test_a_job_that_comes_to_its_end_is_finished(harness):
    assert harness.start("exit:0").wait(PATIENCE_SECONDS) == 0
    assert harness.status().observed is Observed.FINISHED


def test_a_stop_while_backing_off_starts_nothing(harness):
    supervisor = harness.start("exit:7", "run", initial_backoff_seconds=60)
    until(lambda: harness.status().observed is Observed.BACKING_OFF)
    report = read_status(harness.run)
    assert report.verdict is Verdict.PROBLEM
    assert report.next_attempt_at > datetime.now(UTC)
    assert stop(harness.run, deadline_seconds=5).outcome is Outcome.STOPPED
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    assert harness.status().attempt == 1


def test_killing_the_supervisor_ends_the_driver_and_keeps_the_lease_till_then(harness):
    supervisor = harness.start("slow:1")
    status = harness.running()
    child = harness.child()
    supervisor.kill()
    supervisor.wait()
    assert lease.holder(harness.store, now=datetime.now(UTC)) is not None
    report = read_status(harness.run)
    assert report.verdict is Verdict.PROBLEM
    assert "supervisor is gone" in report.reasons[0]
    assert stop(harness.run, deadline_seconds=10).outcome is Outcome.ALREADY_STOPPED
    assert is_gone(child)
    assert not psutil.pid_exists(status.driver_pid) or is_gone(psutil.Process(status.driver_pid))
    assert lease.holder(harness.store, now=datetime.now(UTC)) is None
    harness.start("run")
    harness.running()
    assert [entry.verb for entry in journal.entries(harness.store)] == ["take over lease"]


def test_a_lost_lease_ends_the_driver_at_once(harness):
    supervisor = harness.start("hang")
    harness.running()
    child = harness.child()
    with lease._alone(harness.store):  # not between a renewal's look and its write
        harness.store.remove("_streamctl/lease.json")
    assert supervisor.wait(PATIENCE_SECONDS) == 1
    assert is_gone(child)
    failure = harness.run.read(Failure)
    assert (failure.condition, failure.exit_code) == ("LeaseLost", 11)


def test_a_second_supervisor_on_the_same_checkpoint_is_refused(harness, tmp_path):
    harness.start("run")
    harness.running()
    other = Harness(tmp_path / "other")
    other.store = harness.store
    try:
        assert other.start("run").wait(PATIENCE_SECONDS) == 1
        assert other.run.read(Failure).exit_code == 11
        assert f"process {harness.status().supervisor_pid} on" in other.run.read(Failure).message
    finally:
        other.clean()
    assert harness.status().observed is Observed.RUNNING


def test_what_the_driver_prints_becomes_lines_of_the_log(harness):
    harness.start("run")
    harness.running()
    assert any(line["message"] == "not json" for line in harness.log())


def test_it_is_starting_until_every_query_is_ready(harness):
    harness.start("unready")
    until(lambda: harness.status().queries == ["a", "b"])
    time.sleep(0.5)
    assert harness.status().observed is Observed.STARTING
    assert read_status(harness.run).verdict is Verdict.UNKNOWN


def test_a_change_that_was_killed_is_finished_before_the_driver_starts(harness, tmp_path):
    """A rotation dies with its generation seeded and the pointer not moved: the start moves it."""
    root = tmp_path / "checkpoint"
    area = location(root)

    def rotate() -> None:
        plan = plan_rotate(
            area, job="j:J", starting=None, topic_ids={}, sinks={}, kafka=None, why="", now=NOW
        )
        with held(area, "rotate") as holding:
            changes.apply(area, plan, holding)

    points = points_of(rotate, roots=[root])
    at = max(n for n, p in enumerate(points) if p.startswith("os.rename") and "current.json" in p)
    shutil.rmtree(root)
    location(root)
    assert run_forked(rotate, roots=[root], fault=Kill(at=at)).killed
    assert json.loads((root / "_streamctl/current.json").read_text()) == {"generation": "0001"}
    harness.start("run")
    harness.running()
    assert json.loads((root / "_streamctl/current.json").read_text()) == {"generation": "0002"}
    assert any("finished an interrupted rotate" in str(line) for line in harness.log())
