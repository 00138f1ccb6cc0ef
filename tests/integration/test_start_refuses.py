"""`start` with something wrong: one clear line, the right exit code, and nothing left behind."""

import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamctl.checkpoint.location import generations, lease
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.errors import ExitCode
from tests.harness import REPOSITORY

pytestmark = pytest.mark.integration


def refused(project, *arguments, code, message, **more):
    """Start, expect this answer, and see that nothing was started."""
    answer = project("start", *arguments, **more)
    assert (answer.exit_code, answer.stdout) == (code, "")
    errors = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in answer.stderr
    assert answer.stderr.splitlines()[-1] != errors[0], "no way out was told"
    assert not (project.run.path / "status.json").exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_unreachable_broker(project):
    servers = f"127.0.0.1:{free_port()}"
    refused(
        project,
        *("--bootstrap-servers", servers, "--set", "kafka.timeout_seconds=2"),
        code=ExitCode.UNREACHABLE,
        message=f"no answer from Kafka at {servers}",
    )


def test_missing_topic(project):
    refused(project, "--topic", "not-there", code=ExitCode.NOT_FOUND, message='"not-there"')


def test_missing_dead_letter_topic_when_it_may_not_be_made(project, topic):
    refused(
        project,
        *("--set", "kafka.create_dead_letter_topic=false"),
        code=ExitCode.NOT_FOUND,
        message=f'"{topic}.dlq"',
    )


def test_checkpoint_that_cannot_be_written(project):
    (project.directory / "file").write_text("")
    location = str(project.directory / "file" / "checkpoint")
    refused(project, "--checkpoint", location, code=ExitCode.FAILED, message=location)


def test_checkpoint_that_is_itself_a_checkpoint_of_spark(project):
    location = project.directory / "spark"
    (location / "offsets").mkdir(parents=True)
    refused(
        project, "--checkpoint", str(location), code=ExitCode.REFUSED, message="checkpoint of Spark"
    )
    assert [path.name for path in location.iterdir()] == ["offsets"]


def test_too_little_disk(project):
    refused(
        project,
        *("--set", f"start.min_free_disk_bytes={10**18}"),
        code=ExitCode.FAILED,
        message="MiB free",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_full_disk(project):
    place = project.directory / "full"
    place.mkdir()
    mount = shutil.which("mount")
    subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "none", str(place)], check=True)
    try:
        fill(place / "filler")
        refused(
            project,
            *("--checkpoint", str(place), "--set", "start.min_free_disk_bytes=0"),
            code=ExitCode.FAILED,
            message=str(place),
        )
        assert [path.name for path in place.iterdir() if path.is_file()] == ["filler"]
    finally:
        subprocess.run([shutil.which("umount"), str(place)], check=True)


def fill(path: Path) -> None:
    """Write until there is no space left."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while os.write(descriptor, bytes(4096)):
            pass
    os.close(descriptor)
    assert shutil.disk_usage(path.parent).free == 0


def other_job(project, topic) -> Store:
    store = Store.open(str(project.directory / "data" / "checkpoint"))
    generation = Generation(
        name="0001",
        created_at=datetime.now(UTC),
        job="theirs:Job",
        starting_offsets=json.dumps({topic: {"0": 0, "1": 0}}),
        why="first start",
    )
    generations.add(store, generation)
    return store


def test_checkpoint_of_another_job(project, topic):
    store = other_job(project, topic)
    refused(project, code=ExitCode.REFUSED, message='belongs to job "theirs:Job"')
    assert generations.current(store).job == "theirs:Job"


def test_topic_made_anew(project, topic, broker):
    store = Store.open(str(project.directory / "data" / "checkpoint"))
    generation = other_job(project, topic) and generations.current(store)
    topic_id = broker.topic(topic).topic_id
    mine = {"job": "jobs.telemetry:TelemetryJob", "topic_ids": {topic: topic_id[::-1]}}
    generations.add(store, Generation(**asdict(generation) | mine))
    refused(project, code=ExitCode.TOPIC_MADE_ANEW, message="was made anew")


def test_a_lease_held_on_another_host(project):
    store = Store.open(str(project.directory / "data" / "checkpoint"))
    held, _ = lease.acquire(store, owner="theirs", seconds=600, now=datetime.now(UTC))
    store.replace("_streamctl/lease.json", lease._bytes(replace(held, host="elsewhere")))
    refused(project, code=ExitCode.BUSY, message="run theirs")


def test_an_old_output_beside_a_checkpoint_that_was_deleted_by_hand(project):
    log = project.directory / "data" / "output" / "0001" / "windows" / "_spark_metadata"
    log.mkdir(parents=True)
    (log / "0").write_text("v1")
    refused(project, code=ExitCode.WOULD_NOT_START, message="the sink would skip those between")
    assert (log / "0").read_text() == "v1"
    problems = [
        check["name"] for check in project.json("doctor").data["checks"] if check["verdict"] != "ok"
    ]
    assert problems == ["output"]


@pytest.mark.skipif(os.geteuid() != 0, reason="hiding the machine's Java needs root")
@pytest.mark.parametrize(
    ("version", "message"), [("", "no Java 17 or 21"), ("11.0.2", "found was Java 11.0.2")]
)
def test_no_java_and_wrong_java(project, version, message):
    java = project.directory / "home" / "bin" / "java"
    if version:
        java.parent.mkdir(parents=True)
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        java.chmod(0o755)
    environ = {"JAVA_HOME": str(java.parent.parent), "HOME": str(project.directory)}
    refused(
        project,
        code=ExitCode.NOT_FOUND,
        message=message,
        environ=environ,
        prefix=("unshare", "--mount", "sh", "-c", HIDE_JAVA, "sh"),
    )


HIDE_JAVA = """
for place in /usr/lib/jvm /opt /usr/java; do
  [ -d $place ] && mount -t tmpfs none $place
