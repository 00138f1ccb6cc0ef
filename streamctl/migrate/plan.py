"""Which way a migration goes. Pure: what preflight found is an argument."""

from dataclasses import dataclass
from enum import StrEnum

from streamctl.checkpoint.compat.model import Acceptance
from streamctl.errors import Refused
from streamctl.lifecycle.preflight import PreflightReport


class Way(StrEnum):
    """How the new code comes by its checkpoint."""

    KEEP = "keep"
    """It goes on from the checkpoint that there is, state included."""
    ROTATE = "rotate"
    """It begins a new generation with empty state, at the offsets where the old one stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The way, and why."""

    way: Way
    why: str


def choose(report: PreflightReport, *, wanted: Way | None) -> Choice:
    """Choose the way that loses least; the operator may choose another that is possible.

    Args:
        report: of preflight, for the new code and settings.
        wanted: by the operator; None to let it be chosen.

    Raises:
        Refused: the checkpoint is damaged, or the wanted way is impossible.
    """
    items = [(query.query, item) for query in report.queries for item in query.items]
    damaged = [
        (query, item)
        for query, item in items
        if item.name == "checkpoint" and item.acceptance is Acceptance.IMPOSSIBLE
    ]
    if damaged:
        query, item = damaged[0]
        raise Refused(
            f"the checkpoint of {query} takes no code at all: {item.detail}",
            hint="`streamctl recover` proposes a remedy; migrate when the old job runs again.",
        )
    against = [(q, item) for q, item in items if item.acceptance is not Acceptance.ALLOWED]
    if not against:
        if wanted is Way.ROTATE:
            return Choice(way=Way.ROTATE, why="asked for; the state could have been kept")
        return Choice(way=Way.KEEP, why="all that the new code needs is compatible")
    query, item = min(against, key=lambda found: _WORST_FIRST.index(found[1].acceptance))
    told = f"{item.acceptance} for {query}: {item.name}: {item.detail}"
    if wanted is Way.KEEP:
        if item.acceptance is Acceptance.IMPOSSIBLE:
            raise Refused(
                f"the state cannot be kept: {told}",
                hint="Without --keep a new generation is begun at the same offsets.",
            )
        return Choice(way=Way.KEEP, why=f"asked for, although {told}")
    return Choice(way=Way.ROTATE, why=told)


_WORST_FIRST = (Acceptance.IMPOSSIBLE, Acceptance.UNKNOWN, Acceptance.RISKY, Acceptance.ALLOWED)
