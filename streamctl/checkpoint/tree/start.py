"""Where the next start of a query resumes. Pure.

Follows `MicroBatchExecution.populateStartOffsets`: the newest planned batch counts. With a commit
of its own the batch after it is next; without, it runs again. The commit log only tells whether.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The next start.

    Attributes:
        planned: the newest planned batch.
        batch_id: the batch that will run first. It loads the state version of the same number.
        runs_again: the batch was planned before.
        previous_needed: the entry before the newest is read too.
    """

    planned: int
    batch_id: int
    runs_again: bool

    @property
    def previous_needed(self) -> bool:
        """Every batch but the first has one before, where its range begins."""
        return self.planned > 0

    @property
    def state_version(self) -> int:
        """What every store must be able to load."""
        return self.batch_id


def plan_start(planned: Sequence[int], committed: Sequence[int]) -> Start | None:
    """The next start; None when nothing is planned.

    Args:
        planned: batch ids in the offset log, ascending.
        committed: batch ids in the commit log, ascending.
    """
    if not planned:
        return None
    newest = planned[-1]
    done = bool(committed) and committed[-1] == newest
    return Start(planned=newest, batch_id=newest + 1 if done else newest, runs_again=not done)


def holes(ids: Sequence[int]) -> tuple[int, ...]:
    """The numbers missing between the first and the last."""
    present = set(ids)
    if not ids or ids[-1] - ids[0] > 100 * len(ids) + 1000:
        return ()  # a stray number far away is not a thousand holes
    return tuple(n for n in range(ids[0], ids[-1]) if n not in present)
