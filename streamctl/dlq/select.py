"""Which dead letters a replay sends, and why it leaves the others."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streamctl.dlq.ledger import Sent
from streamctl.dlq.letters import Letter
from streamctl.resilience.replayed import Identity, attempt_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a replay has to do with the letters that were wanted.

    Attributes:
        letters: read.
        records: different ones among them.
        replayed_before: records that were sent back earlier.
        over_limit: records that were replayed as often as is allowed and came back each time.
        foreign_letters: without our headers: where they came from cannot be told.
        to_send: records that are to be sent.
    """

    letters: int = 0
    records: int = 0
    replayed_before: int = 0
    over_limit: int = 0
    foreign_letters: int = 0
    to_send: int = 0


@dataclass(slots=True)
class Selector:
    """Lets through each letter that is to be sent, and counts the others.

    Args:
        replayed: what was sent before.
        to: the topic they go to; empty for the one that each came from.
        most_attempts: how often one record may be replayed.
        limit: so many at most; None for all.
    """

    replayed: set[Sent]
    to: str
    most_attempts: int
    limit: int | None
    counts: Counter[str] = field(default_factory=Counter)
    _seen: set[Identity] = field(default_factory=set)

    def select(self, letters: Iterable[Letter]) -> Iterator[Letter]:
        """The letters to send, the first one of each record."""
        for letter in letters:
            if self.limit is not None and self.counts["to_send"] >= self.limit:
                return
            self.counts["letters"] += 1
            what = self._judge(letter)
            self.counts[what] += 1
            if what == "to_send":
                yield letter

    def _judge(self, letter: Letter) -> str:
        identity = letter.identity
        if identity is None:
            return "foreign_letters"
        if identity in self._seen:
            return "copies"
        self._seen.add(identity)
        if (self.to or identity.topic, identity) in self.replayed:
            return "replayed_before"
        return (
            "over_limit" if attempt_of(letter.record.headers) >= self.most_attempts else "to_send"
        )

    def selection(self) -> Selection:
        """What was counted so far."""
        names = ("letters", "replayed_before", "over_limit", "foreign_letters", "to_send")
        found = {name: self.counts[name] for name in names}
        return Selection(records=len(self._seen), **found)
