"""Long work on a terminal: a bar, its units, and how long the rest takes."""

import pytest

from streamctl.cli.progress import _Line
from streamctl.reports import Event


def test_the_rest_is_foretold_from_the_pace_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    moments = iter([0.0, 1.0, 10.0, 20.0])
    line = _Line(clock=lambda: next(moments))
    total = 100 << 20
    for done in (0, 10 << 20, 25 << 20, total):
        line(Event(message="backing up", done=done, total=total, in_bytes=True))
    start, early, later, end = capsys.readouterr().err.split("\r\x1b[K")
    assert start.endswith("backing up: 0 B of 100.0 MiB (0%)")
    assert early.endswith("(10%)")  # a second says nothing
    assert later.endswith("25.0 MiB of 100.0 MiB (25%), 30 s left")
    assert end.endswith("(100%)")


def test_another_work_begins_anew(capsys: pytest.CaptureFixture[str]) -> None:
    moments = iter([0.0, 10.0, 20.0])
    line = _Line(clock=lambda: next(moments))
    for message, done in (("reading", 10), ("reading", 20), ("writing", 50)):
        line(Event(message=message, done=done, total=100))
    told = capsys.readouterr().err.split("\r\x1b[K")
    assert told[1].endswith("20 of 100 (20%), 80 s left")
    assert told[2].endswith("50 of 100 (50%)")
