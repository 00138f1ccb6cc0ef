"""Times and durations as operators type them."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from streamctl.errors import SettingsInvalid

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d+)?)(ms|[smhdw])", re.ASCII)
_LONGEST_SECONDS = 100 * 365 * 86_400.0


def parse_moment(text: str, *, option: str, zone: tzinfo | None = None) -> datetime:
    """A time, or how long ago.

    Args:
        text: as typed.
        option: named by the error.
        zone: of a time without one; None for local time.

    Raises:
        SettingsInvalid: neither; the message names the option.
    """
    if _DURATION.fullmatch(text):
        return datetime.now(UTC) - timedelta(seconds=parse_seconds(text, option=option))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsInvalid(
            f'{option} "{text}" is no time', hint="Give 15m, 2h, or a time as 2026-01-31T12:00:00Z."
        ) from error
    if moment.tzinfo:
        return moment
    return moment.replace(tzinfo=zone) if zone else moment.astimezone()


def parse_seconds(text: str, *, option: str) -> float:
    """A duration, with its unit: 500ms, 90s, 15m, 2h, 1d, 4w.

    A number alone might be minutes, records or batches to whoever types it.

    Raises:
        SettingsInvalid: none, or longer than a century; the message names the option.
    """
    found = _DURATION.fullmatch("0s" if text == "0" else text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else _LONGEST_SECONDS
    if seconds >= _LONGEST_SECONDS:
        raise SettingsInvalid(f'{option} "{text}" is no duration', hint="Such as 90s, 15m, 2h, 1d.")
    return seconds


def parse_range(text: str, *, option: str) -> tuple[float, float]:
    """Least and most seconds; one number is both.

    Raises:
        SettingsInvalid: neither; the message names the option.
    """
    least, colon, most = text.partition(":")
    try:
        return float(least), float(most if colon else least)
    except ValueError:
        raise SettingsInvalid(f'{option} "{text}" is not LEAST:MOST in seconds') from None
