"""Where the parts of a reprocessing are kept: records of it, its run directory, its receipt."""

import json
from dataclasses import dataclass
from typing import Any

from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.errors import NotFound, Refused
from streamctl.reports import as_json
from streamctl.rundir.directory import RunDirectory

_RECEIPTS = "_streamctl/reprocessed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Of one live job.

    Attributes:
        live: its run directory.
        store: its checkpoint location.
    """

    live: RunDirectory
    store: Store

    def run(self, generation: str) -> RunDirectory:
        """The run directory of the reprocessing that fills a generation."""
        return RunDirectory(self.live.path / "reprocess" / generation)

    def all(self) -> list[Generation]:
        """Generations that a reprocessing made, oldest first."""
        found = [generations.read(self.store, name) for name in generations.recorded(self.store)]
        return [generation for generation in found if generation.request]

    def one(self, name: str) -> Generation:
        """A reprocessed generation by name; empty takes the newest.

        Raises:
            NotFound: there is none.
            Refused: the generation is the live line's.
        """
        if not name:
            made = self.all()
            if not made:
                raise NotFound("nothing was reprocessed yet", hint="Run `streamctl reprocess`.")
            return made[-1]
        found = generations.read(self.store, name)
        if not found.request:
            raise Refused(
                f"generation {name} was not made by a reprocessing",
                hint="`streamctl reprocess list` names those that were.",
            )
        return found

    def records(self, generation: str) -> list[str]:
        """Names in the store of the files that record a reprocessing; its receipt may be one."""
        names = [generations.record_name(generation), f"{_RECEIPTS}/{generation}.json"]
        return [name for name in names if self.store.read(name) is not None]

    def receipt(self, generation: str) -> dict[str, Any] | None:
        """The receipt of a finished one; None while it is not."""
        data = self.store.read(f"{_RECEIPTS}/{generation}.json")
        return None if data is None else dict(json.loads(data))

    def keep_receipt(self, generation: str, receipt: Any) -> None:
        """Write the receipt: from now on it counts as done."""
        text = json.dumps(as_json(receipt), indent=1)
        self.store.replace(f"{_RECEIPTS}/{generation}.json", text.encode())
