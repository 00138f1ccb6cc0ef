"""The live screen, driven by keys."""

import asyncio

from textual.widgets import DataTable, Input, Static

from streamctl.cli.top import Top
from streamctl.observe.batches import Batches
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


def test_keys_filter_and_quit(tmp_path):
    watch = Watch(tmp_path)

    async def drive():
        app = Top(RunDirectory(tmp_path), Settings(), every_seconds=0.05, watch=watch)
        async with app.run_test(size=(80, 40)) as pilot:
            for _ in range(100):
                await pilot.pause(0.02)
                if app.query_one("#partitions", DataTable).row_count:
                    break
            assert "TelemetryJob" in str(app.query_one("#facts", Static).render())
            assert "records" in str(app.query_one("#lines", Static).render())
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
