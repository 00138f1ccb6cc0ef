"""What a reprocessing will do, before it does it. Deciding here, doing in `run`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamctl.errors import Refused
from streamctl.reports import Verdict
from streamctl.reprocess.request import Range, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Records a second that one query was measured to process, and where."""

    records_per_second: float
    measured: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A reprocessing as it would run.

    Attributes:
        generation: in which it runs; the one to resume, when there is one.
        resumes: whether that was begun before.
        bounded: whether records after the range are left out; else it ends soon after them.
        records: in all ranges, at most.
        gone: records asked for that Kafka no longer has; None when they cannot be counted.
        estimated_bytes: from a sample of records; None without one.
        expected_seconds: None when nothing like it was ever measured.
        expected_from: what the expectation is based on.
        touches: what is written, and what happens downstream.
    """

    verdict: Verdict
    generation: str
    resumes: bool
    request: Request
    ranges: list[Range]
    bounded: bool
    records: int
    gone: int | None
    estimated_bytes: int | None
    expected_seconds: float | None
    expected_from: str
    output: str
    max_offsets_per_trigger: int
    trigger: str
    touches: list[str] = field(default_factory=list)

    def offsets(self, *, end: bool) -> str:
        """Starting or ending offsets as Spark's Kafka source writes them."""
        found: dict[str, dict[str, int]] = {}
        for part in self.ranges:
            at = part.end if end else part.start
            found.setdefault(part.topic, {})[str(part.partition)] = at
        return json.dumps(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast it may go.

    Attributes:
        max_offsets_per_trigger: records in one micro-batch.
        trigger: `0 seconds` for batch after batch.
    """

    max_offsets_per_trigger: int
    trigger: str = "0 seconds"


def pace(max_rate: int | None, *, batch_records: int) -> Pace:
    """Batches of the largest size that keep to a rate, one a second where they are small.

    Args:
        max_rate: records a second; None for as fast as it can.
        batch_records: the largest batch.
    """
    if max_rate is None:
        return Pace(max_offsets_per_trigger=batch_records)
    seconds = max(1, min(10, batch_records // max_rate))
    return Pace(
        max_offsets_per_trigger=min(batch_records, max_rate * seconds),
        trigger=f"{seconds} seconds",
    )


def gone_in(ranges: Sequence[Range]) -> int | None:
    """Records that were asked for and are no longer there; None when they cannot be counted."""
    counts = [part.gone for part in ranges]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def require_whole(ranges: Sequence[Range], *, allow_gone: bool) -> None:
    """Guard against a range that Kafka no longer has whole.

    Raises:
        Refused: records of the range are gone, and that was not allowed.
    """
    lost = [part for part in ranges if part.gone != 0]
    if not lost or allow_gone:
        return
    named = "; ".join(
        f"{part.topic} partition {part.partition} begins at {part.start}"
        + (f", {part.gone:,} later than asked" if part.gone else "")
        for part in lost[:5]
    )
    more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""  # noqa: PLR2004
    raise Refused(
        f"Kafka no longer has the whole range: {named}{more}",
        hint="Add --allow-gone to reprocess what is left, or give a later --from.",
    )


def expected_seconds(
    records: int, rate: Rate | None, *, max_rate: int | None
) -> tuple[float | None, str]:
    """How long it will take, and what that is based on."""
    if max_rate is not None and (rate is None or max_rate < rate.records_per_second):
        return records / max_rate, f"--max-rate {max_rate}"
    if rate is None:
        return None, "nothing like it was measured here yet"
    return records / rate.records_per_second, rate.measured
