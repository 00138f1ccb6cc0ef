"""Where a query stands, and where it stood: from the logs of its checkpoint.

Follows Spark's `OffsetSeqLog` and `CommitLog`: `offsets/N` holds the end of batch N, written when
it is planned; `commits/N` is written when it is done.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets, OffsetsEntry
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.reader import Checkpoint, again


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One committed batch.

    Attributes:
        planned_at: by the offset log.
        committed_at: by the time of the commit's file; where the store keeps none, `planned_at`.
        ends: next offsets to read after it.
    """

    batch_id: int
    planned_at: datetime
    committed_at: datetime
    ends: KafkaOffsets


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Where a query stands.

    Attributes:
        steps: the last committed batches, oldest first; empty before the first.
        planned: end of the batch in flight; None when there is none.
        planned_batch_id: newest entry of the offset log.
        planned_at: when that was planned.
    """

    steps: tuple[Step, ...]
    planned: KafkaOffsets | None
    planned_batch_id: int | None
    planned_at: datetime | None

    @property
    def committed(self) -> KafkaOffsets:
        """Next offsets to read after the last committed batch."""
        return self.steps[-1].ends if self.steps else {}


def read_positions(checkpoint: Checkpoint, *, batches: int) -> Positions:
    """Read the last batches: two listings and one read a batch.

    Raises:
        Malformed, Unsupported: an entry cannot be read.
        StreamctlError: storage fails, or files kept vanishing.
    """
    return again(lambda: _read(checkpoint, batches))


def _read(checkpoint: Checkpoint, batches: int) -> Positions:
    commits = {
        int(entry.name): entry
        for entry in _entries(checkpoint, layout.COMMITS)
        if entry.name.isdigit()
    }
    planned = sorted(
        int(entry.name) for entry in _entries(checkpoint, layout.OFFSETS) if entry.name.isdigit()
    )
    done = [batch for batch in planned if batch in commits][-batches:]
    steps = []
    for batch in done:
        entry = checkpoint.offsets(batch)
        at = _moment(entry)
        modified = commits[batch].modified_seconds
        steps.append(
            Step(
                batch_id=batch,
                planned_at=at,
                committed_at=at if modified is None else datetime.fromtimestamp(modified, UTC),
                ends=log.kafka_ends(entry),
            )
        )
    newest = checkpoint.offsets(planned[-1]) if planned else None
    in_flight = bool(planned) and planned[-1] not in commits
    return Positions(
        steps=tuple(steps),
        planned=log.kafka_ends(newest) if newest and in_flight else None,
        planned_batch_id=planned[-1] if planned else None,
        planned_at=_moment(newest) if newest else None,
    )


def _entries(checkpoint: Checkpoint, folder: str) -> list:  # type: ignore[type-arg]
    try:
        return list(checkpoint.files.entries(folder))
    except FileNotFoundError:
        return []


def _moment(entry: OffsetsEntry) -> datetime:
    return datetime.fromtimestamp(entry.timestamp_ms / 1000, UTC)
