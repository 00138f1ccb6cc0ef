"""A real standalone cluster on loopback, a master and a worker, instead of `local[*]`."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamctl.jars import pyspark_directory
from streamctl.java import find_java
from streamctl.job.launcher import driver_environment, end_members
from streamctl.sandbox.lifecycle import free_port
from tests import accounting
from tests.harness import until

pytestmark = pytest.mark.integration
DEPLOY = "org.apache.spark.deploy"


def spawn(log: Path, *command: str) -> "subprocess.Popen[bytes]":
    """Start one of Spark's own daemons in a session of its own."""
    home = {"SPARK_HOME": str(pyspark_directory()), "SPARK_LOCAL_IP": "127.0.0.1"}
    return subprocess.Popen(
        [str(pyspark_directory() / "bin" / "spark-class"), *command, "--webui-port", "0"],
        env=driver_environment(os.environ, java_home=find_java().home) | home,
        cwd=log.parent,
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


@pytest.fixture
def cluster(tmp_path) -> Iterator[str]:
    """The address of a master that has a worker; both end with the test."""
    port, log = str(free_port()), tmp_path / "worker.log"
    url = f"spark://127.0.0.1:{port}"
    daemons = [
        spawn(tmp_path / "master.log", f"{DEPLOY}.master.Master", "--host", "127.0.0.1", "-p", port)
    ]
    try:
        size = ("--cores", "2", "--memory", "1g", "--work-dir", str(tmp_path / "work"))
        daemons.append(spawn(log, f"{DEPLOY}.worker.Worker", url, *size))
        until(lambda: "Successfully registered with master" in log.read_text(), seconds=60)
        yield url
    finally:
        for daemon in daemons:
            end_members(daemon.pid)
            daemon.wait()


def test_executors_of_a_cluster_count_every_record(project, broker, topic, tmp_path, cluster):
    ledger = tmp_path / "ledger"
    sent = project(
        *("produce", "--count", "1500", "--ledger", str(ledger), "--flaw", "all=0.1"),
        *("--event-rate", "5", "--start-time", "2026-03-01T12:00:00"),
    )
    assert sent.exit_code == 0, sent.stderr
    there = ("--set", f"spark.master={cluster}", "--set", accounting.RETAIN_ALL)
    started = project("start", *there)
    assert started.exit_code == 0, started.stderr
    accounting.drain(project, broker, topic)
    (application,) = (tmp_path / "work").iterdir()
    assert list(application.iterdir()), "no executor of the cluster was started"
    stopped = project.json("stop")
    assert (stopped.exit_code, stopped.data["outcome"]) == (0, "stopped")
    audit = accounting.check(project, broker, topic, ledger)
    assert audit.wrong == []
    assert (audit.must.produced, audit.must.unread) == (1500, 0)
