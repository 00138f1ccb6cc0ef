"""Explain a code, or the codes in a log.

The condition that counts is often not the outermost: under foreachBatch it is only text inside the
message, so a log is searched line by line for every condition and known message.
"""

import difflib
import functools
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from streamctl.checkpoint.verify.kinds import Effect, kinds
from streamctl.checkpoint.verify.remedy import in_general
from streamctl.errors import EXIT_MEANINGS, ExitCode, NotFound
from streamctl.reports import Verdict

_NAMED = re.compile(r"\[([A-Z][A-Z0-9_]{3,}(?:\.[A-Z0-9_]+)?)\]")
"""Spark writes a condition in brackets before its message."""
_LEGACY = re.compile(r"_LEGACY_ERROR_TEMP_\d+")
"""These it writes nowhere in the message; what asks for the condition by itself may log it."""
_EXIT = re.compile(r"(?:exit[ -]?)?(\d{1,3})\Z", re.IGNORECASE)
_EFFECTS = {
    Effect.STARTS: "The next start works.",
    Effect.FAILS: "The next start fails.",
    Effect.WRONG: "The query starts, and its results are wrong.",
    Effect.UNKNOWN: "What the next start does cannot be told from the files.",
}


class CodeKind(StrEnum):
    """Where a code comes from."""

    FINDING = "finding"
    EXIT_CODE = "exit_code"
    SPARK_CONDITION = "spark_condition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One code.

    Attributes:
        meaning: what it says.
        cause: what usually leads to it.
        remedy: the way out, with its command.
        effect: of a finding: what the next start does, and what Spark says; else empty.
    """

    code: str
    kind: CodeKind
    meaning: str
    cause: str
    remedy: str
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A condition in a log.

    Attributes:
        lines: how many lines have it.
        first_line: number of the first, from 1.
        explanation: None when this release does not know the condition.
    """

    condition: str
    lines: int
    first_line: int
    explanation: Explanation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """The conditions in a log.

    Attributes:
        verdict: problem when there is one, unknown when one is not known.
    """

    verdict: Verdict
    lines: int
    conditions: tuple[Recognised, ...]


def explain(code: str) -> Explanation:
    """Explain a finding's code, an exit code, or a condition of Spark's.

    Raises:
        NotFound: none of these.
    """
    text = code.strip().strip("[]")
    if text in kinds():
        return _finding(text)
    number = _EXIT.match(text)
    if number is not None and int(number[1]) in {int(item) for item in ExitCode}:
        return _exit_code(ExitCode(int(number[1])))
    condition = _condition(_whole(text.upper()))
    if condition is not None:
        return condition
    names = [*kinds(), *_table("conditions"), *(str(int(item)) for item in ExitCode)]
    near = difflib.get_close_matches(text, names, n=3) + difflib.get_close_matches(
        text.upper(), names, n=3
    )
    hint = f"Did you mean {', '.join(dict.fromkeys(near))}?" if near else "Give a code or a file."
    raise NotFound(f'nothing known by the code "{code}"', hint=hint)


def explain_log(lines: Iterable[str]) -> LogReport:
    """Find every condition in a log, read line by line.

    Args:
        lines: text of any length; each line is looked at alone.
    """
    seen: dict[str, tuple[int, int]] = {}
    total = 0
    for total, line in enumerate(lines, start=1):
        for name in sorted(_in_line(line)):
            count, first = seen.get(name, (0, total))
            seen[name] = (count + 1, first)
    found = tuple(
        Recognised(condition=name, lines=count, first_line=first, explanation=_condition(name))
        for name, (count, first) in seen.items()
    )
    verdict = Verdict.OK
    if found:
        unknown = all(item.explanation is None for item in found)
        verdict = Verdict.UNKNOWN if unknown else Verdict.PROBLEM
    return LogReport(verdict=verdict, lines=total, conditions=found)


def _in_line(line: str) -> set[str]:
    found = {name for name in _NAMED.findall(line) if "_" in name} | {*_LEGACY.findall(line)}
    found |= {name for name, texts in _texts() if any(text.search(line) for text in texts)}
    return found - {_group(name) for name in found if "." in name}


def _finding(code: str) -> Explanation:
    kind = kinds()[code]
    says = f" Spark says: {kind.condition}." if kind.condition else ""
    return Explanation(
        code=code,
        kind=CodeKind.FINDING,
        meaning=kind.meaning,
        cause=_table("findings")[code],
        remedy=in_general(kind.remedy),
        effect=_EFFECTS[kind.effect] + says,
    )


def _exit_code(code: ExitCode) -> Explanation:
    row = _table("exit_codes")[code.name]
    return Explanation(
        code=str(int(code)),
        kind=CodeKind.EXIT_CODE,
        meaning=EXIT_MEANINGS[code],
        cause=row["cause"],
        remedy=row["remedy"],
    )


def _condition(name: str) -> Explanation | None:
    rows = _table("conditions")
    row = rows.get(name) or rows.get(_group(name))
    if row is None:
        return None
    return Explanation(
        code=name,
        kind=CodeKind.SPARK_CONDITION,
        meaning=row["meaning"],
        cause=row["cause"],
        remedy=row["remedy"],
    )


def _group(name: str) -> str:
    """The condition that one with a dot is a case of."""
    return name.partition(".")[0]


def _whole(name: str) -> str:
    """A condition's whole name, where only the part after its dot is given."""
    return next((known for known in _table("conditions") if known.endswith(f".{name}")), name)


@functools.cache
def _table(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


@functools.cache
def _texts() -> tuple[tuple[str, tuple[re.Pattern[str], ...]], ...]:
    return tuple(
        (name, tuple(re.compile(text) for text in row["text"]))
        for name, row in _table("conditions").items()
        if "text" in row
    )
