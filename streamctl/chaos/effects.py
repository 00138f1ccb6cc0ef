"""What an experiment has changed and not yet changed back: a file that survives its process.

A line is written, to the disk, before each action that has an opposite; another when the opposite
was done. Whatever has only the first line is undone after the method, or by `chaos cleanup` when
the process was killed. Opposites may be done twice: starting a broker that runs changes nothing.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A change that stands.

    Attributes:
        number: of the record in its file.
        verb: what was done.
        undo: the verb that takes it back.
        arguments: of both.
    """

    number: int
    verb: str
    undo: str
    arguments: Mapping[str, Any]


class Effects:
    """The records of one experiment.

    Args:
        path: of the file; made with the first record.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._standing = {effect.number: effect for effect in _read(path)}
        self._next = max(self._standing, default=0) + 1

    @property
    def standing(self) -> list[Effect]:
        """What is to be undone, the latest change first."""
        return [self._standing[number] for number in sorted(self._standing, reverse=True)]

    def begin(self, verb: str, *, undo: str, arguments: Mapping[str, Any]) -> None:
        """Note that a change is about to be made."""
        effect = Effect(number=self._next, verb=verb, undo=undo, arguments=dict(arguments))
        self._write(
            {"number": effect.number, "verb": verb, "undo": undo, "arguments": dict(arguments)}
        )
        self._standing[effect.number] = effect
        self._next += 1

    def done(self, verb: str) -> None:
        """Note that an opposite was done: it takes back all changes that have it."""
        for effect in [e for e in self._standing.values() if e.undo == verb]:
            self._write({"undone": effect.number})
            del self._standing[effect.number]

    def _write(self, line: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(line) + "\n")  # a torn line before stays by itself
            file.flush()
            os.fsync(file.fileno())


def _read(path: Path) -> list[Effect]:
    """Changes that stand. A torn line is of a change that was not begun."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    standing: dict[int, Effect] = {}
    for line in lines:
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        if "undone" in fields:
            standing.pop(fields["undone"], None)
        else:
            standing[fields["number"]] = Effect(**fields)
    return list(standing.values())
