"""Old dead letters are deleted, for good: planned, exported, then deleted in Kafka.

Kafka deletes whole beginnings of partitions, not single records. So what goes is all before the
first letter that is young enough, in each partition.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streamctl.checkpoint.location import journal
from streamctl.checkpoint.location.store import Store
from streamctl.dlq.export import export
from streamctl.dlq.letters import Wanted, ranges, read_letters
from streamctl.kafka.client import Broker
from streamctl.reports import OnEvent, Verdict, ignore


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgePlan:
    """What would be deleted.

    Attributes:
        older_than: letters that were written before go.
        before: partition -> first offset that stays, where something goes.
        offsets: how many go; some of them may hold no letter.
    """

    verdict: Verdict
    topic: str
    older_than: datetime
    before: dict[int, int]
    offsets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What was deleted.

    Attributes:
        log_starts: partition -> first offset that is left, as Kafka says.
        file: holds the letters; None when they were not exported.
    """

    verdict: Verdict
    plan: PurgePlan
    log_starts: dict[int, int]
    file: Path | None
    exported_letters: int


def plan_purge(broker: Broker, topic: str, *, older_than: datetime) -> PurgePlan:
    """Find what is older than a moment.

    Raises:
        TopicNotFound, BrokerUnreachable: of Kafka.
    """
    found = ranges(broker, topic, Wanted(end=older_than))
    old = {partition: (start, end) for partition, (start, end) in found.items() if end > start}
    return PurgePlan(
        verdict=Verdict.OK,
        topic=topic,
        older_than=older_than,
        before={partition: end for partition, (_, end) in old.items()},
        offsets=sum(end - start for start, end in old.values()),
    )


def purge(
    broker: Broker, plan: PurgePlan, *, file: Path | None, store: Store, on_event: OnEvent = ignore
) -> Purged:
    """Export, delete, and write it into the journal.

    Args:
        broker: of the topic.
        plan: what goes.
        file: where the letters are kept; None to keep none.
        store: the checkpoint location, for the journal.
        on_event: told how far the export is.

    Raises:
        FileThere, StreamctlError: the export failed; nothing was deleted.
        BrokerUnreachable: Kafka did not answer.
    """
    exported = 0
    if file is not None and plan.before:
        old = (
            letter
            for letter in read_letters(broker, plan.topic, Wanted())
            if letter.record.offset < plan.before.get(letter.record.partition, 0)
        )
        exported = export(old, file, topic=plan.topic, on_event=on_event).letters
    starts = broker.delete_records(plan.topic, plan.before) if plan.before else {}
    if starts:
        entry = journal.Entry(
            at=datetime.now(UTC),
            who=journal.whoami(),
            verb="purge dead letters",
            why=f"older than {plan.older_than.isoformat(timespec='seconds')}",
            before={"subject": plan.topic},
            after={"log_starts": starts, "exported_to": str(file) if file else ""},
        )
        journal.record(store, entry)
    return Purged(
        verdict=Verdict.OK,
        plan=plan,
        log_starts=starts,
        file=file if exported else None,
        exported_letters=exported,
    )
