"""What an audit says."""

from dataclasses import dataclass, field
from datetime import datetime

from streamctl.audit.account import Account, Figures
from streamctl.reports import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAudit:
    """One query.

    Attributes:
        batch_id: as of which it is looked at; None when no batch could be compared.
    """

    query: str
    verdict: Verdict
    batch_id: int | None
    figures: Figures
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAudit:
    """A producer's ledgers against windows and dead letters, record by record.

    Attributes:
        records: in the ledgers.
        unacknowledged: of these, those of which nobody knows whether they are in Kafka.
        unread: not read by the cut.
        counted, late, rejected: records that must be so.
        set_aside: records that were hidden from the job, and are dead letters.
        unjudged: read in batches of which the watermark is no longer known: counted or late.
        foreign: offsets that were read and are in no ledger.
        lost, doubled: records that windows have too few or too many.
        wrongly_judged: records that are dead letters and must not be, or the other way round, or
            for another reason.
        samples: some of these, in words.
    """

    verdict: Verdict
    records: int
    unacknowledged: int
    unread: int
    counted: int
    late: int
    rejected: int
    unjudged: int
    foreign: int
    lost: int
    doubled: int
    wrongly_judged: int
    samples: list[str] = field(default_factory=list)
    set_aside: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """Where every record of a range went.

    Attributes:
        verdict: ok only when every record was found and nothing is in doubt.
        start, end: the range in time, by the records' timestamps; None for an open end.
        ledger: None when none was given.
        limits: what this audit cannot know, in words.
    """

    verdict: Verdict
    at: datetime
    generation: str
    start: datetime | None
    end: datetime | None
    queries: list[QueryAudit]
    ledger: LedgerAudit | None
    limits: list[str]
