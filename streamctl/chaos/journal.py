"""What an experiment did, step by step: the facts, without judging them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from streamctl.chaos.experiment import Part, Role


class Ended(StrEnum):
    """How far an experiment came."""

    COMPLETED = "completed"
    NOT_STEADY = "not_steady"
    """The hypothesis did not hold beforehand, so the method was not begun."""
    ABORTED = "aborted"
    """A step of the method could not be done."""
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One activity that was done.

    Attributes:
        verb: of ours; empty for an activity of another provider.
        part: what an action is to the fault.
        output: what it answered.
        within: whether a probe's answer was within its tolerance; None for an action.
        error: why it could not be done; empty if it was.
    """

    name: str
    role: Role
    started_at: datetime
    ended_at: datetime
    verb: str = ""
    part: Part = Part.ASIDE
    output: Any = None
    within: bool | None = None
    error: str = ""

    @property
    def ok(self) -> bool:
        """It was done, and a probe's answer was as it should be."""
        return not self.error and self.within is not False


def failed(steps: Iterable[Step]) -> list[str]:
    """Those that could not be done, one line each."""
    return [f"{step.name}: {step.error}" for step in steps if step.error]


@dataclass(slots=True, kw_only=True)
class Journal:
    """One run of one experiment; it grows with each step.

    Attributes:
        steady_before, steady_after: the last look at the hypothesis, probe by probe.
        deviated: the hypothesis did not hold again in time.
    """

    experiment: str
    title: str
    started_at: datetime
    ended_at: datetime | None = None
    ended: Ended | None = None
    deviated: bool = False
    steady_before: list[Step] = field(default_factory=list)
    method: list[Step] = field(default_factory=list)
    steady_after: list[Step] = field(default_factory=list)
    rollbacks: list[Step] = field(default_factory=list)

    @property
    def touched(self) -> datetime | None:
        """When the first action began, be it the fault or not; what was usual is before it."""
        return min((s.started_at for s in self.method if s.role is Role.ACTION), default=None)

    @property
    def fault(self) -> tuple[datetime, datetime] | None:
        """Its begin and its end, see `Part`; None when nothing was broken."""
        actions = [step for step in self.method if step.role is Role.ACTION]
        begins = [s.started_at for s in actions if s.part is Part.FAULT]
        begins += [s.ended_at for s in actions if s.part is Part.STRIKE]
        if not begins:
            return None
        return min(begins), max(s.ended_at for s in actions if s.part is not Part.ASIDE)
