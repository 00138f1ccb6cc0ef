"""Will the checkpoint accept this code and these settings? Asked before the running job is stopped.

A Spark child plans the job's queries on scratch checkpoints, under the settings that the real ones
pin; both are then read by the same reader and compared. Instead of building Spark's plan by its
private classes: what Spark writes into a fresh checkpoint is the same in every release, and is
what it compares with.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamctl.checkpoint.compat import held as compat_held
from streamctl.checkpoint.compat.model import Acceptance, Demanded, Held, Item, Source
from streamctl.checkpoint.compat.rules import compare
from streamctl.checkpoint.location.find import find_all
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Effect
from streamctl.checkpoint.verify.remedy import Aim, fill
from streamctl.checkpoint.verify.verify import verify
from streamctl.errors import JobNotFound, StreamctlError
from streamctl.jars import connector_jars
from streamctl.java import find_java
from streamctl.job.ask import ChildFailed, ask
from streamctl.lifecycle.verifying import aim_of
from streamctl.reports import OnEvent, Verdict, ignore
from streamctl.settings.model import Settings

_VERDICTS = {
    Acceptance.ALLOWED: Verdict.OK,
    Acceptance.RISKY: Verdict.PROBLEM,
    Acceptance.IMPOSSIBLE: Verdict.PROBLEM,
    Acceptance.UNKNOWN: Verdict.UNKNOWN,
}
_WORST_FIRST = (
    Acceptance.IMPOSSIBLE,
    Acceptance.UNKNOWN,
    Acceptance.RISKY,
    Acceptance.ALLOWED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPreflight:
    """One query and its checkpoint.

    Attributes:
        acceptance: the worst of the items.
        items: in the order in which Spark looks at them.
    """

    query: str
    checkpoint: str
    acceptance: Acceptance
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightReport:
    """All queries that have a checkpoint.

    Attributes:
        verdict: ok when all is allowed, or risky and accepted; unknown when a thing is not known.
        job: the entry that was planned.
        without_checkpoint: queries of the code that begin anew; where one checkpoint was asked
            about, none is told.
    """

    verdict: Verdict
    job: str
    spark_version: str
    queries: tuple[QueryPreflight, ...]
    without_checkpoint: tuple[str, ...]


def preflight(
    location: str,
    settings: Settings,
    *,
    query: str = "",
    accept_risky: bool = False,
    project: Path,
    timeout_seconds: float = 180,
    context: str = "",
    on_event: OnEvent = ignore,
) -> PreflightReport:
    """Compare checkpoints with the code and the settings that are to run on them. Read only.

    Args:
        location: a checkpoint, or a checkpoint location that holds generations.
        settings: with the job's entry, as the next start would have them.
        query: one of several; a checkpoint's directory bears its query's name by default.
        accept_risky: let risky items pass.
        project: working directory of the child, from which the job is imported.
        timeout_seconds: for the child, from its start to its end.
        context: named context of the settings, for the hints.
        on_event: told when jars are fetched.

    Raises:
        CheckpointNotFound: no checkpoint there.
        JobNotFound: the job's code or its plan fails; the message is its own.
        DeadlinePassed: Spark did not answer in time.
        Malformed, Unsupported: an offsets entry cannot be read.
    """
    checkpoints = find_all(location, query=query)
    held = {name: compat_held.read(checkpoint) for name, checkpoint in checkpoints.items()}
    connector_jars(java=find_java(), on_event=on_event)  # so that the child has them at hand
    with tempfile.TemporaryDirectory(prefix="streamctl-preflight-") as scratch:
        request = {
            "settings": settings.model_dump(mode="json"),
            "state_format_version": _format_version(held),
            "queries": [
                _question(name, checkpoints[name], held[name], Path(scratch)) for name in held
            ],
        }
        file = Path(scratch) / "request.json"
        file.write_text(json.dumps(request), encoding="utf-8")
        file.chmod(0o600)
        answers = _ask(file, settings, project=project, timeout_seconds=timeout_seconds)
        found = tuple(
            _judge(
                checkpoints[name],
                held[name],
                planned=compat_held.read(Checkpoint.open(str(Path(scratch) / name))),
                said=said,
                settings=settings,
                aim=aim_of(
                    location, settings, query=name if len(held) > 1 else query, context=context
                ),
            )
            for name, said in zip(held, answers, strict=True)
        )
    alone = any(checkpoint.location == location for checkpoint in checkpoints.values())
    whole = not query and not alone
    return _report(found, answers, settings, accept_risky=accept_risky, whole=whole)


def _format_version(held: Mapping[str, Held]) -> int | None:
    return next((side.format_version for side in held.values() if side.format_version), None)


def _question(name: str, checkpoint: Checkpoint, held: Held, scratch: Path) -> dict[str, Any]:
    return {
        "name": name,
        "conf": dict(held.conf),
        "scratch": str(scratch / name),
        "checkpoint": checkpoint.location,
        "windows": compat_held.windows(held),
    }


def _ask(file: Path, settings: Settings, *, project: Path, timeout_seconds: float) -> list[Any]:
    try:
        return ask(
            "jobs.preflight",
            [str(file)],
            project=project,
            timeout_seconds=timeout_seconds,
            settings=settings,
        )
    except ChildFailed as error:
        raise JobNotFound(
            f'job "{settings.job.entry}" cannot be planned: {error.message}',
            hint="Mend the code: a start would fail likewise. `streamctl doctor` checks the rest.",
        ) from error


def _judge(
    checkpoint: Checkpoint,
    held: Held,
    *,
    planned: Held,
    said: Mapping[str, Any],
    settings: Settings,
    aim: Aim,
) -> QueryPreflight:
    """Compare one query's checkpoint with what its new code wrote into the scratch one."""
    seen = said["state_window_ms"]
    held = replace(held, window_ms=None if seen is None else frozenset(seen))
    demanded = Demanded(
        spark_version=said["spark_version"],
        sources=tuple(_source(source, settings) for source in planned.sources),
        conf=said["conf"],
        operators=planned.operators,
        window_ms=frozenset(said["plan_window_ms"]) or None,
        format_version=said["format_version"],
        fail_on_data_loss=settings.kafka.fail_on_data_loss,
    )
    commands = aim.commands()
    compared = (replace(i, hint=fill(i.hint, commands)) for i in compare(held, demanded))
    items = (*_whole(checkpoint, aim), *compared)
    return QueryPreflight(
        query=said["query"],
        checkpoint=checkpoint.location,
        acceptance=min((item.acceptance for item in items), key=_WORST_FIRST.index),
        items=items,
    )


