"""What was replayed, kept beside the checkpoint: one small file for each transaction.

A file is written before its letters are sent (an *intent*: which letters, and where the target's
partitions ended then) and once more when it is known which of them were sent. An intent that is
left over is what a killed replay may have sent or not; `replay` finds out by the target itself.

A letter counts as replayed to one topic: sending it to another for a look does not hinder that it
goes back to where it came from.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from streamctl.checkpoint.location.store import Store
from streamctl.errors import Malformed
from streamctl.reports import as_json
from streamctl.resilience.replayed import Identity

_FOLDER = "_streamctl/replayed"

Sent = tuple[str, Identity]
"""The topic that it was sent to, and which record it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """The letters of one transaction.

    Attributes:
        name: of its file; names are in the order of time.
        to: the topic they go to; empty for the one that each came from.
        ends: topic -> partition -> its end before anything was sent.
        letters: which.
        settled: whether it is known which of them were sent: those in `letters` then.
        doubtful: letters of which nobody can tell any more; they count as sent.
    """

    name: str
    at: datetime
    to: str
    ends: dict[str, dict[int, int]]
    letters: tuple[Identity, ...]
    settled: bool = False
    doubtful: tuple[Identity, ...] = ()

    def sent(self) -> Iterator[Sent]:
        """All that must not be sent once more."""
        for letter in (*self.letters, *self.doubtful):
            yield self.to or letter.topic, letter


class Ledger:
    """The replays of one checkpoint location.

    Args:
        store: the checkpoint location.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def intents(self) -> Iterator[Intent]:
        """All of them, oldest first.

        Raises:
            Malformed: a file is damaged; without it nobody knows what was replayed.
            StorageFailed: the store fails.
        """
        for name in self._store.names(_FOLDER):
            data = self._store.read(f"{_FOLDER}/{name}") if name.endswith(".json") else None
            if data is not None:
                yield _parse(data, name.removesuffix(".json"))

    def replayed(self) -> set[Sent]:
        """What was sent; intents must be settled."""
        return {sent for intent in self.intents() if intent.settled for sent in intent.sent()}

    def write(self, intent: Intent) -> None:
        """Write an intent before it is sent.

        Raises:
            StorageFailed: the store fails; nothing may be sent.
        """
        fields = {name: value for name, value in as_json(intent).items() if name != "name"}
        self._store.replace(f"{_FOLDER}/{intent.name}.json", json.dumps(fields).encode())

    def settle(self, intent: Intent, *, unsent: set[Identity], doubtful: set[Identity]) -> None:
        """Write down how it ended.

        Args:
            intent: as it was written.
            unsent: letters of it that were not sent and may be.
            doubtful: letters of which it cannot be told.
        """
        known = tuple(letter for letter in intent.letters if letter not in unsent | doubtful)
        in_doubt = tuple(letter for letter in intent.letters if letter in doubtful)
        self.write(replace(intent, settled=True, letters=known, doubtful=in_doubt))


def _parse(data: bytes, name: str) -> Intent:
    try:
        fields = json.loads(data)
        return Intent(
            name=name,
            at=datetime.fromisoformat(fields["at"]),
            to=fields["to"],
            ends={
                topic: {int(partition): end for partition, end in ends.items()}
                for topic, ends in fields["ends"].items()
            },
            letters=tuple(Identity(*letter) for letter in fields["letters"]),
            settled=fields["settled"],
            doubtful=tuple(Identity(*letter) for letter in fields["doubtful"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(
            f'the record "{name}" of what was replayed is damaged: {error}',
            hint="Replaying without it could send records twice: restore it from a copy of "
            "`_streamctl/replayed/`, or remove it if it may.",
        ) from error
