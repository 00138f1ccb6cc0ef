"""How long a query may be silent."""

import pytest

from streamctl.observe.stall import interval_seconds, stall_window


@pytest.mark.parametrize(
    ("usual", "trigger", "window", "why"),
    [
        (None, "1 second", 60, "never shorter than it is set"),
        (None, "10 minutes", 1800, "three triggers"),
        (30.0, "0 seconds", 90, "three usual batches"),
        (30.0, "1 minute", 270, "three of both"),
    ],
)
def test_a_window(usual, trigger, window, why):
    assert stall_window(usual, at_least=60.0, trigger=trigger) == window, why


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0 seconds", 0), ("1 minute 30 seconds", 90), ("500 milliseconds", 0.5), ("once", 0),
     ("2 hours", 7200), ("1 day", 86400)],
)  # fmt: skip
def test_intervals(text, seconds):
    assert interval_seconds(text) == seconds
