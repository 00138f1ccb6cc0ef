"""What must be so before a driver is spawned.

`start` ends at the first check that fails; `doctor` looks at all and changes nothing.
A check returns what it saw in one line, or raises the error that tells the way out.
"""

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streamctl.checkpoint.location import generations, lease
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.errors import Busy, JobNotFound, Refused, StreamctlError, TopicNotFound
from streamctl.jars import connector_jars, spark_version
from streamctl.java import find_java
from streamctl.kafka.client import Broker
from streamctl.lifecycle import outputs
from streamctl.reports import Check, OnEvent, Verdict, worst
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from streamctl.supervisor import prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked.

    Attributes:
        run: the job's run directory.
        project: working directory of the driver.
        may_change: whether a missing dead letter topic is made, and directories are.
    """

    settings: Settings
    run: RunDirectory
    on_event: OnEvent
    project: Path
    may_change: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """All checks."""

    checks: list[Check]

    @property
    def verdict(self) -> Verdict:
        """The worst of them."""
        return worst(check.verdict for check in self.checks)


def checks() -> dict[str, Callable[[Subject], str]]:
    """The checks by name, cheap ones and those that others stand on first."""
    return {
        "settings": _settings,
        "java": _java,
        "jars": _jars,
        "job": _job,
        "lease": _lease,
        "checkpoint": _checkpoint,
        "output": _output,
        "disk": _disk,
        "broker": _broker,
        "topic": _topic,
        "dead letters": _dead_letters,
    }


def run_until_failure(subject: Subject) -> Iterator[Check]:
    """Run the checks in order.

    Raises:
        StreamctlError: of the first check that fails.
    """
    for name, check in checks().items():
        yield Check(name=name, verdict=Verdict.OK, detail=check(subject))


def run_all(subject: Subject) -> DoctorReport:
    """Run every check; a failed one becomes a problem with its hint."""
    return DoctorReport(checks=[_run(name, check, subject) for name, check in checks().items()])


def _run(name: str, check: Callable[[Subject], str], subject: Subject) -> Check:
    try:
        return Check(name=name, verdict=Verdict.OK, detail=check(subject))
    except StreamctlError as error:
        return Check(name=name, verdict=Verdict.PROBLEM, detail=error.message, hint=error.hint)


def _settings(subject: Subject) -> str:
    return f"valid; job {subject.settings.job.entry} on {subject.settings.spark.master}"


def _java(subject: Subject) -> str:
    del subject
    java = find_java()
    return f"{java.version} in {java.home}"


def _jars(subject: Subject) -> str:
    jars = connector_jars(java=find_java(), on_event=subject.on_event)
    return f"{len(jars)} of the Kafka connector for Spark {spark_version()}"


def _job(subject: Subject) -> str:
    """Import the job in a child: the CLI knows no pyspark, and user code may do anything."""
    entry = subject.settings.job.entry
    command = [sys.executable, "-m", "jobs", "--check", entry]
    command += ["--options", json.dumps(subject.settings.job.options)]
    child = subprocess.run(
        command, cwd=subject.project, capture_output=True, text=True, timeout=60, check=False
    )
    try:
        answer = json.loads(child.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise JobNotFound(
            f'job "{entry}" ended the process that looked at it',
            hint=f"It said: {child.stderr.strip()[-300:] or 'nothing'}.",
        ) from None
    if not answer["ok"]:
        raise JobNotFound(answer["message"], hint=answer["hint"])
    return f"{entry} is job {answer['name']}"


def _lease(subject: Subject) -> str:
    store = Store.open(subject.settings.checkpoint.location)
    named = subject.settings.checkpoint.generation
    held = lease.holder(store, now=datetime.now(UTC), generation=named)
    if held:
        raise Busy(
            f"the checkpoint is in use by {held.describe()}",
            hint="Stop that run where it was started, or give this job another checkpoint.",
        )
    return "free"


def _checkpoint(subject: Subject) -> str:
    """Readable, writable, and not itself a Spark checkpoint."""
    store = Store.open(subject.settings.checkpoint.location)
    if {"offsets", "commits"} & set(store.names("")):
        raise Refused(
            f'"{store.url}" is itself a checkpoint of Spark',
            hint="checkpoint.location holds generations with a checkpoint per query: "
            "give a directory of its own.",
        )
    for place in (store, Store.open(subject.settings.output.location)):
        if subject.may_change or not place.is_local or Path(place.path).exists():
            _probe(place)
    generation = _generation(subject, store)
    if generation is None:
        return f"{store.url}: new, writable"
    prepare.require_job(generation, subject.settings)
    return f"{store.url}: generation {generation.name}, writable"


def _output(subject: Subject) -> str:
    """Of one moment with the checkpoint, or the sink would skip batches."""
    store = Store.open(subject.settings.checkpoint.location)
    generation = _generation(subject, store)
    named = generation.name if generation else generations.next_name(store)
    place = generation.output_location if generation else ""
    return outputs.require_fit(
        store, place or subject.settings.output.location, generation=named, run=subject.run
    )


def _generation(subject: Subject, store: Store) -> Generation | None:
    """The one to run in; None before the first start."""
    named = subject.settings.checkpoint.generation
    return generations.read(store, named) if named else generations.current(store)


def _probe(store: Store) -> None:
    name = f"_streamctl/probe-{uuid.uuid4().hex}"
    store.replace(name, bytes(4096))  # an empty file fits on a full disk
    store.remove(name)


def _disk(subject: Subject) -> str:
    seen = []
    least = subject.settings.start.min_free_disk_bytes
    for location in (subject.settings.checkpoint.location, subject.settings.output.location):
        store = Store.open(location)
        if not store.is_local:
            continue
        free = shutil.disk_usage(_existing(Path(store.path))).free
        if free < least:
            raise StorageFailed(
                f'"{store.path}" has {free >> 20:,} MiB free, and {least >> 20:,} MiB is the least',
                hint="Free some space, or lower start.min_free_disk_bytes.",
            )
        seen.append(free)
    return f"{min(seen) >> 20:,} MiB free" if seen else "not on a local disk"


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    return next(place for place in (path, *path.parents) if place.exists())


def _broker(subject: Subject) -> str:
    with Broker.of(subject.settings.kafka) as kafka:
        count = kafka.ping()
    return f"{subject.settings.kafka.bootstrap_servers}: {count} broker{'s'[: count != 1]}"


def _topic(subject: Subject) -> str:
    with Broker.of(subject.settings.kafka) as kafka:
        topics = [kafka.topic(name) for name in subject.settings.kafka.topics]
    generation = _generation(subject, Store.open(subject.settings.checkpoint.location))
    if generation:
        prepare.require_topics(generation, {topic.name: topic.topic_id for topic in topics})
    return ", ".join(
        f"{topic.name} with {topic.partitions} partition{'s'[: topic.partitions != 1]}"
        for topic in topics
    )


def _dead_letters(subject: Subject) -> str:
    """The dead letter topic exists, or is made, as Kafka Connect makes its own."""
    name = subject.settings.kafka.dead_letters
    with Broker.of(subject.settings.kafka) as kafka:
        try:
            kafka.topic(name)
        except TopicNotFound:
            if not subject.settings.kafka.create_dead_letter_topic:
                raise
            if not subject.may_change:
                return f"{name} is missing and will be made at start"
            _create_like(kafka, name, like=subject.settings.kafka.topics[0])
            return f"{name} was made"
    return name


def _create_like(kafka: Broker, name: str, *, like: str) -> None:
    model = kafka.topic(like)
    kafka.create_topic(name, partitions=model.partitions)
