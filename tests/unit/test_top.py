"""What `streamctl top` shows, live and once."""

import asyncio
import io
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import timedelta

from textual.widgets import DataTable, Input, Static

from streamctl.cli.render import Output, write
from streamctl.cli.top import Top
from streamctl.cli.top_view import top_view
from streamctl.health.alerts.book import AlertBook
from streamctl.health.alerts.rules import RULES
from streamctl.health.alerts.states import fresh
from streamctl.health.top import top_report
from streamctl.lag.model import LagFinding
from streamctl.observe.batches import Batches
from streamctl.observe.growth import Sizes
from streamctl.observe.sizes import Usage
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from tests.samples import NOW, lag, progress_line, sample


class Watch:
    def __init__(self, path) -> None:
        self.eyes = self
        (path / "p.jsonl").write_bytes(progress_line(1, at=NOW))
        self.batches = Batches(path / "p.jsonl")
        self.batches.read()
        self.ended = False

    def start(self) -> None: ...

    def end(self) -> None:
        self.ended = True

    def sample(self):
        return sample(lag=lag(5))


LAG = replace(fresh(next(rule for rule in RULES if rule.name == "lag"), Settings()), open_since=NOW)
GONE = LagFinding(
    code="kafka-partition-gone", topic="t", partition=1, detail="t partition 1 is not there"
)


def report(tmp_path):
    """A job with a lag, a finding, an open alert, twenty batches and a checkpoint that grows."""
    run = RunDirectory(tmp_path)
    lines = [
        progress_line(
            number, at=NOW, input_rows=10 * number, duration_ms={"triggerExecution": 100 * number}
        )
        for number in range(1, 21)
    ]
    run.progress_file.write_bytes(b"".join(lines))
    batches = Batches(run.progress_file)
    batches.read()
    AlertBook(run.path).write_states([LAG, replace(LAG, name="other", open_since=None)])
    Sizes(run.path).add(sample(NOW - timedelta(minutes=30)))
    grown = [Usage(kind="state", files=1, size_bytes=300 + 2048)]
    seen = sample(query={"sizes": grown}, lag=lag(5, findings=[GONE]))
    return top_report(seen, batches, run)


def test_once_tells_what_the_live_screen_does(tmp_path):
    written = io.StringIO()
    with redirect_stdout(written):
        write(report(tmp_path), view=top_view, output=Output.TSV, command="top", warnings=[])
    told = [line.split("\t") for line in written.getvalue().splitlines()]
    assert ["alerts", "consumer lag is high (lag)"] in told
    assert ["kafka", "t partition 1 is not there"] in told
    assert ["checkpoint", "2.3 KiB, grew 2.0 KiB in 30 min ▁█"] in told
    courses = {row[1]: row for row in told if row[1] in {"records", "took"}}
    assert courses["records"][2][0] == "▁"
    assert courses["records"][2][-1] == "█"
    assert len(courses["records"][2]) == 20
    assert [row[3] for row in courses.values()] == ["200", "2.0 s"]


def test_it_fits_on_80_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    written = io.StringIO()
    with redirect_stdout(written):
        write(report(tmp_path), view=top_view, output=Output.TABLE, command="top", warnings=[])
    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("windows" in line and "took" in line and "2.0 s" in line for line in lines)


def test_a_job_that_is_down_has_alerts_that_nobody_looks_at(tmp_path):
    made = report(tmp_path)
    down = replace(made, status=replace(made.status, supervisor_pid=None))
    assert dict(top_view(down)[0].rows)["alerts"].endswith("nobody looks")


def test_keys_filter_and_quit(tmp_path):
    watch = Watch(tmp_path)
    AlertBook(tmp_path).write_states([LAG])

    async def drive():
        app = Top(RunDirectory(tmp_path), Settings(), every_seconds=0.05, watch=watch)
        async with app.run_test(size=(80, 40)) as pilot:
            for _ in range(100):
                await pilot.pause(0.02)
                if app.query_one("#partitions", DataTable).row_count:
                    break
            assert "TelemetryJob" in str(app.query_one("#facts", Static).render())
            assert "records" in str(app.query_one("#lines", Static).render())
            assert "consumer lag is high" in str(app.query_one("#facts", Static).render())
            assert app.query_one("#queries", DataTable).row_count == 1
            assert app.query_one("#partitions", DataTable).row_count == 1
            await pilot.press("slash", "x", "y")
            assert app.query_one("#filter", Input).value == "xy"
            assert app.query_one("#partitions", DataTable).row_count == 0
            await pilot.press("escape")
            assert app.query_one("#partitions", DataTable).row_count == 1
            await pilot.press("s", "l")
            assert app.query_one("#partitions", DataTable).row_count == 1
            await pilot.press("q")

    asyncio.run(drive())
    assert watch.ended
