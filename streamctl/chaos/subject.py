"""A job of an experiment's own: a project, a topic, and records that flow into it."""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from streamctl.audit.reads import Planned
from streamctl.chaos.account import Place, Sent, planned_batches
from streamctl.chaos.evidence import Found, Must
from streamctl.chaos.feed import Feed
from streamctl.chaos.operated import Operated, end_processes
from streamctl.chaos.proxy.line import Line
from streamctl.chaos.stage import Stage
from streamctl.errors import StreamctlError
from streamctl.kafka.client import Broker
from streamctl.observe.status import is_supervised
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.sources import PLAIN_NAMES

WINDOWS, LETTERS = QUERIES = ("windows", "dead_letters")
_JOB: dict[str, Any] = {
    "kafka.starting_offsets": "earliest",
    "kafka.max_offsets_per_trigger": 4000,
    "kafka.timeout_seconds": 5,
    # a client that hears nothing for some seconds asks anew, or the job finds out after minutes
    "kafka.options.request.timeout.ms": "5000",
    "kafka.options.default.api.timeout.ms": "10000",
    "stream.watermark": "2 minutes",
    "spark.master": "local[2]",
    "spark.shuffle_partitions": 2,
    "spark.driver_memory": "640m",
    "spark.options.spark.sql.streaming.minBatchesToRetain": "1000000",
    "supervise.attempts": 50,
    "supervise.initial_backoff_seconds": 0.5,
    "supervise.max_backoff_seconds": 2,
    "start.min_free_disk_bytes": 0,
    # a fault lasts for seconds, and what must be told has to be told in that time
    "observe.every_seconds": 2,
    "observe.stall_seconds": 10,
    "alerts.not_processing_seconds": 10,
    "alerts.time_lag_seconds": 0,  # its records bear times of long ago
    "alerts.lag_records": 5000,
    "alerts.average_seconds": 5,
    "alerts.settle_seconds": 5,
}


class Subject(Operated):
    """One job, its topic and what is sent to it.

    Attributes:
        gone: query -> records that Kafka deleted before it had read them.
        history: the committed batches, kept when another checkpoint comes to their place.
        sent, chapters, letters_from: of topics and generations before, see `chapters.py`.

    Args:
        directory: for its project and the evidence; new.
        stage: the broker and the proxy.
        job: settings over ours; flat keys.
        seed: of the records.
        partitions: of the topic.
    """

    def __init__(
        self,
        directory: Path,
        stage: Stage,
        *,
        job: Mapping[str, Any],
        seed: int,
        partitions: int = 2,
    ) -> None:
        project = directory / "project"
        super().__init__(
            directory,
            project=project,
            run=RunDirectory(project / ".streamctl" / "default"),
            places={kind: project / "data" / kind for kind in ("checkpoint", "output")},
            query=WINDOWS,
            environ=_without_settings(os.environ),
        )
        self.stage, self._partitions = stage, partitions
        self.topic = f"telemetry-{directory.name}"
        self.gone: dict[str, set[Place]] = {query: set() for query in QUERIES}
        self.history: dict[int, Planned] = {}
        self.sent: dict[Place, Sent] | None = None
        self.chapters: list[tuple[Must, Found]] = []
        self.letters_from: dict[int, int] = {}
        self.broker = stage.broker()
        self.feed = Feed(self.broker, self.topic, ledgers=directory / "ledgers", seed=seed)
        self.settings = {**_JOB, "kafka.topic": self.topic, **job}

    @property
    def line(self) -> Line:
        """The stage's proxy."""
        return self.stage.proxy

    def ask(self, *, timeout_seconds: float = 20.0) -> Broker:
        """Around the proxy."""
        return self.stage.broker(timeout_seconds=timeout_seconds)

    def prepare(self) -> None:
        """Make the topic and the project."""
        self.broker.create_topic(self.topic, partitions=self._partitions)
        self.project.mkdir(parents=True, exist_ok=True)
        self.set("kafka.bootstrap_servers", self.stage.servers)

    def set(self, key: str, value: Any) -> None:
        """Change a setting of the project; a job that runs keeps the old one."""
        self.settings[key] = value
        (self.project / "streamctl.toml").write_text(_toml(self.settings), "utf-8")

    def position(self, query: str = WINDOWS) -> dict[int, int]:
        """Next offset to read by partition, after the last committed batch."""
        committed = self.checkpoint(query).position().committed
        return dict((committed[0].kafka or {}).get(self.topic, {})) if committed else {}

    def drain(self, seconds: float) -> bool:
        """Wait until both queries have committed what the topic holds; whether they have.

        A job that has ended by itself reads no more: it is not waited for.
        """
        deadline = time.monotonic() + seconds
        while not self._is_drained():
            if time.monotonic() > deadline or not is_supervised(self.run):
                return False
            time.sleep(0.5)
        return True

    def _is_drained(self) -> bool:
        with suppress(StreamctlError):
            ends = {p: high for p, (_, high) in self.broker.watermarks(self.topic).items()}
            return all(self.position(query) == ends for query in QUERIES)
        return False

    def true_lag(self) -> int:
        """Log ends minus the position.

        Raises:
            StreamctlError: either cannot be told.
        """
        position = self.position()
        with self.ask(timeout_seconds=2) as broker:
            marks = broker.watermarks(self.topic)
        return sum(high - max(low, position.get(p, 0)) for p, (low, high) in marks.items())

    def remember(self) -> None:
        """Keep the batches so far: what comes next may put another checkpoint in the place."""
        newest = max(self.history, default=-1)
        self.history |= planned_batches(self.checkpoint(), after=newest)

    def clean(self) -> None:
        """End whatever of the job is left, by process id."""
        self.feed.stop()
        end_processes(self.run)


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that set nothing of a job: the operator's would win over the project's own file."""
    return {
        name: value
        for name, value in environ.items()
        if name == "STREAMCTL_CACHE"
        or not (name in PLAIN_NAMES or name.startswith(("STREAMCTL_", "KAFKA")))
    }


def _toml(settings: Mapping[str, Any]) -> str:
    sections: dict[str, list[str]] = {}
    for key, value in settings.items():
        section, _, name = key.partition(".")
        if name.startswith("options."):
            section, name = f"{section}.options", name.removeprefix("options.")
        sections.setdefault(section, []).append(f"{json.dumps(name)} = {json.dumps(value)}")
    return "".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in sections.items())
