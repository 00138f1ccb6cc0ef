"""The last batches of each query, as the driver told them in `progress.jsonl`.

Follows the file over its rotation. Used by the supervisor, which goes on for days, and by commands
that look once; both begin near the end of the file.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from streamctl.rundir.files import read_line

TAIL_BYTES = 1024 * 1024
KEEP_BATCHES = 600
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One finished micro-batch.

    Attributes:
        at: when the driver told it, just after its commit.
        phases_seconds: Spark's `durationMs`, by phase; `triggerExecution` is the whole.
        output_rows: None when the sink does not tell.
        late_rows: None when not known.
        rejected: reason -> records; a record with two reasons counts in both.
        dead_letters: records that were rejected.
        state_rows, state_bytes: by operator, numbered as in the plan.
        repaired_snapshots: damaged ones of the state that Spark went around in this batch.
        heap_bytes, heap_max_bytes: of the driver's JVM; None when not told.
    """

    at: datetime
    batch_id: int
    generation: str
    phases_seconds: dict[str, float]
    input_rows: int
    output_rows: int | None
    late_rows: int | None
    rejected: dict[str, int]
    dead_letters: int
    watermark: datetime | None
    state_rows: dict[str, int]
    state_bytes: dict[str, int]
    repaired_snapshots: int
    totals: dict[str, Any]
    heap_bytes: int | None
    heap_max_bytes: int | None

    @property
    def seconds(self) -> float:
        """How long it took, planning and commit included."""
        return self.phases_seconds.get("triggerExecution", 0.0)


@dataclass(slots=True)
class Story:
    """What is known of one query.

    Attributes:
        batches: the last ones of this generation, oldest first.
        active_at: when it last finished a batch, or found nothing to read.
        repaired: those batches, and older ones, in which Spark went around damaged state.
        idle: whether the last thing that it told was that there is nothing to read.
        ended: whether it ended by itself, as one that is triggered once does.
        trigger: its own; empty for that of the settings.
    """

    batches: deque[Batch] = field(default_factory=lambda: deque(maxlen=KEEP_BATCHES))
    repaired: deque[Batch] = field(default_factory=lambda: deque(maxlen=KEEP_BATCHES))
    active_at: datetime | None = None
    idle: bool = False
    ended: bool = False
    trigger: str = ""

    @property
    def last(self) -> Batch | None:
        """The newest batch."""
        return self.batches[-1] if self.batches else None

    def since(self, moment: datetime) -> list[Batch]:
        """The batches finished after a moment."""
        return [batch for batch in self.batches if batch.at > moment]

    def last_minute(self, now: datetime) -> list[Batch]:
        """The batches of the last minute."""
        return self.since(now - _MINUTE)


class Batches:
    """Follows the file.

    Args:
        path: `progress.jsonl`.

    Attributes:
        stories: query -> what is known, of the newest attempt's queries and of those before.
        attempt_began: when the driver last said that it starts its queries.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode: int | None = None
        self._offset = 0
        self.stories: dict[str, Story] = {}
        self.attempt_began: datetime | None = None

    def read(self) -> None:
        """Take in what was added since the last look; a line that is being written waits."""
        try:
            with self._path.open("rb") as file:
                self._find_place(self._path.stat().st_ino, self._path.stat().st_size)
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._offset += len(line)
                    if (found := read_line(line)) is not None:
                        self._take(found)
        except FileNotFoundError:
            return

    def _find_place(self, inode: int, size: int) -> None:
        if self._inode is None:
            self._offset = max(0, size - TAIL_BYTES)
        elif inode != self._inode or size < self._offset:
            self._offset = 0
        self._inode = inode

    def _take(self, line: dict[str, Any]) -> None:
        at = datetime.fromisoformat(line["at"])
        if line["kind"] == "launched":
            self.attempt_began = at
            known = self.stories
            self.stories = {name: known.get(name, Story()) for name in line["queries"]}
            for query, story in self.stories.items():
                story.ended, story.trigger = False, line.get("triggers", {}).get(query, "")
            return
        if not (name := line.get("query")):
            return
        story = self.stories.setdefault(name, Story())
        if line["kind"] == "idle":
            story.active_at, story.idle = at, True
        elif line["kind"] == "terminated":
            story.ended = line.get("error") is None
        elif line["kind"] == "progress":
            story.active_at, story.idle = at, False
            if story.last and story.last.generation != line["generation"]:
                story.batches.clear()
                story.repaired.clear()
            story.batches.append(batch := _batch(at, line))
            if batch.repaired_snapshots:
                story.repaired.append(batch)


def _batch(at: datetime, line: dict[str, Any]) -> Batch:
    jvm, watermark = line.get("jvm") or {}, line["watermark"]
    names = [f"{n}:{operator['operator']}" for n, operator in enumerate(line["state"])]
    return Batch(
        at=at,
        batch_id=line["batch_id"],
        generation=line["generation"],
        phases_seconds={name: ms / 1000 for name, ms in line["duration_ms"].items()},
        input_rows=line["input_rows"],
        output_rows=line["output_rows"],
        late_rows=line["late_rows"],
        rejected={reason: reject["count"] for reason, reject in line["rejected"].items()},
        dead_letters=line.get("dead_letters", 0),
        watermark=datetime.fromisoformat(watermark) if watermark else None,
        state_rows=dict(zip(names, (x["rows"] or 0 for x in line["state"]), strict=True)),
        state_bytes=dict(zip(names, (x["memory_bytes"] or 0 for x in line["state"]), strict=True)),
        repaired_snapshots=sum(x.get("snapshots_repaired") or 0 for x in line["state"]),
        totals=line["totals"],
        heap_bytes=jvm.get("heap_bytes"),
        heap_max_bytes=jvm.get("heap_max_bytes"),
    )
