"""Every finding that `verify` can report: its code, what it means, what Spark does, the remedy.

Codes are stable: they are never renamed or used for something else. `streamctl explain CODE`
prints an entry of this list. Effects were measured by starting real Spark on damaged checkpoints.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from streamctl.checkpoint.verify.kinds import Effect, Severity, kinds
from streamctl.reports import Verdict

RESTORE = "Restore the checkpoint from a backup: `{restore}`."
_NOT_KNOWN = frozenset({"format-unsupported", "unreadable", "kafka-unreachable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        code: stable; `streamctl explain CODE` says more.
        severity: error, warning, or note (worth knowing, no harm).
        effect: what the next start of the query does.
        path: the file, relative to the checkpoint; "" for the whole.
        detail: what was seen, one line.
        condition: Spark's error condition or message; empty when Spark does not complain.
        hint: the way out, with its command; until `remedy.complete` with fields to fill.
    """

    code: str
    severity: Severity
    effect: Effect
    path: str
    detail: str
    condition: str
    hint: str

    @property
    def verdict(self) -> Verdict:
        """A note is ok, an error a problem; a warning of unforeseeable effect is unknown."""
        if self.severity is Severity.NOTE:
            return Verdict.OK
        doubt = self.severity is Severity.WARNING and self.effect is Effect.UNKNOWN
        return Verdict.UNKNOWN if doubt or self.code in _NOT_KNOWN else Verdict.PROBLEM


def finding(
    code: str,
    path: str,
    detail: str,
    *,
    effect: Effect | None = None,
    severity: Severity | None = None,
    condition: str | None = None,
    remedy: str = "",
) -> Finding:
    """A finding of a listed kind.

    Args:
        code: of `kinds.toml`.
        path: the file, relative to the checkpoint.
        detail: what was seen.
        effect: where it differs from the kind's usual one.
        severity: likewise.
        condition: likewise.
        remedy: likewise.

    Raises:
        KeyError: no such kind.
    """
    kind = kinds()[code]
    return Finding(
        code=code,
        severity=severity or kind.severity,
        effect=effect or kind.effect,
        path=path,
        detail=detail,
        condition=kind.condition if condition is None else condition,
        hint=remedy or kind.remedy,
    )


_ORDER = (Effect.FAILS, Effect.WRONG, Effect.UNKNOWN, Effect.STARTS)


def forecast(found: list[Finding]) -> Effect:
    """What the next start does: the worst of the effects."""
    return worst_effect(item.effect for item in found if item.severity is not Severity.NOTE)


def worst_effect(effects: Iterable[Effect]) -> Effect:
    """Of several things, the one that the start shows; without any it starts."""
    seen = set(effects)
    return next((effect for effect in _ORDER if effect in seen), Effect.STARTS)
