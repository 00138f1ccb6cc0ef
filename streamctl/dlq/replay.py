"""Dead letters go back to where they came from, each one once.

How a kill cannot double. Letters go in small transactions of one producer, whose transactional id
is made from the dead letter topic's name. Before a transaction begins, its letters and the ends
of the target's partitions are written to the ledger. A replay begins by taking the id over: that
fences a predecessor that still lives, or whose last request is still on its way, and ends its
transaction, so that from then on nothing of it can arrive. Then what is left over in the ledger is
looked up in the target itself, from the ends on, by the headers that a replayed record carries.

What counts as arrived is what the job sees, so the look-up reads as the job reads: with
`read_uncommitted`, Kafka's default, records of an aborted transaction are there as well and must
not come again; with `read_committed` they are not there and must.

Kafka marks the end of each transaction in each partition with an offset that holds no record.

Any error ends the replay where it stands; the next one goes on from the ledger as after a kill.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from streamctl.dlq.ledger import Intent, Ledger
from streamctl.dlq.letters import Letter
from streamctl.dlq.select import Selection, Selector
from streamctl.dlq.settle import settle
from streamctl.errors import PartlyDone, StreamctlError
from streamctl.kafka.client import Broker
from streamctl.reports import Event, OnEvent, Verdict, ignore
from streamctl.resilience.replayed import replay_headers

if TYPE_CHECKING:
    from confluent_kafka import Producer

_MOST_LETTERS = 1000
_MOST_BYTES = 16 * 1024 * 1024
_CONFIG = {
    "acks": "all",
    "linger.ms": 5,
    "message.max.bytes": 1_000_000_000,  # what the topic takes is for the broker to say
    "partitioner": "murmur2_random",  # as Kafka's own clients choose
    "transaction.timeout.ms": 60_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """A replay.

    Attributes:
        verdict: unknown when letters are doubtful, or without our headers.
        to: the topic they went to; empty for the one that each came from.
        sent_records: in this replay.
        recovered_records: that a killed replay before had sent, as the target shows.
        doubtful_records: that a killed replay may have sent, and the target no longer tells; they
            are not sent.
        reasons: of the records that were sent; one with several counts under each.
    """

    verdict: Verdict
    topic: str
    to: str
    selection: Selection
    sent_records: int
    recovered_records: int
    doubtful_records: int
    reasons: dict[str, int]


def replay(
    broker: Broker,
    ledger: Ledger,
    letters: Iterable[Letter],
    *,
    topic: str,
    to: str,
    most_attempts: int,
    limit: int | None,
    isolation: str,
    on_event: OnEvent = ignore,
) -> ReplayReport:
    """Send letters back. Killed at any point, the same command goes on and doubles nothing.

    Args:
        broker: of both topics.
        ledger: what was replayed before.
        letters: that are wanted.
        topic: the dead letter topic.
        to: where they go; empty for the topic and partition that each came from.
        most_attempts: how often one record may be replayed.
        limit: so many records at most; None for all.
        isolation: with which the target is read by its job.
        on_event: told how many were sent.

    Raises:
        PartlyDone: Kafka refused or did not answer; the same command goes on.
        TopicNotFound, BrokerUnreachable: nothing was sent yet.
        StorageFailed, Malformed: the ledger cannot be read or written.
    """
    producer = _take_over(broker, topic)
    recovered, doubtful = settle(broker, ledger, isolation=isolation)
    selector = Selector(replayed=ledger.replayed(), to=to, most_attempts=most_attempts, limit=limit)
    reasons: Counter[str] = Counter()
    run, sent = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f"), 0
    for number, chunk in zip(count(), _chunks(selector.select(letters)), strict=False):
        name = f"{run}-{number:06d}"
        try:
            _send(broker, producer, ledger, chunk, name=name, to=to)
        except StreamctlError as error:
            raise PartlyDone(
                f"{sent:,} records were replayed, then: {error.message}",
                hint="Run the same command again: it finds out what arrived, and sends the rest.",
            ) from error
        sent += len(chunk)
        reasons.update(
            reason for letter in chunk if letter.origin for reason in letter.origin.reasons
        )
        on_event(Event(message="replayed", done=sent))
    selection = selector.selection()
    unknown = doubtful or selection.foreign_letters
    return ReplayReport(
        verdict=Verdict.UNKNOWN if unknown else Verdict.OK,
        topic=topic,
        to=to,
        selection=selection,
        sent_records=sent,
        recovered_records=recovered,
        doubtful_records=doubtful,
        reasons=dict(reasons.most_common()),
    )


def _chunks(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    """Letters by the transaction; bounded in number and in bytes."""
    chunk: list[Letter] = []
    size = 0
    for letter in letters:
        chunk.append(letter)
        size += len(letter.record.value or b"") + len(letter.record.key or b"")
        if len(chunk) == _MOST_LETTERS or size >= _MOST_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _send(
    broker: Broker, producer: "Producer", ledger: Ledger, chunk: list[Letter], *, name: str, to: str
) -> None:
    """Write down, send, settle. In this order a kill leaves an intent or a settled one."""
    from confluent_kafka import KafkaException

    letters = tuple(letter.identity for letter in chunk if letter.identity)
    targets = sorted({to or letter.topic for letter in letters})
    ends = {
        topic: {partition: high for partition, (_, high) in broker.watermarks(topic).items()}
        for topic in targets
    }
    intent = Intent(name=name, at=datetime.now(UTC), to=to, ends=ends, letters=letters)
    ledger.write(intent)
    try:
        producer.begin_transaction()
        for letter in chunk:
            _produce(producer, letter, to=to)
        producer.commit_transaction(broker.timeout_seconds * 3)
    except KafkaException as error:
        raise broker.translate(error.args[0], ", ".join(targets)) from error
    ledger.settle(intent, unsent=set(), doubtful=set())


def _produce(producer: "Producer", letter: Letter, *, to: str) -> None:
    """To its own partition, or by its key where another topic was named."""
    origin, record = letter.origin, letter.record
    if origin is None:
        raise ValueError("a letter without origin was selected")
    more: dict[str, Any] = {"headers": replay_headers(record.headers, origin)}
    if not to:
        more["partition"] = origin.partition
    producer.produce(
        to or origin.topic,
        key=record.key,
        value=record.value,
        **more,
    )


def _take_over(broker: Broker, topic: str) -> "Producer":
    """The producer, with whoever had its id before fenced."""
    from confluent_kafka import KafkaException

    producer = broker.producer(_CONFIG | {"transactional.id": f"streamctl-replay-{topic}"})
    try:
        producer.init_transactions(broker.timeout_seconds * 3)
    except KafkaException as error:
        raise broker.translate(error.args[0], topic) from error
    return producer
