"""What a search for poison records comes to, on a terminal and off it."""

from datetime import UTC, datetime

import pytest

from streamctl.checkpoint.location.quarantine import Quarantined
from streamctl.cli import render
from streamctl.cli.poison_views import poison_view
from streamctl.poison.batch import Part
from streamctl.poison.find import Outcome, PoisonReport
from streamctl.poison.search import Error, Fault
from streamctl.reports import Verdict

PART = Part(topic="t", partition=1, start=5, end=9)
RECORD = Quarantined(
    topic="t", topic_id="", partition=1, offset=7, query="windows", batch_id=3,
    condition="USER_RAISED_EXCEPTION", message="cannot digest this",
    at=datetime(2026, 3, 1, tzinfo=UTC),
)  # fmt: skip


@pytest.mark.parametrize("fault", Fault)
def test_each_end_of_a_search_says_what_to_do(fault, capsys, snapshot):
    records = [RECORD] if fault is Fault.RECORDS else []
    report = PoisonReport(
        verdict=Verdict.PROBLEM, outcome=Outcome.FOUND, fault=fault, query="windows", batch_id=3,
        records=40, parts=[PART], poison=records, error=Error(condition="BOOM", message="it broke"),
        failed_range=[PART], trials=14, seconds=31.4,
        undo="streamctl checkpoint undo abc" if records else "",
    )  # fmt: skip
    render.write(report, view=poison_view, output=render.Output.TSV, command="", warnings=[])
    assert capsys.readouterr().out == snapshot
