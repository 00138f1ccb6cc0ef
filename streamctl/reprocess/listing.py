"""Which reprocessings there are, and how far each one is."""

from dataclasses import dataclass
from datetime import datetime

from streamctl.checkpoint.location import generations
from streamctl.observe.status import is_supervised
from streamctl.reports import Verdict
from streamctl.reprocess.places import Places
from streamctl.reprocess.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One of them.

    Attributes:
        state: `running`, `begun` (the same command goes on), `done`, or `current`.
        start, end: as asked for.
        records: read by the slowest query; None while it is not done.
    """

    generation: str
    state: str
    created_at: datetime
    start: str
    end: str
    records: int | None
    output_location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All of them, oldest first."""

    verdict: Verdict
    reprocessings: list[Listed]


def listing(places: Places) -> Listing:
    """Look at all.

    Raises:
        StreamctlError: the store cannot be read.
    """
    current = generations.current(places.store)
    found = []
    for generation in places.all():
        receipt = places.receipt(generation.name)
        request = Request.parse(generation.request)
        found.append(
            Listed(
                generation=generation.name,
                state=_state(places, generation.name, current.name if current else "", receipt),
                created_at=generation.created_at,
                start=request.start,
                end=request.end,
                records=min((q["input_records"] for q in receipt["queries"]), default=0)
                if receipt
                else None,
                output_location=generation.output_location,
            )
        )
    return Listing(verdict=Verdict.OK, reprocessings=found)


def _state(places: Places, name: str, current: str, receipt: object) -> str:
    if name == current:
        return "current"
    if receipt is not None:
        return "done"
    return "running" if is_supervised(places.run(name)) else "begun"
