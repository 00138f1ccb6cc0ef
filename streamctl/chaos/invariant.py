"""One thing that must hold, and how a check of it answers."""

from dataclasses import dataclass

from streamctl.reports import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One thing that must hold.

    Attributes:
        verdict: ok, violated (problem) or unknown; ok too where it does not apply, and `detail`
            says so.
        detail: what was seen, one line.
    """

    name: str
    verdict: Verdict
    detail: str


def found(name: str, detail: str, *, wrong: bool) -> Invariant:
    """It could be looked at."""
    return Invariant(name=name, verdict=Verdict.PROBLEM if wrong else Verdict.OK, detail=detail)


def unknown(name: str, why: str) -> Invariant:
    """It could not be looked at."""
    return Invariant(name=name, verdict=Verdict.UNKNOWN, detail=why)


def does_not_apply(name: str, why: str) -> Invariant:
    """Nothing happened that it is about."""
    return Invariant(name=name, verdict=Verdict.OK, detail=f"does not apply: {why}")