done
PATH=/nowhere exec "$@"
"""


@pytest.mark.parametrize(
    ("entry", "text", "message"),
    [
        ("nothing_here:Job", None, "nothing_here"),
        ("mine:Job", "raise ValueError('at import')", "at import"),
        ("mine:Job", "def broken(:", "mine"),
        ("mine:Job", "Other = 1", "Job"),
        ("mine:Job", "class Job: pass", "is not a job"),
        ("mine", "class Job: pass", "module:attribute"),
    ],
)
def test_a_job_entry_that_is_none(project, entry, text, message):
    if text:
        (project.directory / "mine.py").write_text(text + "\n")
    refused(project, "--job", entry, code=ExitCode.NOT_FOUND, message=message)


def test_doctor_tells_all_at_once_and_changes_nothing(project, topic, broker):
    answer = project.json(
        "doctor", "--set", "kafka.topic=not-there", "--set", "kafka.timeout_seconds=5"
    )
    assert answer.exit_code == ExitCode.FOUND
    verdicts = {check["name"]: check["verdict"] for check in answer.data["checks"]}
    assert verdicts.pop("topic") == "problem"
    assert set(verdicts.values()) - {"ok"} <= {"problem"}
    assert not (project.directory / "data").exists()
    answer = project.json("doctor")
    assert answer.exit_code == ExitCode.DONE
    assert not (project.directory / "data").exists()
    assert broker.topic(topic).partitions == 2


def test_ctrl_c_during_the_checks_leaves_nothing(project):
    takes_interrupts = ("env", "--default-signal=INT")  # also under a shell that ignores them
    servers = f"127.0.0.1:{free_port()}"
    process = project.spawn("start", "--bootstrap-servers", servers, prefix=takes_interrupts)
    for line in process.stderr:
        if line.startswith("disk"):
            break
    process.send_signal(2)
    process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert not (project.run.path / "status.json").exists()
    assert project("status").exit_code == ExitCode.NOT_FOUND


def test_spark_without_a_connector(project, tmp_path):
    """Another version of pyspark is installed: nobody has published its connector."""
    fake = tmp_path / "site" / "pyspark"
    (fake / "jars").mkdir(parents=True)
    (fake / "__init__.py").write_text("")
    (fake / "version.py").write_text('__version__ = "4.9.9"\n')
    real = subprocess.run(
        [sys.executable, "-c", "from streamctl.jars import pyspark_directory as d; print(d())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    for jar in ("ivy", "scala-library"):
        for path in (Path(real) / "jars").glob(f"{jar}*"):
            (fake / "jars" / path.name).symlink_to(path)
    refused(
        project,
        code=ExitCode.UNSUPPORTED,
        message="4.9.9",
        environ={
            "PYTHONPATH": f"{tmp_path / 'site'}:{REPOSITORY}",
            "STREAMCTL_CACHE": str(tmp_path / "cache"),
        },
    )
