"""One round of a schedule: take a backup, read it back, prune by policy.

A round that fails is told, and the next one is made at its time: what is wrong with the place of
the backups must not stop what is backed up.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from streamctl.checkpoint.backup.check import check
from streamctl.checkpoint.backup.policy import Policy
from streamctl.checkpoint.backup.prune import prune
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.take import About, Source, take
from streamctl.reports import OnEvent, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a round did.

    Attributes:
        verdict: ok, or problem when the backup was not taken or is not whole.
        id: of the backup; empty when none was taken.
        batches: query -> batch that it goes on from.
        pruned: ids of the backups that went by the policy.
        problem: what went wrong, one line; empty when all went well.
    """

    verdict: Verdict
    at: datetime
    id: str = ""
    batches: dict[str, int] = field(default_factory=dict)
    stored_bytes: int = 0
    pruned: list[str] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""


def make_round(
    repository: Repository,
    sources: Iterable[Source],
    about: About,
    policy: Policy,
    *,
    read_data: bool,
    now: datetime,
    on_event: OnEvent,
) -> Round:
    """Take, verify, prune.

    Args:
        repository: of the backups.
        sources: the queries.
        about: what else the manifest says.
        policy: which older backups stay; an empty one removes none.
        read_data: verify every byte of the new backup, not only that its pieces are there.
        now: UTC.
        on_event: told of bytes.

    Raises:
        StreamctlError: it could not be taken, or not be pruned.
    """
    taken = take(sources, repository, about, now=now, on_event=on_event)
    checked = check(repository, ids=[taken.id], read_data=read_data, now=now, on_event=on_event)
    problems = [*checked.problems, *(text for one in checked.backups for text in one.problems)]
    pruned: list[str] = []
    if checked.verdict is Verdict.OK and not policy.is_empty:
        report = prune(repository, policy, now=now, dry_run=False, on_event=on_event)
        pruned = [choice.id for choice in report.choices if not choice.stays]
    return Round(
        verdict=checked.verdict,
        at=now,
        id=taken.id,
        batches={query.name: query.batch_id for query in taken.queries},
        stored_bytes=taken.stored_bytes,
        pruned=pruned,
        seconds=taken.seconds,
        problem=problems[0] if problems else "",
    )
