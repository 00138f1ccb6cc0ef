"""Records are deleted under the job: the receipt names just those that it never read."""

import json
import os
import signal

import pytest

from streamctl.checkpoint.location import journal
from streamctl.checkpoint.location.store import Store
from streamctl.errors import ExitCode
from streamctl.job.launcher import session_members
from tests.harness import ASK_SECONDS, Project, until

pytestmark = pytest.mark.integration


def produce(project: Project, name: str, count: int) -> None:
    ledger = str(project.directory / "ledgers" / name)
    flaws = ("--flaw", "all=0.1", "--late", "0.1", "--event-rate", "2", "--seed", "7")
    answer = project("produce", "--count", str(count), "--ledger", ledger, *flaws)
    assert answer.exit_code == 0, answer.stderr


def send(processes, signal_):
    for pid in processes:
        os.kill(pid, signal_)


def ends(broker, topic):
    return {partition: high for partition, (_, high) in broker.watermarks(topic).items()}


def test_what_is_deleted_under_the_job_has_a_receipt(project, broker, topic):
    produce(project, "first", 500)
    answer = project("start")
    assert answer.exit_code == 0, answer.stderr
    before = ends(broker, topic)
    until(lambda: project.read_by() == 500, every=ASK_SECONDS)
    assert project.json("status").data["losses"] == []
    whole = project.json("audit", "--ledger", str(project.directory / "ledgers" / "first"))
    assert whole.exit_code == 0, whole.stdout + whole.stderr
    assert whole.data["ledger"]["counted"] + whole.data["ledger"]["rejected"] == 500

    driver = session_members(project.status().driver_pid)
    send(driver, signal.SIGSTOP)
    produce(project, "second", 600)
    broker.delete_records(topic, {0: before[0] + 40, 1: before[1]})
    send(driver, signal.SIGCONT)
    losses = until(
        lambda: len(found := project.json("status").data["losses"]) >= 2 and found,
        every=ASK_SECONDS,
    )
    assert [
        (
            loss["partition"],
            loss["start_offset"],
            loss["end_offset"],
            loss["records"],
            loss["exact"],
        )
        for loss in losses
    ] == [(0, before[0], before[0] + 40, 40, True)] * 2  # of both queries
    assert {loss["query"] for loss in losses} == {"windows", "dead_letters"}

    status = project.json("status")
    assert (status.exit_code, status.data["verdict"]) == (ExitCode.FOUND, "problem")
    assert "40 records of" in status.data["reasons"][0]
    assert {query["total_rows"] for query in status.data["queries"]} == {1060}
    logged = [json.loads(line) for line in (project.run.logs / "job.jsonl").open()]
    assert [line["level"] for line in logged if "loss" in line] == ["ERROR"] * 2
    entries = journal.entries(Store.open(str(project.directory / "data" / "checkpoint")))
    assert {entry.verb for entry in entries} == {"loss"}
    assert project("stop").exit_code == 0

    audit = project.json("audit", "--ledger", str(project.directory / "ledgers"))
    assert audit.exit_code == ExitCode.FOUND, audit.stderr
    windows = next(query for query in audit.data["queries"] if query["query"] == "windows")
    figures = windows["figures"]
    assert (figures["read"], figures["skipped"], figures["unread"]) == (1100, 40, 0)
    assert windows["account"]["unexplained"] == 0
    assert windows["account"]["reasons"] == ["40 records were passed over unread"]
    ledger = audit.data["ledger"]
    assert 30 < ledger["lost"] + ledger["wrongly_judged"] <= 40  # a late one is missed nowhere
    assert ledger["doubled"] == 0
