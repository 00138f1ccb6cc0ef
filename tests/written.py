"""Checkpoints of a Kafka query as Spark writes their logs, made without Spark."""

import json
import os
from datetime import datetime
from pathlib import Path


class Written:
    """The logs of one query, batch by batch.

    Args:
        path: of the checkpoint; made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.next = 0
        for folder in ("offsets", "commits"):
            (path / folder).mkdir(parents=True)
        (path / "metadata").write_text('{"id":"0d5b1a5e-6a0b-4b2f-9a4e-0f0f0f0f0f0f"}')

    def plan(self, offsets: dict[str, dict[int, int]], *, at: datetime) -> int:
        """Write the entry of a planned batch; return its id."""
        batch, self.next = self.next, self.next + 1
        planned_ms = round(at.timestamp() * 1000)
        metadata = {"batchWatermarkMs": 0, "batchTimestampMs": planned_ms, "conf": {}}
        text = {topic: {str(p): o for p, o in held.items()} for topic, held in offsets.items()}
        lines = ("v1", json.dumps(metadata), json.dumps(text))
        (self.path / "offsets" / str(batch)).write_text("\n".join(lines))
        return batch

    def commit(
        self,
        offsets: dict[str, dict[int, int]],
        *,
        at: datetime,
        planned_at: datetime | None = None,
    ) -> int:
        """Plan and commit a batch; return its id."""
        batch = self.plan(offsets, at=planned_at or at)
        done = self.path / "commits" / str(batch)
        done.write_text('v1\n{"nextBatchWatermarkMs":0}')
        os.utime(done, (at.timestamp(), at.timestamp()))
        return batch
