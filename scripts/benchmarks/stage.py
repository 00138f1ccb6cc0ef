"""What several benchmarks need: a scratch directory, a broker, a topic with records waiting."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from scripts.benchmarks.compare import tell
from streamctl.kafka.client import Broker
from streamctl.observe.status import is_supervised
from streamctl.rundir.records import Status
from streamctl.sandbox import lifecycle as sandbox
from tests.harness import Project

REPOSITORY = Path(__file__).parents[2]
STREAMCTL = [sys.executable, "-m", "streamctl"]
PARTITIONS = 2
BACKLOG = 300_000
"""More records than any side reads in one life: each always finds some waiting."""
BATCH_RECORDS = 1000
SPARK = {"master": "local[2]", "shuffle_partitions": 2, "driver_memory": "1g"}


class Stage:
    """Made on first use, gone at the end, also after Ctrl-C."""

    def __enter__(self) -> Self:
        self.scratch = Path(tempfile.mkdtemp(prefix="streamctl-bench-work-"))
        return self

    def __exit__(self, *_: object) -> None:
        sandbox.reset(directory=self.scratch / "kafka")
        shutil.rmtree(self.scratch, ignore_errors=True)

    @cached_property
    def servers(self) -> str:
        """Bootstrap servers of a broker of our own."""
        tell("a broker comes up")
        report = sandbox.up(directory=self.scratch / "kafka", timeout_seconds=180)
        if report.bootstrap_servers is None:
            raise RuntimeError(report.detail)
        return report.bootstrap_servers

    @cached_property
    def broker(self) -> Broker:
        return Broker(self.servers, timeout_seconds=20)

    @cached_property
    def topic(self) -> str:
        """What most sides read."""
        tell(f"{BACKLOG:,} records are produced")
        return self.fill("waiting", records=BACKLOG)

    def fill(self, topic: str, *, records: int) -> str:
        """Telemetry, a second of event time for every ten records, 5 % flawed, 5 % late."""
        self.broker.create_topic(topic, partitions=PARTITIONS)
        began = datetime.now(UTC) - timedelta(seconds=max(86_400, records / 10))
        run_ours(
            *("produce", "--bootstrap-servers", self.servers, "--topic", topic),
            *("--count", str(records), "--event-rate", "10", "--flaw", "all=0.05"),
            *("--late", "0.05", "--start-time", f"{began:%Y-%m-%dT%H:%M:%S}"),
            *("--ledger", str(self.scratch / f"{topic}.ledger")),
            directory=self.scratch,
        )
        return topic

    @contextmanager
    def place(self) -> Iterator[Path]:
        """An empty directory for one run."""
        path = Path(tempfile.mkdtemp(dir=self.scratch))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def project(self, **more: dict[str, Any]) -> Iterator[Project]:
        """A new project whose job reads the topic from its start; ended whatever happens."""
        with self.place() as path:
            kafka = {"bootstrap_servers": self.servers, "topic": self.topic}
            kafka |= {"starting_offsets": "earliest"}
            kafka |= {"max_offsets_per_trigger": BATCH_RECORDS}
            project = Project(path, {"kafka": kafka, "spark": SPARK} | more)
            try:
                yield project
            finally:
                _end(project)


def _end(project: Project) -> None:
    """A supervisor that is only just starting has to be waited for, or nobody would end it."""
    until = time.monotonic() + 20
    while is_supervised(project.run) and time.monotonic() < until:
        if project.run.read(Status) is not None:
            project("stop", "--now")
            break
        time.sleep(0.1)
    project.clean()


def run_ours(*arguments: str, directory: Path) -> Any:
    """Run a command of ours, and return the data of its JSON."""
    command = [*STREAMCTL, *arguments, "-o", "json"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)["data"]
