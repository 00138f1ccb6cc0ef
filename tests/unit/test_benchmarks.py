"""How a benchmark is judged."""

import pytest

from scripts.benchmarks.compare import Figure, Goal, Result, alternate, show


def result(*goals: Goal) -> Result:
    figures = [
        Figure(name="ours", unit="s", values=[1.0, 9.0, 2.0]),
        Figure(name="theirs", unit="s", values=[4.0, 4.0, 3.0]),
        Figure(name="rate", unit="/s", values=[10.0, 30.0, 20.0], more_is_better=True),
    ]
    return Result(name="some", figures=figures, goals=list(goals))


@pytest.mark.parametrize(
    ("goal", "ratio", "best", "met"),
    [
        (Goal(ours="ours", other="theirs", bound=0.5), 0.5, 0.333, True),  # the bound itself counts
        (Goal(ours="ours", other="theirs", bound=0.4), 0.5, 0.333, False),  # the best decides not
        (Goal(ours="rate", bound=20, at_most=False), 20, 30, True),
        (Goal(ours="rate", bound=25, at_most=False), 20, 30, False),
        (Goal(ours="theirs", other="ours", bound=2, difference=True), 2.0, 2.0, True),
        (Goal(ours="theirs", other="ours", bound=1.9, difference=True), 2.0, 2.0, False),
        (Goal(ours="ours", other="theirs"), 0.5, 0.333, None),  # told, not judged
    ],
)
def test_a_goal_is_judged_by_the_medians(goal, ratio, best, met):
    judged = result(goal).judged()[0]
    assert (judged["of_medians"], judged["of_bests"], judged["met"]) == (ratio, best, met)


def test_sides_take_turns():
    order = []
    sides = {name: lambda name=name: order.append(name) or {name: 1.0} for name in "ab"}
    figures = alternate(sides, 2)
    assert order == ["a", "b", "a", "b"]
    assert [(figure.name, figure.values) for figure in figures] == [
        ("a", [1.0, 1.0]),
        ("b", [1.0, 1.0]),
    ]


def test_a_missed_goal_is_said_aloud():
    assert "MISSED" in show(result(Goal(ours="ours", other="theirs", bound=0.4)))
    assert "MISSED" not in show(result(Goal(ours="ours", other="theirs", bound=0.5)))
