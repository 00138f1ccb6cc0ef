"""The output of a reprocessing against the live one, by a Spark child."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.errors import NotFound
from streamctl.job.ask import ask_about
from streamctl.reports import Verdict, worst
from streamctl.reprocess.places import Places
from streamctl.settings.model import Settings

_PATIENCE_SECONDS = 6 * 3600.0
"""Outputs may be large, and the operator can interrupt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryComparison:
    """One query's rows over the time that both outputs have.

    Attributes:
        equal, different, only_one, only_other: rows; `one` is the live output.
        edge: rows at the first and the last time of the range, which either side may not have
            whole: not judged.
        repeated: rows whose key was there before.
        first, last: of the shared range; None when the query names no time, or nothing is shared.
        samples: kind -> rows, each with `one` and `other`.
    """

    query: str
    equal: int
    different: int
    only_one: int
    only_other: int
    edge: int
    repeated: int
    first: str | None
    last: str | None
    samples: Mapping[str, list[dict[str, Any]]]

    @property
    def verdict(self) -> Verdict:
        """Unknown when nothing was shared."""
        if self.different or self.only_one or self.only_other or self.repeated:
            return Verdict.PROBLEM
        return Verdict.OK if self.equal else Verdict.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All queries that write files.

    Attributes:
        one: output of the live generation.
        other: output of the reprocessing.
    """

    verdict: Verdict
    generation: str
    one: str
    other: str
    queries: list[QueryComparison]


def compare(
    places: Places, settings: Settings, *, generation: str, samples: int, project: Path
) -> Comparison:
    """Compare a reprocessed generation with the current one.

    Args:
        places: of the live job.
        settings: of the live job.
        generation: of the reprocessing; empty for the newest.
        samples: rows of each kind of difference.
        project: working directory of the child, from which the job is imported.

    Raises:
        NotFound: nothing was reprocessed, or the job never ran.
        ChildFailed: Spark could not read one of the outputs.
    """
    other = places.one(generation)
    live = generations.current(places.store)
    if live is None or live.name == other.name:
        raise NotFound(
            f"generation {other.name} is the current one: there is nothing to compare it with",
            hint="`streamctl reprocess promote --back` points to the one before.",
        )
    bases = [_output(settings, part) for part in (live, other)]
    found = [_parse(fields) for fields in _ask(settings, bases, samples=samples, project=project)]
    return Comparison(
        verdict=worst(query.verdict for query in found) if found else Verdict.UNKNOWN,
        generation=other.name,
        one=bases[0],
        other=bases[1],
        queries=found,
    )


def _output(settings: Settings, generation: Generation) -> str:
    return generations.base(generation.output_location or settings.output.location, generation.name)


def _ask(settings: Settings, bases: list[str], *, samples: int, project: Path) -> list[Any]:
    return ask_about(
        "jobs.compare",
        settings,
        [*bases, "--samples", str(samples)],
        project=project,
        timeout_seconds=_PATIENCE_SECONDS,
        hint=f'Look whether both outputs are there: "{bases[0]}", "{bases[1]}".',
    )


def _parse(fields: dict[str, Any]) -> QueryComparison:
    first, last = fields.pop("range") or (None, None)
    return QueryComparison(**fields, first=first, last=last)
