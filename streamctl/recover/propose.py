"""From evidence to a remedy: rules of a few lines, the first that holds. Pure.

A remedy is the least that lets the job go on rightly. What would give up records or state is only
chosen where nothing less is left, and what only a person can mend is told and not tried.
"""

from dataclasses import dataclass
from enum import StrEnum

from streamctl.recover.evidence import Evidence, QueryEvidence
from streamctl.reports import Verdict
from streamctl.rundir.records import FailureClass, Observed


class Remedy(StrEnum):
    """What comes before the start."""

    NOTHING = "nothing"
    """The job runs."""
    START = "start"
    REWIND = "rewind"
    """Go back to the newest batch that is whole; what came after it is read again."""
    RESTORE = "restore"
    """Go on from the newest backup, in a new generation; what came after it is read again."""
    ROTATE = "rotate"
    """Begin with empty state where each query stopped: open windows are given up."""
    QUARANTINE = "quarantine"
    """Set aside the records that a batch fails on, if it is records that it fails on."""
    MEND = "mend"
    """Only a person can do it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A remedy and its reasons.

    Attributes:
        why: what was found, one line.
        hint: a full sentence: what else there is to know or to do.
        commands: what the remedy does, as it would be typed.
        rewinds: query -> batch to go back to.
    """

    remedy: Remedy
    why: str
    hint: str
    commands: list[str]
    rewinds: dict[str, int]


def propose(evidence: Evidence) -> Proposal:
    """Choose the remedy."""
    return (
        _running(evidence)
        or _not_ready(evidence)
        or _damaged(evidence)
        or _failed(evidence)
        or _made(Remedy.START, why="nothing stands in the way")
    )


def _made(
    remedy: Remedy,
    *,
    why: str,
    hint: str = "",
    commands: tuple[str, ...] = (),
    rewinds: dict[str, int] | None = None,
) -> Proposal:
    starts = () if remedy in {Remedy.NOTHING, Remedy.MEND} else ("streamctl start",)
    return Proposal(
        remedy=remedy,
        why=why,
        hint=hint,
        commands=[*commands, *starts],
        rewinds=rewinds or {},
    )


def _running(evidence: Evidence) -> Proposal | None:
    if not evidence.running:
        return None
    if evidence.observed is Observed.RUNNING:
        return _made(Remedy.NOTHING, why="the job runs")
    return _made(
        Remedy.MEND,
        why=f"the supervisor lives and the job is {evidence.observed}",
        hint="`streamctl status` tells what it waits for; `streamctl stop` ends it.",
    )


def _not_ready(evidence: Evidence) -> Proposal | None:
    """Java, jars, job, disk, broker, topic: nothing that could be changed here."""
    bad = [check for check in evidence.checks if check.verdict is not Verdict.OK]
    if not bad:
        return None
    more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
    return _made(Remedy.MEND, why=f"{bad[0].name}: {bad[0].detail}{more}", hint=bad[0].hint)


def _damaged(evidence: Evidence) -> Proposal | None:
    bad = [query for query in evidence.queries if query.verdict is not Verdict.OK]
    if not bad:
        return None
    why = "; ".join(f"{query.query}: {_told(query)}" for query in bad)
    if any(query.verdict is Verdict.UNKNOWN for query in bad):
        return _made(Remedy.MEND, why=why, hint=bad[0].findings[0].hint if bad[0].findings else "")
    rewinds = {query.query: query.rewind_to for query in bad if query.rewind_to is not None}
    if len(rewinds) == len(bad):
        commands = tuple(
            f"streamctl checkpoint rewind --query {query} --to-batch {batch}"
            for query, batch in rewinds.items()
        )
        return _made(
            Remedy.REWIND,
            why=why,
            hint="Records after that batch are read again; the file sink goes back with it.",
            commands=commands,
            rewinds=rewinds,
        )
    if evidence.backup:
        return _made(
            Remedy.RESTORE,
            why=why,
            hint=f"Records since the backup of {evidence.backup_at} are read again.",
            commands=(f"streamctl checkpoint restore {evidence.backup}",),
        )
    return _made(
        Remedy.ROTATE,
        why=f"{why}; and there is no backup",
        hint="State is given up: windows that were open are not finished.",
        commands=("streamctl checkpoint rotate --carry-offsets",),
    )


def _told(query: QueryEvidence) -> str:
    first = query.findings[0] if query.findings else None
    if first is None:
        return f"the next start {query.forecast}"
    more = f", and {len(query.findings) - 1} more" if len(query.findings) > 1 else ""
    return f"{first.code}: {first.detail}{more}"


def _failed(evidence: Evidence) -> Proposal | None:
    failure = evidence.failure
    if failure is None:
        return None
    why = f"{failure.condition}: {failure.message}"
    if failure.condition.startswith("KAFKA_DATA_LOSS") and evidence.fail_on_data_loss:
        return _made(Remedy.MEND, why=why, hint=failure.hint)
    if failure.failure_class is FailureClass.INFRASTRUCTURE:
        return _made(Remedy.START, why=why, hint=failure.hint)
    hint = f"It fails the same way again unless that was mended. {failure.hint}".strip()
    if failure.query and evidence.may_quarantine:
        command = f"streamctl poison find --query {failure.query} --quarantine"
        told = "Records that the batch fails on become dead letters, and are hidden from the job."
        return _made(Remedy.QUARANTINE, why=why, hint=told, commands=(command,))
    if failure.query:
        hint += " `streamctl poison find` tells whether it is some records that it fails on."
    return _made(Remedy.START, why=why, hint=hint)
