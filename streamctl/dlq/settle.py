"""What became of letters that a killed replay may have sent: the target itself tells."""

from streamctl.dlq.ledger import Intent, Ledger
from streamctl.kafka.client import Broker
from streamctl.resilience.replayed import Identity, read_identity


def settle(broker: Broker, ledger: Ledger, *, isolation: str) -> tuple[int, int]:
    """Find out what became of intents that were left over; the producer's id is taken over.

    Returns:
        How many records had been sent, and of how many it cannot be told.

    Raises:
        TopicNotFound, BrokerUnreachable: of Kafka.
        StorageFailed, Malformed: the ledger cannot be read or written.
    """
    recovered = lost = 0
    for intent in list(ledger.intents()):
        if intent.settled:
            continue
        arrived, is_whole = _arrived(broker, intent, isolation=isolation)
        missing = set(intent.letters) - arrived
        ledger.settle(
            intent,
            unsent=missing if is_whole else set(),
            doubtful=set() if is_whole else missing,
        )
        recovered += len(intent.letters) - len(missing)
        lost += 0 if is_whole else len(missing)
    return recovered, lost


def _arrived(broker: Broker, intent: Intent, *, isolation: str) -> tuple[set[Identity], bool]:
    """Letters that are in the target, and whether all that came since could be read."""
    wanted, found, is_whole = set(intent.letters), set(), True
    for topic, ends in intent.ends.items():
        for partition, (low, high) in broker.watermarks(topic).items():
            since = ends.get(partition, 0)
            is_whole &= low <= since <= high
            start = max(low, since)
            if start >= high:
                continue
            records = broker.read(topic, partition, start, high, isolation=isolation)
            identities = (read_identity(record.headers) for record in records)
            found |= {identity for identity in identities if identity in wanted}
    return found, is_whole