def _source(source: Source, settings: Settings) -> Source:
    """What is planned from made-up records, of a rate source, is read from Kafka in earnest."""
    if source.kind == "rate":
        return Source(kind="kafka", topics=frozenset(settings.kafka.topics))
    return source


def _whole(checkpoint: Checkpoint, aim: Aim) -> list[Item]:
    """A damaged checkpoint takes no code at all."""
    report = verify(checkpoint, aim=lambda: aim)
    if report.forecast is Effect.STARTS:
        return []
    acceptance = Acceptance.UNKNOWN
    if report.verdict is Verdict.PROBLEM:
        acceptance = Acceptance.IMPOSSIBLE
    worst = report.findings[0]
    return [
        Item(
            name="checkpoint",
            acceptance=acceptance,
            detail=f"{worst.code}: {worst.detail}",
            condition=worst.condition,
            hint=worst.hint,
        )
    ]


def _report(
    found: tuple[QueryPreflight, ...],
    answers: list[Any],
    settings: Settings,
    *,
    accept_risky: bool,
    whole: bool,
) -> PreflightReport:
    if not found:
        raise StreamctlError("no query has a checkpoint", hint="Start it with `streamctl start`.")
    worst = min((one.acceptance for one in found), key=_WORST_FIRST.index)
    accepted = worst is Acceptance.RISKY and accept_risky
    compared = {one.query for one in found}
    in_code = answers[0]["queries"] if whole else []
    return PreflightReport(
        verdict=Verdict.OK if accepted else _VERDICTS[worst],
        job=settings.job.entry,
        spark_version=answers[0]["spark_version"],
        queries=found,
        without_checkpoint=tuple(name for name in in_code if name not in compared),
    )
