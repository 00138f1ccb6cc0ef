"""Sides that do the same work in turns, and what is said of their figures.

A goal is judged by the medians: one run that had the machine to itself decides nothing. The
ratio of the best values stands beside it.
"""

import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Side = Callable[[], Mapping[str, float]]
"""Does the work once, and tells one or more figures by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured of one side, run by run.

    Attributes:
        best: the least; of a rate, the most.
    """

    name: str
    unit: str
    values: list[float]
    more_is_better: bool = False

    @property
    def best(self) -> float:
        return max(self.values) if self.more_is_better else min(self.values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A bound on the figure of one side, as a multiple of another's, or by itself.

    Attributes:
        ours, other: names of figures; no other means that the bound is absolute.
        difference: the bound is on what is more than the other's, not on the ratio.
        at_most: whether `bound` is the most that is allowed; else the least.
        bound: None for a ratio that is told and not judged.
    """

    ours: str
    other: str = ""
    bound: float | None = None
    at_most: bool = True
    difference: bool = False

    def compare(self, ours: float, other: float | None) -> float:
        """Set one value against the other's; None: there is no other."""
        if other is None:
            return ours
        return ours - other if self.difference else ours / other


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One benchmark.

    Attributes:
        notes: what a reader must know to judge the figures.
    """

    name: str
    figures: list[Figure]
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def judged(self) -> list[dict[str, Any]]:
        """Each goal with its ratios and whether it was met (None: told only)."""
        by_name = {figure.name: figure for figure in self.figures}
        return [_judge(goal, by_name) for goal in self.goals]


def _judge(goal: Goal, figures: Mapping[str, Figure]) -> dict[str, Any]:
    ours, other = figures[goal.ours], figures.get(goal.other)
    median = goal.compare(ours.median, other.median if other else None)
    met = None
    if goal.bound is not None:
        met = median <= goal.bound if goal.at_most else median >= goal.bound
    return {
        "ours": goal.ours,
        "other": goal.other,
        "by": "-" if goal.difference else "/",
        "of_medians": round(median, 3),
        "of_bests": round(goal.compare(ours.best, other.best if other else None), 3),
        "goal": "" if goal.bound is None else f"{'<=' if goal.at_most else '>='} {goal.bound:g}",
        "met": met,
    }


def alternate(
    sides: Mapping[str, Side], runs: int, *, unit: str = "s", more_is_better: bool = False
) -> list[Figure]:
    """Let each side do its work once, then all again: A B A B."""
    values: dict[str, list[float]] = {}
    for number in range(1, runs + 1):
        for name, side in sides.items():
            tell(f"run {number} of {runs}: {name}")
            for figure, value in side().items():
                values.setdefault(figure, []).append(round(value, 4))
    tell("")
    return [
        Figure(name=name, unit=unit, values=found, more_is_better=more_is_better)
        for name, found in values.items()
    ]


def tell(message: str) -> None:
    """Show what is done now, on a terminal in place."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{message}")
    elif message:
        sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def show(result: Result) -> str:
    """The human view: figures, then goals, then notes."""
    width = max(len(figure.name) for figure in result.figures)
    head = f"{'':{width}}  {'best':>11}  {'median':>11}  all"
    lines = [f"\n{result.name}", head]
    for figure in result.figures:
        every = " ".join(_number(value) for value in figure.values)
        best, median = (f"{_number(v)} {figure.unit}" for v in (figure.best, figure.median))
        lines.append(f"{figure.name:{width}}  {best:>11}  {median:>11}  {every}")
    for goal in result.judged():
        what = goal["ours"] + (f" {goal['by']} {goal['other']}" if goal["other"] else "")
        verdict = {True: "met", False: "MISSED", None: ""}[goal["met"]]
        ratio = f"{goal['of_medians']:,g} (best {goal['of_bests']:,g})"
        lines.append(f"  {what}: {ratio}  {goal['goal']}  {verdict}".rstrip())
    lines += [f"  {note}" for note in result.notes]
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3f}"
