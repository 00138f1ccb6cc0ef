"""The page needs nothing else, and its plots are where they should be."""

import re
from dataclasses import replace
from html import escape
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from streamctl.chaos.campaign import Campaign, NotRun
from streamctl.chaos.report.page import page, plots
from streamctl.chaos.report.plot import Plot, draw, nice
from streamctl.chaos.verdict import judge
from streamctl.errors import ExitCode
from streamctl.reports import worst
from tests.planted import planted
from tests.recordings import recorded

SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)


AGAIN = "streamctl chaos run kafka-killed 'of mine.json' --seed 5"


@pytest.fixture(scope="module")
def html() -> str:
    unknown = replace(recorded(), must=None, unknown="<script>alert(1)</script>")
    return report_of([recorded(), planted("window-dropped"), unknown])


def report_of(evidence, **more) -> str:
    judgements = [judge(each) for each in evidence]
    gone = NotRun(experiment="disk-full", reason="no <root>", hint="", exit_code=ExitCode.FAILED)
    campaign = Campaign(
        id="20260101-000000", verdict=worst(each.verdict for each in judgements), seed=5,
        started_at="2026-01-01T00:00:00Z", seconds=1.0, directory=Path(), judgements=judgements,
        **{"not_run": [gone], "command": AGAIN, "surroundings": {"Spark": "1.2.3"}} | more,
    )  # fmt: skip
    return page(campaign, evidence)


def test_nothing_is_fetched_and_nothing_runs(html):
    assert not re.search(r"https?://|<script|<link|@import|url\(", html)


def test_the_verdict_comes_first_and_each_is_told(html):
    assert html.index("An invariant was violated!") < html.index("<table>")
    for word in ("ok", "violated", "unknown"):
        assert f">{word}</span>" in html
    assert '<td data-name="no verdict on">disk-full</td>' in html
    assert "no &lt;root&gt;" in html


def test_it_says_how_to_run_it_again_and_what_it_ran_on(html):
    assert f"<code>{escape(AGAIN)}</code>" in html
    assert "<dt>Spark</dt><dd>1.2.3</dd>" in html
    old = report_of([recorded()], command="", surroundings={})
    assert "<code>streamctl chaos run kafka-killed</code>" in old
    assert "<dt>on</dt><dd>not known</dd>" in old


def test_it_says_how_the_job_was_degraded(html):
    assert "<p>Degraded: no commit for " in html


def test_the_plot_of_health_is_of_its_answers():
    plot = next(plot for plot in plots(recorded()) if plot.title.startswith("health"))
    answers = [sample.ready for sample in recorded().samples]
    assert [value for _, value in plot.points] == answers
    assert set(answers) >= {True, False}


def test_every_plot_has_a_title_with_its_unit_axes_and_the_fault(html):
    drawn = SVG.findall(html)
    assert len(drawn) == 15
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
