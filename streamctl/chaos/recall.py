"""Reads a campaign back: its verdicts made anew from its evidence, and what left none."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from streamctl.chaos.campaign import CAMPAIGN, Campaign, NotRun
from streamctl.chaos.verdict import Judgement
from streamctl.errors import ExitCode, Malformed
from streamctl.reports import Verdict, worst


def recall(directory: Path, judgements: Sequence[Judgement]) -> Campaign:
    """What came of a campaign. What was planned and left no evidence is unknown, never ok.

    Args:
        directory: of the campaign.
        judgements: one for each evidence that it left.

    Raises:
        Malformed: `campaign.json` cannot be read.
    """
    known = _read(directory / CAMPAIGN)
    told = [_not_run(each) for each in known.get("not_run", [])]
    planned = known.get("planned") or list(_begun(directory))
    not_run = [*told, *_missing(planned, judgements, told)]
    verdicts = [each.verdict for each in judgements] + [Verdict.UNKNOWN for _ in not_run]
    return Campaign(
        id=directory.name,
        verdict=worst(verdicts) if verdicts else Verdict.UNKNOWN,
        seed=known.get("seed"),
        started_at=known.get("started_at", ""),
        seconds=known.get("seconds"),
        directory=directory,
        planned=planned,
        command=known.get("command", ""),
        surroundings=known.get("surroundings", {}),
        judgements=list(judgements),
        not_run=not_run,
    )


def _read(path: Path) -> dict[str, Any]:
    """Empty for a campaign of an older release that was killed: it left no such file."""
    try:
        known: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Malformed(
            f'cannot read "{path}": {error}',
            hint="Move it away: what is told then comes from the evidence alone.",
        ) from error
    return known


def _not_run(known: dict[str, Any]) -> NotRun:
    return NotRun(**{**known, "exit_code": ExitCode(known["exit_code"])})


def _begun(directory: Path) -> Iterator[str]:
    """Names of the experiments that have a directory, `<number>-<experiment>`."""
    for place in sorted(directory.glob("[0-9]*-*")):
        yield place.name.partition("-")[2]


def _missing(
    planned: Sequence[str], judgements: Sequence[Judgement], told: Sequence[NotRun]
) -> list[NotRun]:
    """What was planned, and neither left evidence nor said why not."""
    left = Counter(planned)
    left.subtract(judgement.experiment for judgement in judgements)
    left.subtract(each.experiment for each in told)
    return [
        NotRun(
            experiment=name,
            reason="it left no evidence: the campaign has not come to it, or was ended before",
            hint="",
            exit_code=ExitCode.FOUND,
        )
        for name in left.elements()
    ]
