"""`streamctl lag` against Kafka's own `kafka-consumer-groups --describe`, whole processes.

Spark commits no group, so Kafka's tool can only be asked after `lag publish`; both then tell the
same numbers of the same partitions, which is checked. Ours also reads the oldest unread record of
every partition, the history and the settings of the topic; `--no-ages` leaves the records out.
"""

import json
import subprocess
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from scripts.benchmarks.compare import Figure, Goal, Result, alternate, tell
from scripts.benchmarks.stage import STREAMCTL, Stage
from streamctl.kafka.client import Broker
from streamctl.sandbox import lifecycle as sandbox
from tests import kafka_tools
from tests.harness import until
from tests.written import Written

PARTITIONS = (1_000, 10_000)
GOAL = 1 / 8
_AT_ONCE = 5_000
"""KRaft refuses to make more partitions in one request."""
_RECORDS_EACH = 4
_READ_EACH = 1


def run(stage: Stage, runs: int) -> Result:
    """A topic of each width on a broker of its own."""
    directory = stage.scratch / "wide"
    small = {"log.index.size.max.bytes": "4096"}
    report = sandbox.up(directory=directory, timeout_seconds=180, heap_mb=1024, overrides=small)
    try:
        broker = Broker(str(report.bootstrap_servers), timeout_seconds=120)
        figures: list[Figure] = []
        goals: list[Goal] = []
        for count in PARTITIONS:
            checkpoint = _prepare(broker, stage.scratch / f"wide-{count}", f"wide-{count}", count)
            names = [f"{side}, {count:,} partitions" for side in ("lag", "lag --no-ages", "Kafka")]
            figures += _measure(broker, checkpoint, names, count, runs)
            goals += [Goal(ours=name, other=names[2], bound=GOAL) for name in names[:2]]
        return Result(name="lag: whole process", figures=figures, goals=goals)
    finally:
        sandbox.reset(directory=directory)


def _prepare(broker: Broker, path: Path, topic: str, count: int) -> Path:
    """A topic with records everywhere, a checkpoint that has read some, a group that says so."""
    from confluent_kafka.admin import NewPartitions

    tell(f"a topic of {count:,} partitions is made")
    broker.create_topic(topic, partitions=min(count, _AT_ONCE))
    if count > _AT_ONCE:
        futures = broker.admin().create_partitions([NewPartitions(topic, count)])
        broker.result(futures[topic], topic=topic)
    until(lambda: len(broker.watermarks(topic)) == count, seconds=300)
    producer = broker.producer({"linger.ms": 100, "queue.buffering.max.messages": 10**6})
    for number in range(_RECORDS_EACH * count):
        producer.produce(topic, value=b"x" * 200, partition=number % count)
    producer.flush()
    checkpoint = Written(path / "checkpoint")
    for read in range(_READ_EACH + 1):
        checkpoint.commit({topic: dict.fromkeys(range(count), read)}, at=datetime.now(UTC))
    _run([*STREAMCTL, "lag", "publish", "--group", topic, *_flags(broker, checkpoint.path)])
    return checkpoint.path


def _measure(
    broker: Broker, checkpoint: Path, names: list[str], count: int, runs: int
) -> list[Figure]:
    topic = f"wide-{count}"
    ours = [*STREAMCTL, "lag", "-o", "json", *_flags(broker, checkpoint)]
    theirs = kafka_tools.describe_group(broker.servers, topic)
    sides = {
        names[0]: partial(_timed, names[0], ours),
        names[1]: partial(_timed, names[1], [*ours, "--no-ages"]),
        names[2]: partial(_timed, names[2], theirs),
    }
    figures = alternate(sides, runs)
    told = kafka_tools.described(_run(theirs), topic)
    partitions = json.loads(_run(ours))["data"]["queries"][0]["partitions"]
    same = {
        (part["topic"], part["partition"]): (
            part["committed"],
            part["log_end"],
            part["lag_records"],
        )
        for part in partitions
    }
    if told != same or len(told) != count:
        raise RuntimeError(f"the two sides tell different numbers of {count} partitions")
    return figures


def _timed(name: str, command: list[str]) -> dict[str, float]:
    began = time.perf_counter()
    _run(command)
    return {name: time.perf_counter() - began}


def _run(command: list[str]) -> str:
    """Exit code 3 is an answer: there is lag, and nobody reads."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 3}:
        raise RuntimeError(f"{' '.join(command)[-300:]}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _flags(broker: Broker, checkpoint: Path) -> list[str]:
    more = ["--set", "kafka.timeout_seconds=60"]
    return ["--checkpoint", str(checkpoint), "--bootstrap-servers", broker.servers, *more]
