"""Accounts for every record that a project's job was sent, as experiments do for theirs.

It needs every entry of the offset log: run the job with `RETAIN_ALL`.
"""

from dataclasses import dataclass
from pathlib import Path

from streamctl.chaos import account
from streamctl.chaos.counts import Counts, counts, examples
from streamctl.chaos.evidence import Found, Must
from streamctl.kafka.client import Broker
from tests.harness import Project, until

RETAIN_ALL = "spark.options.spark.sql.streaming.minBatchesToRetain=1000000"


@dataclass(frozen=True)
class Audit:
    """What must have become of every record, and what did."""

    must: Must
    found: Found

    @property
    def counts(self) -> Counts:
        return counts(self.must, self.found)

    @property
    def wrong(self) -> list[str]:
        """Every difference, one line each; empty when all is accounted for."""
        wrong = list(examples(self.must, self.found))
        if twice := self.counts.windows_twice:
            wrong.append(f"{twice} windows are there twice")
        return wrong


def check(project: Project, broker: Broker, topic: str, ledger: Path) -> Audit:
    """Produced = in windows + still in state + dead letters + late, each by name."""
    windows = project.checkpoints()["windows"]
    sent = account.sent_records([ledger], {}, broker, topic)
    return Audit(
        must=account.must_be(sent, account.planned_batches(windows, after=-1), topic),
        found=Found(
            rows=account.output_rows(project.directory / "data/output/0001/windows"),
            state=account.state_rows(windows.location),
            letters=account.dead_letters(broker, f"{topic}.dlq", {}),
            late=None,
        ),
    )


def is_drained(project: Project, broker: Broker, topic: str, generation: str = "0001") -> bool:
    """Whether both queries have committed what the topic holds."""
    ends = {partition: high for partition, (_, high) in broker.watermarks(topic).items()}
    committed = [c.position().committed for c in project.checkpoints(generation).values()]
    return len(committed) == 2 and all(at and at[0].kafka == {topic: ends} for at in committed)


def drain(project: Project, broker: Broker, topic: str, generation: str = "0001") -> None:
    """Wait until they have; the checkpoints are read so often only as the job can spare."""
    until(lambda: is_drained(project, broker, topic, generation), every=0.5)


def windows_of(data: Path, generation: str) -> dict[tuple[str, int], int]:
    """Device and start of the window in ms -> records, of output and state together.

    Args:
        data: that holds `checkpoint/` and `output/`.
        generation: of it.
    """
    rows = account.output_rows(data / "output" / generation / "windows")
    rows += account.state_rows(str(data / "checkpoint" / generation / "windows"))
    windows = {(device, start): count for device, start, count in rows}
    assert len(windows) == len(rows), "a window is there twice"
    return windows
