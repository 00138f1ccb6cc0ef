"""Topics that followed one another are accounted for apart, then together."""

from dataclasses import replace

from streamctl.chaos.chapters import _together
from streamctl.chaos.counts import counts
from streamctl.chaos.evidence import Found, Must
from streamctl.chaos.verdict import judge
from streamctl.reports import Verdict
from tests.planted import recorded


def chapter(device: str, *, late: int | None = 1) -> tuple[Must, Found]:
    """Five records at the same places: three in a window, one late, one rejected."""
    must = Must(produced=5, windows=[(device, 0, 3)], rejected=[(0, 7, "bad")], late=1)
    found = Found(rows=[(device, 0, 3)], state=[], letters=[(0, 7, "bad")], late=late)
    return must, found


def evidence_of(must: Must, found: Found):

    return replace(recorded(), must=must, found=found)


def test_the_same_place_in_two_topics_is_two_records():
    evidence = evidence_of(*_together(chapter("a"), chapter("b")))
    n = counts(evidence.must, evidence.found)
    assert (n.produced, n.in_windows, n.dead_letters, n.late) == (10, 6, 2, 2)
    assert (n.lost, n.duplicated, n.letters_again) == (0, 0, 0)
    three = evidence_of(*_together(_together(chapter("a"), chapter("b")), chapter("c")))
    assert counts(three.must, three.found).dead_letters == 3


def test_a_letter_that_is_missing_in_one_of_them_is_lost():
    must, found = chapter("a")
    swallowed = Found(rows=found.rows, state=[], letters=[], late=1)
    evidence = evidence_of(*_together((must, swallowed), chapter("b")))
    assert counts(evidence.must, evidence.found).lost == 1


def test_lateness_that_one_could_not_tell_is_unknown_for_both():
    evidence = evidence_of(*_together(chapter("a", late=None), chapter("b")))
    assert evidence.found.late is None
    for crashed, verdict in ((False, Verdict.UNKNOWN), (True, Verdict.OK)):
        late = next(
            each
            for each in judge(replace(evidence, crashed=crashed)).invariants
            if each.name == "late count is true"
        )
        assert "not known" in late.detail
        assert late.verdict is verdict
