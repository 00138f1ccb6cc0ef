"""Records a second into one topic of one broker: ours, Kafka's own tool, and khaos.

All send the same number of bytes a record with the same client settings, one process each, and
each figure is what the tool says itself of its sending, checked against the topic's offsets.
"""

import re
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from scripts.benchmarks.compare import Goal, Result, alternate, tell
from scripts.benchmarks.stage import PARTITIONS, REPOSITORY, Stage, run_ours
from streamctl.jars import cache_directory
from streamctl.produce.mix import Mix
from streamctl.produce.run import wall_clock
from streamctl.produce.telemetry import Telemetry
from tests import kafka_tools

RECORDS = 1_000_000
KHAOS_SECONDS = 10
KHAOS = "khaos-cli==0.7.1"
ACKS, LINGER_MS, BATCH_BYTES, COMPRESSION = "1", 20, 1_000_000, "lz4"
OURS, PERF, THEIRS = "streamctl produce", "kafka-producer-perf-test", "khaos simulate"

NOTES = [
    f"All: acks={ACKS}, linger.ms={LINGER_MS}, batch.size={BATCH_BYTES}, {COMPRESSION}.",
    f"{PERF} sends our valid records again and again, without key and headers.",
    "Ours makes each anew, with key and headers, 10 % flawed, 5 % late, and writes its ledger.",
    f"{KHAOS} sends its simplest JSON for {KHAOS_SECONDS} s, its rate set far out of reach.",
]


def run(stage: Stage, runs: int) -> Result:
    """Ours writes its ledger and mixes in flaws and late records; the others do not."""
    payloads = [value for value in _telemetry(20_000) if b"\n" not in value]
    size = round(sum(map(len, payloads)) / len(payloads))
    lines = stage.scratch / "payloads"
    lines.write_bytes(b"\n".join(payloads))
    khaos()
    sides = {
        OURS: partial(ours, stage),
        PERF: partial(perf_test, stage, lines),
        THEIRS: partial(theirs, stage, size),
    }
    return Result(
        name=f"produce: records of {size} bytes",
        figures=alternate(sides, runs, unit="/s", more_is_better=True),
        goals=[
            Goal(ours=OURS, bound=50_000, at_most=False),
            Goal(ours=OURS, other=PERF, bound=0.8, at_most=False),
            Goal(ours=OURS, other=THEIRS, bound=10, at_most=False),
        ],
        notes=NOTES,
    )


def ours(stage: Stage) -> dict[str, float]:
    """As an operator would for a load test."""
    with _topic(stage, RECORDS) as topic, stage.place() as place:
        data = run_ours(
            *("produce", "--bootstrap-servers", stage.servers, "--topic", topic),
            *("--count", str(RECORDS), "--flaw", "all=0.1", "--late", "0.05"),
            *("--ledger", str(place / "ledger"), "--acks", ACKS, "--linger-ms", str(LINGER_MS)),
            *("--batch-bytes", str(BATCH_BYTES), "--compression", COMPRESSION),
            directory=place,
        )
        return {OURS: data["records_per_second"]}


def perf_test(stage: Stage, payloads: Path) -> dict[str, float]:
    """The tool behind `kafka-producer-perf-test.sh`, with the heap and collector of that script."""
    with _topic(stage, RECORDS) as topic:
        command = kafka_tools.command("ProducerPerformance", "--topic", topic)
        command += ["--bootstrap-server", stage.servers, "--num-records", str(RECORDS)]
        command += ["--throughput", "-1", "--payload-file", str(payloads), "--command-property"]
        command += [f"acks={ACKS}", f"linger.ms={LINGER_MS}", f"batch.size={BATCH_BYTES}"]
        command += [f"compression.type={COMPRESSION}"]
        said = _output(command)
        rates = re.findall(rf"^{RECORDS} records sent, ([\d.]+) records/sec", said, re.MULTILINE)
        return {PERF: float(rates[-1])}


def theirs(stage: Stage, size: int) -> dict[str, float]:
    """Four producers without a limit in its one process: one alone gets less far."""
    with _topic(stage) as topic, stage.place() as place:
        scenario = place / "scenario.yaml"
        scenario.write_text(SCENARIO.format(topic=topic, partitions=PARTITIONS, size=size))
        command = [str(khaos()), "simulate", str(scenario), "-b", stage.servers]
        command += ["-d", str(KHAOS_SECONDS), "--skip-topic-creation", "--no-consumers"]
        said = _output(command)
        sent, seconds = (
            float(re.findall(rf"{name}: ([\d.,]+)", said)[-1].replace(",", ""))
            for name in ("Messages produced", "Duration")
        )
        return {THEIRS: sent / seconds}


SCENARIO = f"""
name: at-will
description: producers without a limit
topics:
  - name: {{topic}}
    partitions: {{partitions}}
    replication_factor: 1
    num_producers: 4
    producer_rate: 1000000000
    message_schema: {{{{min_size_bytes: {{size}}, max_size_bytes: {{size}}}}}}
    producer_config:
      acks: "{ACKS}"
      linger_ms: {LINGER_MS}
      batch_size: {BATCH_BYTES}
      compression_type: {COMPRESSION}
"""


@cache
def khaos() -> Path:
    """Its program, in an environment of its own in the cache."""
    place = cache_directory() / "bench" / KHAOS.replace("==", "-")
    program = place / "bin" / "khaos"
    if not program.exists():
        tell(f"installing {KHAOS}")
        uv = str(REPOSITORY / ".venv" / "bin" / "uv")
        _output([uv, "venv", "--clear", "--quiet", str(place)])
        _output([uv, "pip", "install", "--quiet", "--python", str(place / "bin/python"), KHAOS])
    return program


def _telemetry(count: int) -> list[bytes]:
    return Telemetry(Mix(), clock=wall_clock).batch(count).values


@contextmanager
def _topic(stage: Stage, expected: int | None = None) -> Iterator[str]:
    """A new topic; afterwards it must hold what was sent, and goes, for the disk's sake."""
    name = f"load-{uuid.uuid4().hex[:8]}"
    stage.broker.create_topic(name, partitions=PARTITIONS)
    try:
        yield name
        held = sum(high for _, high in stage.broker.watermarks(name).values())
        if not held or (expected is not None and held != expected):
            raise RuntimeError(f"the topic holds {held:,} records, not {expected}")
    finally:
        stage.broker.delete_topic(name)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout
