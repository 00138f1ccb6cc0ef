"""Sets poison records aside: a dead letter of each first, then the job is shown them no more."""

from collections.abc import Sequence
from datetime import datetime

from streamctl.checkpoint.change.area import Area
from streamctl.checkpoint.change.guards import Range
from streamctl.checkpoint.change.letters import Cluster, NotDelivered, copy_out
from streamctl.checkpoint.change.plan import Kind, Plan, Step, make_plan
from streamctl.checkpoint.location import quarantine
from streamctl.checkpoint.location.quarantine import Quarantined
from streamctl.resilience.dead_letter import QUARANTINE


def plan_quarantine(
    area: Area, found: Sequence[Quarantined], *, why: str, now: datetime, dead_letter_topic: str
) -> Plan:
    """Plan to hide records from the job.

    Args:
        area: of the checkpoint location.
        found: in addition to those that are hidden already.
        why: for the journal.
        now: UTC.
        dead_letter_topic: where they are copied to before anything changes.

    Raises:
        Malformed, StorageFailed: of the store.
    """
    known = quarantine.read(area.store)
    places = {record.place for record in found}
    kept = [record for record in known if record.place not in places]
    step = Step(
        kind=Kind.WRITE,
        place=area.store.at(quarantine.NAME),
        reason="the job is not shown the records",
        written={"": quarantine.text_of([*kept, *found])},
    )
    return make_plan(
        verb="quarantine",
        area=area,
        subject=", ".join(_told(record) for record in found),
        why=why,
        now=now,
        steps=[step],
        facts={"records": list(found), "dead_letter_topic": dead_letter_topic},
    )


def _told(record: Quarantined) -> str:
    return f"{record.topic}-{record.partition}:{record.offset}"


def copy_all(cluster: Cluster, found: Sequence[Quarantined], *, to: str, job: str) -> None:
    """Make a dead letter of each; a second one if the command is run again.

    Raises:
        NotDelivered: Kafka did not confirm it, or the record is gone; nothing was changed.
        BrokerUnreachable, TopicNotFound: see the broker.
    """
    for record in found:
        end = record.offset + 1
        of = Range(
            topic=record.topic,
            partition=record.partition,
            start=record.offset,
            end=end,
            records=1,
            available_records=None,
        )
        why = f"poison:{record.condition}"
        if copy_out(cluster, of=of, to=to, why=why, job=job, run=QUARANTINE) != 1:
            raise NotDelivered(
                f"{_told(record)} is no longer in Kafka, so that it cannot be kept",
                hint="`streamctl checkpoint skip` passes over what is gone.",
            )
