"""The report of a campaign in real headless Chromium, as wide as a screen and as a phone."""

import pytest

from tests.browser import CHROMIUM, measured, page_in_a_browser
from tests.recordings import RECORDED, recorded
from tests.unit.chaos.test_report import report_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed"),
]
PLOTS = 5 * len(RECORDED)
LEGIBLE_PIXELS = 8.5


@pytest.fixture
def page(tmp_path):
    file = tmp_path / "report.html"
    file.write_text(report_of([recorded(name) for name in RECORDED]))
    return file


def test_it_is_drawn_and_nothing_complains(page):
    document, said = page_in_a_browser(page.as_uri())
    assert said == []
    assert "Not everything could be told." in document or "Everything looks good!" in document
    assert document.count("<svg") == PLOTS


@pytest.mark.parametrize("width", [1200, 390, 320])
def test_it_fits_and_can_be_read(page, width):
    found = measured(page, width=width, selector="svg")
    assert found["width"] <= width, "it does not scroll to the side"
    assert len(found["boxes"]) == PLOTS
    for wide, high in found["boxes"]:
        assert 0.8 * min(width, 960) < wide <= width
        assert high > 60
    assert min(found["sizes"]) >= LEGIBLE_PIXELS


@pytest.mark.parametrize("width", [1200, 390])
def test_the_fault_is_marked_in_each_plot(page, width):
    boxes = measured(page, width=width, selector="svg rect.fault")["boxes"]
    assert len(boxes) == PLOTS
    assert all(wide >= 1 and high > 30 for wide, high in boxes)
