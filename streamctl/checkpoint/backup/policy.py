"""Which backups stay and why. Pure.

The meaning of the rules is that of restic's `forget` (`internal/data/snapshot_policy.go`): each
bucket of time keeps its newest backup, as many buckets as asked for, counted over those that have
one. Beyond that, three guards: one that is marked to be kept stays, the newest that was found
whole stays, and at least so many stay as the settings say. All of it holds for each location by
itself, so that jobs that share a repository do not push each other's backups out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How many of each.

    Attributes:
        within: those that are younger stay; None for no such rule.
        at_least: so many stay whatever the rules say.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    within: timedelta | None = None
    at_least: int = 1

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing: then nothing goes."""
        return not (self.last or self.hourly or self.daily or self.weekly or self.within)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A backup as the policy sees it.

    Attributes:
        of: the location that was backed up.
    """

    id: str
    of: str = ""
    at: datetime
    verified: bool = False
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One backup, whether it stays, and why."""

    id: str
    stays: bool
    reasons: tuple[str, ...] = field(default=())


Bucket = Callable[[Candidate], object]
_BUCKETS: dict[str, Bucket] = {
    "last": lambda backup: backup.id,
    "hourly": lambda backup: (backup.at.date(), backup.at.hour),
    "daily": lambda backup: backup.at.date(),
    "weekly": lambda backup: backup.at.isocalendar()[:2],
}


def choose(candidates: Sequence[Candidate], policy: Policy, *, now: datetime) -> list[Choice]:
    """Decide for each backup, newest first.

    Args:
        candidates: in any order.
        policy: the rules.
        now: UTC; a backup of the future is as young as can be.
    """
    newest_first = sorted(candidates, key=lambda c: (c.at, c.id), reverse=True)
    if policy.is_empty:
        return [Choice(id=c.id, stays=True, reasons=("no rule is given",)) for c in newest_first]
    reasons: dict[str, list[str]] = {}
    for location in {candidate.of for candidate in candidates}:
        reasons |= _reasons([c for c in newest_first if c.of == location], policy, now)
    return [
        Choice(id=c.id, stays=bool(reasons[c.id]), reasons=tuple(reasons[c.id]))
        for c in newest_first
    ]


def _reasons(
    newest_first: Sequence[Candidate], policy: Policy, now: datetime
) -> dict[str, list[str]]:
    """Why each backup of one location stays; nothing for those that go."""
    reasons: dict[str, list[str]] = {c.id: [] for c in newest_first}
    for candidate in newest_first:
        if policy.within is not None and now - candidate.at <= policy.within:
            reasons[candidate.id].append("within")
    for name, bucket in _BUCKETS.items():
        for chosen in _newest_of_buckets(newest_first, bucket, getattr(policy, name)):
            reasons[chosen].append(name)
    _guard(newest_first, policy, reasons)
    return reasons


def _guard(
    newest_first: Sequence[Candidate], policy: Policy, reasons: dict[str, list[str]]
) -> None:
    """Add what stays although no rule wants it."""
    for candidate in newest_first:
        if candidate.keep:
            reasons[candidate.id].append("marked to be kept")
    verified = next((c.id for c in newest_first if c.verified), None)
    if verified is not None and not reasons[verified]:
        reasons[verified].append("the newest that was found whole")
    for candidate in newest_first:
        if sum(map(bool, reasons.values())) >= policy.at_least:
            return
        if not reasons[candidate.id]:
            reasons[candidate.id].append(f"at least {policy.at_least} stay")


def _newest_of_buckets(newest_first: Sequence[Candidate], bucket: Bucket, count: int) -> list[str]:
    """The newest of each bucket, up to `count` buckets."""
    found: dict[object, str] = {}
    for candidate in newest_first:
        if len(found) == count:
            break
        found.setdefault(bucket(candidate), candidate.id)
    return list(found.values())
