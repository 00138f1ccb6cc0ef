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

from streamctl.checkpoint.verify.kinds import Effect, kinds
from streamctl.checkpoint.verify.remedy import in_general
from streamctl.errors import EXIT_MEANINGS, ExitCode, NotFound
from streamctl.reports import Verdict

_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_]{3,}(?:\.[A-Z0-9_]+)?)\]")
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
        cause: what usually leads to it; for a finding, what Spark does and says.
        remedy: the way out, with its command.
    """

    code: str
    kind: CodeKind
    meaning: str
    cause: str
    remedy: str


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
    condition = _condition(text.upper())
    if condition is not None:
        return condition
    names = [*kinds(), *_conditions(), *(str(int(item)) for item in ExitCode)]
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
        for name in _in_line(line):
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
    found = {name for name in _CONDITION.findall(line) if "_" in name}
    for name, texts in _texts():
        if any(text in line for text in texts):
            found.add(name)
    return found


def _finding(code: str) -> Explanation:
    kind = kinds()[code]
    says = f" Spark says: {kind.condition}." if kind.condition else ""
    return Explanation(
        code=code,
        kind=CodeKind.FINDING,
        meaning=kind.meaning,
        cause=_EFFECTS[kind.effect] + says,
        remedy=in_general(kind.remedy),
    )


def _exit_code(code: ExitCode) -> Explanation:
    return Explanation(
        code=str(int(code)),
        kind=CodeKind.EXIT_CODE,
        meaning=EXIT_MEANINGS[code],
        cause=f"{code.name} in the tree of errors; the command's last line on stderr says why.",
        remedy="The line after the error is the way out.",
    )


def _condition(name: str) -> Explanation | None:
    table = _conditions()
    row = table.get(name) or table.get(name.split(".", maxsplit=1)[0])
    if row is None:
        return None
    return Explanation(
        code=name,
        kind=CodeKind.SPARK_CONDITION,
        meaning=str(row["meaning"]),
        cause=str(row["cause"]),
        remedy=str(row["remedy"]),
    )


@functools.cache
def _conditions() -> dict[str, dict[str, str | list[str]]]:
    text = Path(__file__).with_name("conditions.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@functools.cache
def _texts() -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, tuple(row["text"])) for name, row in _conditions().items() if "text" in row)
