"""Durations as operators type them: one reading for every option."""

import pytest

from streamctl.cli.lag import _bound
from streamctl.cli.moments import parse_seconds
from streamctl.errors import SettingsInvalid
from streamctl.lag.wait import Bound

ARGUMENTS = {
    "lag wait": ("lag", "wait", "--below"),
    "backup watch": ("backup", "watch", "--every"),
    "alerts silence": ("alerts", "silence", "lag", "--for"),
    "backup prune": ("backup", "prune", "--keep-within"),
    "load run": ("load", "run", "--yes", "--confirm"),
}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("0s", 0), ("500ms", 0.5), ("1.5s", 1.5), ("5m", 300), ("2h", 7200), ("1d", 86_400)],
)
def test_a_duration(text, seconds):
    assert parse_seconds(text, option="--for") == seconds


@pytest.mark.parametrize(
    "text", ["", "x", "90", "3y", "-1s", "s", "5mm", "1h30m", "nan", "inf", "1e3s", "99999d"]
)
def test_a_duration_that_is_none(text):
    with pytest.raises(SettingsInvalid, match=f'--for "{text}" is no duration'):
        parse_seconds(text, option="--for")


def test_a_lag_is_records_or_a_time():
    assert (_bound("1000"), _bound("2m")) == (Bound(records=1000), Bound(seconds=120))


@pytest.mark.parametrize("command", ARGUMENTS)
def test_every_option_names_itself(streamctl, command):
    result = streamctl(*ARGUMENTS[command], "1e6")
    assert result.exit_code == 2
    assert f'{ARGUMENTS[command][-1]} "1e6" is no duration' in result.stderr
