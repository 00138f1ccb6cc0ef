"""What an experiment has yet to change back: a file that survives its process.

A line is written, to the disk, for each rollback before anything is done, and for each action that
has an opposite before it is done; another when the way back was gone. Whatever has only the first
line is done after the method, or by `chaos cleanup` when the process was killed or could not.
Ways back may be gone twice: starting a broker that runs changes nothing.
"""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamctl.chaos.experiment import Activity, Role, Verb, as_document, parse_activity
from streamctl.errors import Malformed
from streamctl.rundir.files import read_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Something that is to be changed back.

    Attributes:
        number: of the record in its file.
        verb: what was done; empty for a rollback, which is for the experiment as a whole.
        back: takes it back.
    """

    number: int
    verb: str
    back: Activity


class Effects:
    """The records of one experiment; steps in the background write them too.

    Args:
        path: of the file; made with the first record.

    Raises:
        Malformed: the file is not what this release writes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._standing = {effect.number: effect for effect in _read(path)}
        self._next = max(self._standing, default=0) + 1
        self._lock = threading.Lock()

    @property
    def standing(self) -> list[Effect]:
        """What is to be changed back: by the rollbacks in order, then the latest change first."""
        numbers = sorted(self._standing)
        found = [self._standing[number] for number in numbers]
        return [e for e in found if not e.verb] + [e for e in reversed(found) if e.verb]

    def promise(self, rollback: Activity) -> None:
        """Note a rollback: it is done whatever comes."""
        self._note("", rollback)

    def begin(self, verb: str, *, undo: str, arguments: Mapping[str, Any]) -> None:
        """Note that a change is about to be made."""
        opposite = Verb(name=undo, arguments=dict(arguments))
        self._note(verb, Activity(name=f"undo {verb}", role=Role.ACTION, provider=opposite))

    def done(self, verb: str) -> None:
        """Note that an opposite was done: it takes back all changes that have it."""
        for effect in self.standing:
            opposite = effect.back.provider
            if effect.verb and isinstance(opposite, Verb) and opposite.name == verb:
                self.settle(effect)

    def settle(self, effect: Effect) -> None:
        """Note that this one was changed back."""
        with self._lock:
            if self._standing.pop(effect.number, None) is not None:
                self._write({"undone": effect.number})

    def _note(self, verb: str, back: Activity) -> None:
        with self._lock:
            effect = Effect(number=self._next, verb=verb, back=back)
            self._write({"number": effect.number, "verb": verb, "back": as_document(back)})
            self._standing[effect.number] = effect
            self._next += 1

    def _write(self, line: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        mode = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        # for the owner alone: a request of the operator's may hold a password
        with open(os.open(self._path, mode, 0o600), "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(
                "\n" + json.dumps(line, default=str) + "\n"
            )  # a torn line before stays by itself
            file.flush()
            os.fsync(file.fileno())


def _read(path: Path) -> list[Effect]:
    """Changes that stand. A torn line is of a change that was not begun.

    Raises:
        Malformed: a whole line that this release does not write.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    standing: dict[int, Effect] = {}
    for line in lines:
        if (fields := read_line(line)) is None:
            continue
        if "undone" in fields:
            standing.pop(fields["undone"], None)
        else:
            effect = _effect(path, fields)
            standing[effect.number] = effect
    return list(standing.values())


def _effect(path: Path, fields: Mapping[str, Any]) -> Effect:
    try:
        back = parse_activity(fields["back"])
        return Effect(number=fields["number"], verb=fields["verb"], back=back)
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(
            f'cannot read "{path}": {type(error).__name__}: {error}',
            hint="It is damaged or of another release; look into it, and move it away.",
        ) from error
