"""What a query has seen in this generation, kept from line to line of the progress file.

A restart goes on from the newest line. A batch that was committed without its line (the driver
was killed in between) cannot be counted any more: then counts that need it are not known.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from streamctl.rundir.files import read_line

_TAIL_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts of one query, in records.

    Attributes:
        batch_id: the last one counted; -1 for none.
        input_rows: of all counted batches.
        late_rows: None when one batch could not tell, or was not counted.
        rejected_rows: by reason.
        dead_letters: records that were rejected; one with two reasons counts once.
        repaired_snapshots: of the state, which Spark mended by itself: hidden damage.
        uncounted_batches: committed without a line, or skipped by the sink that had them.
    """

    batch_id: int = -1
    input_rows: int = 0
    late_rows: int | None = 0
    rejected_rows: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    repaired_snapshots: int = 0
    uncounted_batches: int = 0

    def add(
        self,
        *,
        batch_id: int,
        input_rows: int,
        late_rows: int | None,
        rejected: dict[str, int],
        dead_letters: int = 0,
        repaired_snapshots: int = 0,
        skipped: bool = False,
    ) -> "Totals":
        """Count one more batch. After a rewind the counts are of another history: not known.

        One that was skipped, because the sink had it before a crash, is not counted either.
        """
        gap = abs(batch_id - self.batch_id - 1) + skipped
        known = gap == 0 and self.late_rows is not None and late_rows is not None
        sums = dict(self.rejected_rows)
        for reason, count in rejected.items():
            sums[reason] = sums.get(reason, 0) + count
        return replace(
            self,
            batch_id=batch_id,
            input_rows=self.input_rows + input_rows,
            late_rows=(self.late_rows or 0) + (late_rows or 0) if known else None,
            rejected_rows=sums,
            dead_letters=self.dead_letters + dead_letters,
            repaired_snapshots=self.repaired_snapshots + repaired_snapshots,
            uncounted_batches=self.uncounted_batches + gap,
        )

    def as_fields(self) -> dict[str, Any]:
        """For the progress line."""
        return {
            "input_rows": self.input_rows,
            "late_rows": self.late_rows,
            "rejected_rows": self.rejected_rows,
            "dead_letters": self.dead_letters,
            "repaired_snapshots": self.repaired_snapshots,
            "uncounted_batches": self.uncounted_batches,
        }


def read_totals(progress: Path, *, generation: str) -> dict[str, Totals]:
    """Read the newest totals of each query of a generation, from the end of the file."""
    newest: dict[str, Totals] = {}
    for path in (progress.with_name(progress.name + ".1"), progress):
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            continue
        for text in lines[:-1]:
            line = _progress_line(text)
            if line and line.get("generation") == generation and "totals" in line:
                newest[line["query"]] = Totals(batch_id=line["batch_id"], **line["totals"])
    return newest


def _progress_line(text: bytes) -> dict[str, Any] | None:
    """A line of kind `progress`; the first one may be cut by the seek."""
    if b'"kind":"progress"' not in text:
        return None
    return read_line(text)
