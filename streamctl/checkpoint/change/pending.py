"""The list of what a change does, written down before it begins and taken away when it is done.

Two acts: an exchange of trees (`exchange.py`), and a small file of the store put or removed as a
whole, which may be done twice without harm.
"""

import dataclasses
import itertools
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamctl.checkpoint.change import exchange
from streamctl.checkpoint.change.area import OURS
from streamctl.checkpoint.change.exchange import Exchange
from streamctl.checkpoint.location.journal import Entry
from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.errors import Malformed
from streamctl.reports import as_json

NAME = f"{OURS}/pending.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A small file of the store.

    Attributes:
        name: below the store.
        before, after: its text; None for no file.
    """

    name: str
    before: str | None
    after: str | None

    @property
    def back(self) -> "Put":
        """What reverses it."""
        return Put(name=self.name, before=self.after, after=self.before)


Act = Exchange | Put


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A change that has begun.

    Attributes:
        name: of the change: of its journal entry and of its place in the trash.
        entry: the journal's, to be written when all is done.
        acts: in order.
    """

    name: str
    entry: Entry
    acts: tuple[Act, ...]


def write(store: Store, pending: Pending) -> None:
    """Write it down: from now on the change is finished by whoever comes next."""
    store.replace(NAME, json.dumps(as_json(pending), indent=1).encode())
    if store.is_local:
        exchange.sync(store.at(OURS))


def read(store: Store) -> Pending | None:
    """The change that began and did not end; None when there is none.

    Raises:
        Malformed: the file is damaged; it is written as a whole, so by somebody else.
    """
    data = store.read(NAME)
    if data is None:
        return None
    try:
        fields = json.loads(data)
        entry = fields["entry"]
        return Pending(
            name=fields["name"],
            entry=Entry(**entry | {"at": datetime.fromisoformat(entry["at"])}),
            acts=parse_acts(fields["acts"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(f'"{store.at(NAME)}" is damaged: {error}') from error


def parse_acts(found: Sequence[dict[str, Any]]) -> tuple[Act, ...]:
    """Acts from their JSON."""
    return tuple(Put(**item) if "name" in item else Exchange(**item) for item in found)


def forward(store: Store, acts: Iterable[Act]) -> None:
    """Do what is not done yet, in order.

    Raises:
        OSError, StorageFailed: one of them failed; those before it are done.
        Disturbed: see `exchange.side`.
    """
    for _, run in itertools.groupby(acts, key=type):
        same = list(run)
        exchange.carry_out([act for act in same if isinstance(act, Exchange)])
        for act in same:
            _put(store, act)


def _put(store: Store, act: Act) -> None:
    if isinstance(act, Put):
        if act.after is None:
            store.remove(act.name)
            if store.read(act.name) is not None:
                raise StorageFailed(f'"{store.at(act.name)}" is still there after its removal')
            _remove_empty(store, act.name)
        else:
            store.replace(act.name, act.after.encode())


def _remove_empty(store: Store, name: str) -> None:
    """Directories that are empty without a file: they were made for it."""
    while store.is_local and (name := name.rpartition("/")[0]) and not store.names(name):
        with suppress(FileNotFoundError):
            os.rmdir(store.at(name))  # noqa: PTH106


def backward(store: Store, acts: Sequence[Act]) -> None:
    """Bring everything back to where it was, whatever was done of it.

    Raises:
        OSError, StorageFailed, Disturbed: as `forward`.
    """
    for act in reversed(acts):
        if isinstance(act, Exchange):
            exchange.reverse([act])
        else:
            _put(store, act.back)


def reversed_acts(acts: Sequence[Act]) -> tuple[Act, ...]:
    """What undoes them."""
    return tuple(act.back for act in reversed(acts))


def finished(pending: Pending, **changes: Any) -> Entry:
    """Its journal entry with what is known only now."""
    return dataclasses.replace(pending.entry, **changes)
