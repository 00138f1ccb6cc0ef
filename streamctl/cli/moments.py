"""Times as operators type them."""

from datetime import UTC, datetime, timedelta, tzinfo

from streamctl.errors import SettingsInvalid

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_moment(text: str, *, option: str, zone: tzinfo | None = None) -> datetime:
    """A time, or how long ago.

    Args:
        text: as typed.
        option: named by the error.
        zone: of a time without one; None for local time.

    Raises:
        SettingsInvalid: neither; the message names the option.
    """
    if text[:-1].isdigit() and text[-1] in _UNITS:
        return datetime.now(UTC) - timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsInvalid(
            f'{option} "{text}" is no time', hint="Give 15m, 2h, or a time as 2026-01-31T12:00:00Z."
        ) from error
    if moment.tzinfo:
        return moment
    return moment.replace(tzinfo=zone) if zone else moment.astimezone()
