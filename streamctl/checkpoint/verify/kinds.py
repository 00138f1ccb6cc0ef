"""The kinds of finding: what each is, what Spark does, what to do. The list is `kinds.toml`."""

import functools
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """How much it matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Effect(StrEnum):
    """What the next start of the query does."""

    STARTS = "starts"
    FAILS = "fails"
    WRONG = "starts_wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of finding.

    Attributes:
        code: stable.
        severity: usual severity.
        effect: usual effect on the next start.
        meaning: one or two sentences.
        condition: Spark's error condition or message text; empty when Spark does not complain.
        remedy: a sentence with a command; `remedy.py` fills its fields.
    """

    code: str
    severity: Severity
    effect: Effect
    meaning: str
    condition: str
    remedy: str


@functools.cache
def kinds() -> dict[str, Kind]:
    """Every kind by its code."""
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return {
        code: Kind(
            code=code,
            severity=Severity(row["severity"]),
            effect=Effect(row["effect"]),
            meaning=row["meaning"],
            condition=row["condition"],
            remedy=row["remedy"],
        )
        for code, row in tomllib.loads(text).items()
    }
