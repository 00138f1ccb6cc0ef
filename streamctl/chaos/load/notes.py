"""What a load run has found so far, written after each step: it goes on from there."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamctl.chaos.load.model import REPORT, Recovery, Step
from streamctl.reports import as_json
from streamctl.rundir.files import replace_file

_NAME = "notes.json"


@dataclass(slots=True, kw_only=True)
class Notes:
    """Figures of one run.

    Attributes:
        directory: of the run.
        asked: what it was asked for, as JSON; another question is another run.
        started_at: ISO 8601.
    """

    directory: Path
    asked: Any
    started_at: str
    steps: list[Step] = field(default_factory=list)
    confirmed: Step | None = None
    recovery: Recovery | None = None
    recoveries: list[Recovery] = field(default_factory=list)

    def save(self) -> None:
        """Replace the file."""
        self.directory.mkdir(parents=True, exist_ok=True)
        replace_file(self.directory / _NAME, json.dumps(as_json(self), indent=1) + "\n")

    def known(self, rate: float) -> Step | None:
        """The step of a rate that was tried already."""
        return next((step for step in self.steps if step.rate == rate), None)


def unfinished(base: Path, asked: Any) -> Notes | None:
    """The newest run that was asked for the same and did not come to its end."""
    for path in sorted(base.glob(f"*/{_NAME}"), reverse=True):
        values = json.loads(path.read_text("utf-8"))
        if values["asked"] == asked and not (path.parent / REPORT).exists():
            return _of(path.parent, values)
    return None


def _of(directory: Path, values: dict[str, Any]) -> Notes:
    return Notes(
        directory=directory,
        asked=values["asked"],
        started_at=values["started_at"],
        steps=[Step(**step) for step in values["steps"]],
        confirmed=Step(**values["confirmed"]) if values["confirmed"] else None,
        recovery=Recovery(**values["recovery"]) if values["recovery"] else None,
        recoveries=[Recovery(**each) for each in values["recoveries"]],
    )
