"""The page needs nothing else, and its plots are where they should be."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from streamctl.chaos.report.page import page, plots
from streamctl.chaos.report.plot import Plot, draw, nice
from streamctl.chaos.verdict import judge
from tests.planted import PLANTED, recorded

SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)


@pytest.fixture(scope="module")
def html() -> str:
    evidence = recorded()
    wrong = PLANTED[0].plant(evidence)
    unknown = replace(evidence, must=None, unknown="<script>alert(1)</script>")
    trials = [(each, judge(each)) for each in (evidence, wrong, unknown)]
    return page(trials, title="Campaign", command="streamctl chaos run --seed 5")


def test_nothing_is_fetched_and_nothing_runs(html):
    assert not re.search(r"https?://|<script|<link|@import|url\(", html)


def test_the_verdict_comes_first_and_each_is_told(html):
    assert html.index("An invariant was violated!") < html.index("<table>")
    for word in ("ok", "violated", "unknown"):
        assert f">{word}</span>" in html
    assert "streamctl chaos run --seed 5" in html


def test_every_plot_has_a_title_with_its_unit_axes_and_the_fault(html):
    drawn = SVG.findall(html)
    assert len(drawn) == 12
    for svg in drawn:
        tree = ET.fromstring(svg)  # noqa: S314 - our own
        assert tree.findall("rect[@class='fault']")
        texts = [text.text for text in tree.findall("text")]
        assert any(text.endswith(" s") for text in texts)
    titles = [plot.title for plot in plots(recorded())]
    assert titles[:3] == ["throughput, records/s", "lag, records", "batch duration, s"]


def test_a_line_is_broken_where_the_value_is_not_known():
    plot = Plot(title="x", points=[(0, 1), (1, 2), (2, None), (3, 1)], span=(0, 4))
    assert draw(plot).count("<polyline") == 2
    empty = Plot(title="x", points=[(0, None)], span=(0, 4))
    assert "not known" in draw(empty)


def test_all_points_lie_in_the_box():
    points = [(float(n), float(n * n)) for n in range(20)]
    svg = draw(Plot(title="x", points=points, span=(0, 19), band=(-5, 40), steps=True))
    for x, y in re.findall(r"([\d.]+),([\d.]+)", svg):
        assert 0 <= float(x) <= 640
        assert 0 <= float(y) <= 150


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (1, 1), (1.1, 2), (3, 5), (0.03, 0.05), (6, 10), (1000, 1000)]
)
def test_an_axis_ends_at_a_round_number(value, end):
    assert nice(value) == pytest.approx(end)
