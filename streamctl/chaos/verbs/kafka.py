"""Faults of the broker and its topics."""

import time
from functools import partial
from typing import Any

from streamctl.chaos.chapters import remember_sent
from streamctl.chaos.experiment import Part
from streamctl.chaos.subject import QUERIES, Subject
from streamctl.chaos.verbs.job import is_frozen
from streamctl.chaos.verbs.turns import InTurns
from streamctl.chaos.verbs.verb import action
from streamctl.errors import BrokerUnreachable, DeadlinePassed, Refused
from streamctl.sandbox import lifecycle as sandbox


def stop(subject: Subject) -> None:
    """Stop the broker in order."""
    sandbox.down(directory=subject.stage.kafka)


def start(subject: Subject) -> None:
    """Start the broker, unless it runs."""
    subject.stage.start_broker()


def kill(subject: Subject) -> None:
    """End the broker with SIGKILL."""
    sandbox.kill(directory=subject.stage.kafka)


def pause(subject: Subject) -> None:
    """Freeze the broker with SIGSTOP: connections stay, and nobody answers."""
    sandbox.pause(directory=subject.stage.kafka)


def resume(subject: Subject, **_more: Any) -> None:
    """Let a frozen or slow broker go on as usual."""
    for thread in subject.background:
        if isinstance(thread, _Slowed):
            thread.stop()
    sandbox.resume(directory=subject.stage.kafka)


def slow(subject: Subject, share: float = 0.2) -> None:
    """Let the broker run only for a share of the time."""
    directory = subject.stage.kafka
    thread = _Slowed(
        partial(sandbox.pause, directory=directory),
        partial(sandbox.resume, directory=directory),
        share=share,
    )
    subject.background.append(thread)
    thread.start()


class _Slowed(InTurns):
    """The broker's turns."""


def restart(subject: Subject) -> None:
    """Stop the broker in order and start it again at once."""
    stop(subject)
    start(subject)


def move(subject: Subject) -> str:
    """Stop the broker, and bring it back at its other address: clients need both."""
    subject.stage.move()
    return subject.stage.servers


def two_addresses(subject: Subject) -> None:
    """Give the job, before its start, both addresses of the broker, the present one first."""
    subject.set("kafka.bootstrap_servers", ",".join(subject.stage.addresses))


def delete_topic(subject: Subject) -> None:
    """Delete the job's topic, which must have been read whole: use data.pause before.

    Raises:
        Refused: there are records that nobody has read.
    """
    if lag := subject.true_lag():
        raise Refused(f"{lag} records of the topic are unread", hint="Use data.pause before.")
    remember_sent(subject)
    subject.broker.delete_topic(subject.topic)


def make_topic(subject: Subject, partitions: int = 2) -> None:
    """Make the job's topic, unless it is there."""
    subject.broker.create_topic(subject.topic, partitions=partitions)


def add_partitions(subject: Subject, total: int = 4) -> None:
    """Give the job's topic more partitions."""
    from confluent_kafka.admin import NewPartitions

    broker = subject.broker
    futures = broker.admin().create_partitions([NewPartitions(subject.topic, total)])
    broker.result(futures[subject.topic], topic=subject.topic)
    deadline = time.monotonic() + broker.timeout_seconds
    while broker.topic(subject.topic).partitions < total:
        if time.monotonic() > deadline:
            raise BrokerUnreachable("the new partitions do not show")
        time.sleep(0.05)


def truncate(subject: Subject, share: float = 0.5) -> dict[str, int]:
    """Delete a share of what the job, stopped or frozen, has not read yet, as retention does.

    Raises:
        Refused: it runs, and nobody could say which of the records it has in its hands.
    """
    if any(not is_frozen(pid) for pid in subject.driver_processes()):
        raise Refused(
            "the job runs, and may have read what would be deleted",
            hint="Use job.stop, or data.pause and job.pause, before.",
        )
    positions = {query: subject.position(query) for query in QUERIES}
    before = {}
    for partition, (low, high) in subject.broker.watermarks(subject.topic).items():
        read = {query: max(low, at.get(partition, 0)) for query, at in positions.items()}
        first = max(read.values())
        before[partition] = first + int((high - first) * share)
        for query, at in read.items():
            lost = range(at, before[partition])
            subject.gone[query] |= {(partition, offset) for offset in lost}
    subject.broker.delete_records(subject.topic, before)
    return {str(partition): offset for partition, offset in before.items()}


def await_backlog(subject: Subject, records: int = 500, seconds: float = 60.0) -> int:
    """Wait until so many records are unread.

    Raises:
        DeadlinePassed: there are not, in time.
    """
    deadline = time.monotonic() + seconds
    while (lag := subject.true_lag()) < records:
        if time.monotonic() > deadline:
            raise DeadlinePassed(f"only {lag} records are unread after {seconds:g} s")
        time.sleep(0.2)
    return lag


VERBS = {
    "kafka.stop": action(stop, Part.FAULT, undo="kafka.start"),
    "kafka.start": action(start, Part.LIFT),
    "kafka.kill": action(kill, Part.FAULT, undo="kafka.start"),
    "kafka.pause": action(pause, Part.FAULT, undo="kafka.resume"),
    "kafka.resume": action(resume, Part.LIFT),
    "kafka.slow": action(slow, Part.FAULT, undo="kafka.resume"),
    "kafka.restart": action(restart, Part.FAULT, undo="kafka.start"),
    "kafka.move": action(move, Part.FAULT, undo="kafka.start"),
    "kafka.two_addresses": action(two_addresses, Part.ASIDE),
    "kafka.delete_topic": action(delete_topic, Part.FAULT, undo="kafka.make_topic"),
    "kafka.make_topic": action(make_topic, Part.LIFT),
    "kafka.add_partitions": action(add_partitions, Part.FAULT),
    "kafka.truncate": action(truncate, Part.FAULT),
    "kafka.await_backlog": action(await_backlog, Part.ASIDE),
}
