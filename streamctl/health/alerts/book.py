"""What is kept of alerts in the run directory: states, silences, notices to deliver.

| file | written by | what |
|---|---|---|
| `alerts.json` | supervisor | each alert as it stands |
| `silences.json` | CLI | who wants not to be told of what, until when |
| `notices.json` | supervisor | what was not delivered yet, by number of the receiver |
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from streamctl.errors import Malformed
from streamctl.health.alerts.states import AlertState, Told
from streamctl.reports import as_json
from streamctl.rundir.files import build, replace_file

T = TypeVar("T")
EVERY_ALERT = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nobody is told of an alert until a time.

    Attributes:
        alert: name; `*` for all.
    """

    alert: str
    until: datetime
    who: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that somebody is to be told.

    Attributes:
        alert: name; empty for a heartbeat or a test.
        body: value, threshold, evidence, and the next command.
    """

    at: datetime
    told: Told
    alert: str
    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A notice that a receiver has not taken yet.

    Attributes:
        receiver: its number in the settings.
        attempts: so far.
        next_at: when it is tried again.
    """

    receiver: int
    attempts: int
    next_at: datetime
    notice: Notice


class AlertBook:
    """Reads and writes the files.

    Args:
        run: path of the run directory.
    """

    def __init__(self, run: Path) -> None:
        self._run = run

    def states(self) -> list[AlertState]:
        """As the supervisor last wrote them."""
        return self._read("alerts.json", AlertState)

    def write_states(self, states: list[AlertState]) -> None:
        """Replace them."""
        self._write("alerts.json", states)

    def silences(self, *, now: datetime) -> list[Silence]:
        """Those that hold."""
        return [s for s in self._read("silences.json", Silence) if s.until > now]

    def write_silences(self, silences: list[Silence]) -> None:
        """Replace them."""
        self._write("silences.json", silences)

    def pending(self) -> list[Pending]:
        """Notices that were not delivered."""
        items = self._items("notices.json")
        return [build(Pending, item | {"notice": build(Notice, item["notice"])}) for item in items]

    def write_pending(self, pending: list[Pending]) -> None:
        """Replace them."""
        self._write("notices.json", pending)

    def _read(self, name: str, kind: type[T]) -> list[T]:
        return [build(kind, item) for item in self._items(name)]

    def _items(self, name: str) -> list[dict[str, Any]]:
        path = self._run / name
        try:
            items: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise Malformed(
                f'cannot read "{path}": {error}',
                hint="Remove it; alerts then begin anew.",
            ) from error
        return items

    def _write(self, name: str, items: list[Any]) -> None:
        replace_file(self._run / name, json.dumps(as_json(items), indent=1) + "\n")


def silenced_until(silences: list[Silence], alert: str) -> datetime | None:
    """The latest end of the silences of an alert."""
    ends = [silence.until for silence in silences if silence.alert in {alert, EVERY_ALERT}]
    return max(ends, default=None)
