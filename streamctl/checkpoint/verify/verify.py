"""Will Spark start from this checkpoint, and rightly? Every finding names file, effect and remedy.

A checkpoint may be written while it is verified. A look that meets a vanished file is taken anew,
and a finding counts only when two looks in a row see it: what Spark was just writing or purging is
gone by the second.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files, Unreadable
from streamctl.checkpoint.tree.reader import ATTEMPTS, Checkpoint
from streamctl.checkpoint.tree.state import Operator
from streamctl.checkpoint.verify import deep as verify_deep
from streamctl.checkpoint.verify import files as verify_files
from streamctl.checkpoint.verify import logs as verify_logs
from streamctl.checkpoint.verify import remedy
from streamctl.checkpoint.verify import state as verify_state
from streamctl.checkpoint.verify.findings import Finding, finding, forecast
from streamctl.checkpoint.verify.kinds import Effect, Severity
from streamctl.checkpoint.verify.logs import guarded
from streamctl.errors import StreamctlError, Unsupported
from streamctl.reports import Verdict, worst

SETTLE_SECONDS = 0.3
"""Between two looks: longer than a rename and its sidecar take."""
_LOOKS = 4


class Level(StrEnum):
    """How much is read.

    Fast: what the next start reads. Deep: every file that can be reached. Brief: as fast, for a
    copy whose bytes are known to be those of the original.
    """

    BRIEF = "brief"
    FAST = "fast"
    DEEP = "deep"


_LIMIT_BYTES = {Level.BRIEF: 64 << 10, Level.FAST: 16 << 20, Level.DEEP: None}
"""No larger state file is read: its name and length must do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a verification found.

    Attributes:
        verdict: ok, problem, or unknown when something could not be read or foretold.
        forecast: what the next start does: starts, fails, starts_wrong, unknown.
        location: as given.
        verified_at: UTC.
        level: fast or deep.
        query_id: None when it cannot be read.
        planned_batch_id, committed_batch_id: newest entries of the logs.
        next_batch_id: what the next start runs first; None before the first batch.
        findings: worst first; notes last.
        unread_files: state files that a start needs and that were too large to read at this
            level; their names and lengths were looked at.
        looks: how often the checkpoint was looked at.
        filesystem_calls: listings and reads.
        query: its name, where several were verified; else empty.
    """

    verdict: Verdict
    forecast: Effect
    location: str
    verified_at: datetime
    level: Level
    query_id: str | None
    planned_batch_id: int | None
    committed_batch_id: int | None
    next_batch_id: int | None
    findings: tuple[Finding, ...]
    unread_files: int
    looks: int
    filesystem_calls: int
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueriesReport:
    """All queries of a job's current generation.

    Attributes:
        verdict: the worst of theirs.
        location: that holds the generation.
        queries: sorted by name.
    """

    verdict: Verdict
    location: str
    queries: tuple[VerifyReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    logs: verify_logs.Logs
    findings: tuple[Finding, ...]
    operators: tuple[Operator, ...] = ()
    unread: int = 0


def verify(
    checkpoint: Checkpoint,
    *,
    level: Level = Level.FAST,
    sink: str = "",
    more: Callable[[verify_logs.Logs], list[Finding]] | None = None,
    query: str = "",
    aim: Callable[[], remedy.Aim] | None = None,
    now: datetime | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> VerifyReport:
    """Look for everything that stops Spark from starting or makes it wrong. Read only.

    Args:
        checkpoint: the query may be running.
        level: fast reads what a start needs, deep everything.
        sink: output directory of a file sink, to compare its log; "" for none.
        more: further checks of the logs, such as against Kafka.
        query: its name, for the report.
        aim: what the remedies' commands have to name; by default the checkpoint's location.
            Asked when there are findings.
        now: UTC; the clock's by default.
        sleep: waits between two looks.

    Raises:
        StreamctlError: files kept vanishing.
    """
    files = checkpoint.files
    output = Files(sink) if sink else None
    look, looks = _settled(files, output, level, sleep)
    logs = look.logs
    found = remedy.complete(
        [*look.findings, *(more(logs) if more is not None else ())],
        files,
        aim or partial(remedy.Aim, path=checkpoint.location, sink=sink),
        output=output,
        newest_sound=lambda: remedy.newest_sound(logs, look.operators, look.findings),
    )
    return VerifyReport(
        verdict=worst(item.verdict for item in found),
        forecast=forecast(found),
        location=checkpoint.location,
        verified_at=now or datetime.now(UTC),
        level=level,
        query_id=_query_id(checkpoint),
        planned_batch_id=logs.planned[-1] if logs.planned else None,
        committed_batch_id=logs.committed[-1] if logs.committed else None,
        next_batch_id=logs.start.batch_id if logs.start else None,
        findings=tuple(sorted(found, key=_rank)),
        unread_files=look.unread,
        looks=looks,
        filesystem_calls=files.calls,
        query=query,
    )


def _settled(
    files: Files, output: Files | None, level: Level, sleep: Callable[[float], None]
) -> tuple[_Look, int]:
    """Look until nothing is wrong, or the same things twice."""
    look = _look(files, output, level)
    seen = {(item.code, item.path) for item in look.findings}
    for number in range(1, _LOOKS):
        if all(item.severity is Severity.NOTE for item in look.findings):
            return look, number
        sleep(SETTLE_SECONDS)
        look = _look(files, output, level)
        again = {(item.code, item.path) for item in look.findings}
        if again == seen:
            return look, number + 1
        seen, before = again, seen
        kept = tuple(item for item in look.findings if (item.code, item.path) in before)
        look = replace(look, findings=kept)
    return look, _LOOKS


def _look(files: Files, output: Files | None, level: Level) -> _Look:
    missing = ""
    for _ in range(ATTEMPTS):
        try:
            return _look_once(files, output, level)
        except FileNotFoundError as error:
            missing = str(error)
    raise StreamctlError(
        f"files kept vanishing while they were read: {missing}",
        hint="Try again: the query purges faster than its checkpoint can be read.",
    )


def _look_once(files: Files, output: Files | None, level: Level) -> _Look:
    try:
        logs = verify_logs.look(files)
    except Unreadable as error:  # without the logs nothing else says anything
        refused = finding("unreadable", error.path, error.message)
        return _Look(logs=verify_logs.nothing(files), findings=(refused,))
    found = list(logs.found)
    found += guarded("", lambda: verify_files.look(logs))
    found += guarded(layout.SOURCES, lambda: verify_files.look_at_sources(logs))
    operators, unread = _look_at_state(logs, level, found)
    if output is not None:
        stores = [store for operator in operators for store in operator.stores]
        newest = max((f.version for store in stores for f in store.files), default=0)
        found += guarded(
            layout.SINK_LOG, lambda: verify_files.look_at_sink(logs, output, newest_state=newest)
        )
    return _Look(logs=logs, findings=_once(found), operators=operators, unread=unread)


def _look_at_state(
    logs: verify_logs.Logs, level: Level, found: list[Finding]
) -> tuple[tuple[Operator, ...], int]:
    """The operators, and how many files were too large."""
    operators: tuple[Operator, ...] = ()
    unread = 0
    try:
        limit_bytes = _LIMIT_BYTES[level]
        operators, state_findings, unread = verify_state.look(
            logs, limit_bytes=limit_bytes, in_place=level is not Level.BRIEF
        )
        found += state_findings
        if level is Level.DEEP:
            found += verify_deep.look(logs, operators)
    except Unsupported as error:
        found.append(finding("format-unsupported", "", error.message))
    except Unreadable as error:
        found.append(finding("unreadable", error.path, error.message))
    return operators, unread


def _once(found: list[Finding]) -> tuple[Finding, ...]:
    """One finding a file: the deep look repeats what the fast one said."""
    seen: dict[str, set[str]] = {}
    kept = []
    for item in found:
        codes = seen.setdefault(item.path, set())
        if item.code in codes or (item.code.endswith("-old-damaged") and codes):
            continue
        codes.add(item.code)
        kept.append(item)
    return tuple(kept)


def _rank(item: Finding) -> tuple[int, int, str, str]:
    severity = list(Severity).index(item.severity)
    effect = (Effect.FAILS, Effect.WRONG, Effect.UNKNOWN, Effect.STARTS).index(item.effect)
    return severity, effect, item.path, item.code


def _query_id(checkpoint: Checkpoint) -> str | None:
    try:
        return checkpoint.query_id()
    except StreamctlError:
        return None
