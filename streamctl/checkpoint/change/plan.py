"""What a change would do: its steps with reasons and bytes, and what stands in its way.

A plan is a value: `--dry-run` prints it, `--plan FILE` writes it, `apply FILE` reads it again. It
holds a fingerprint of every place that it changes, so that it is refused when one has moved since.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from streamctl.checkpoint.change.area import Area
from streamctl.checkpoint.change.walk import walk
from streamctl.checkpoint.location.store import Store
from streamctl.errors import EXIT_MEANINGS, ExitCode, Malformed, Refused, Unsupported
from streamctl.reports import Verdict, as_json

PLAN_VERSION = 1
_UNSEEN = "Spark leaves no sign of whether a query runs: be sure that none does."


class Kind(StrEnum):
    """What a step does with a place.

    Rebuild: the tree there without some files, and with others written anew.
    Create: a new tree of the written files, instead of what is there.
    Restore: a new tree that a backup holds.
    Write: a whole small file of the store; no text takes it away. Remove: to the trash.
    Bring back: what a slot of the trash holds, for what is there now.
    """

    REBUILD = "rebuild"
    CREATE = "create"
    RESTORE = "restore"
    WRITE = "write"
    REMOVE = "remove"
    BRING_BACK = "bring back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file that a step removes, writes or keeps, and why.

    Attributes:
        path: relative to the step's place.
    """

    path: str
    size_bytes: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One place that changes.

    Attributes:
        place: absolute path.
        reason: one line.
        size_bytes: of what is taken away.
        home: output directory that the place belongs to; "" for the checkpoint's own side.
        removed: files of a rebuilt tree that are left out.
        written: files of a rebuilt tree, or the file itself under "", with their text.
        kept_files, kept_bytes: of a rebuilt tree.
        slot: in the trash, of what is brought back.
    """

    kind: Kind
    place: str
    reason: str
    size_bytes: int = 0
    home: str = ""
    removed: tuple[Item, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)
    kept_files: int = 0
    kept_bytes: int = 0
    slot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """A guard that says no.

    Attributes:
        code: stable; the name of the flag that overrides it, without dashes in front.
        message: as of an error.
        hint: likewise.
        exit_code: what the command ends with.
        overridable: false when there is no way around.
    """

    code: str
    message: str
    hint: str
    exit_code: ExitCode
    overridable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change, before it is made.

    Attributes:
        verdict: ok when nothing stands in its way.
        verb: what it is, such as "rewind".
        location: a location of ours, or the bare checkpoint.
        subject: what is changed: a checkpoint's path, a generation.
        why: the operator's reason, or what asked for it.
        steps: in order.
        facts: what the operator should know, as the verb defines it.
        notes: full sentences for the operator.
        obstacles: guards that say no.
        watched: places that the plan was made from and does not change, absolute.
        fingerprint: of all places, as they were when the plan was made.
        reversible: `undo` brings everything back; otherwise what is removed is gone for good.
    """

    verdict: Verdict
    verb: str
    location: str
    subject: str
    why: str
    made_at: datetime
    steps: tuple[Step, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    watched: tuple[str, ...] = ()
    fingerprint: str = ""
    reversible: bool = True

    @property
    def exit_code(self) -> ExitCode:
        """Of a dry run: what the change itself would end with."""
        return self.obstacles[0].exit_code if self.obstacles else ExitCode.DONE

    @property
    def size_bytes(self) -> int:
        """Of everything taken away."""
        return sum(step.size_bytes for step in self.steps)


def make_plan(
    *,
    verb: str,
    area: Area,
    subject: str,
    why: str,
    now: datetime,
    steps: Iterable[Step],
    obstacles: Iterable[Obstacle] = (),
    watched: Iterable[str] = (),
    notes: Iterable[str] = (),
    **more: Any,
) -> Plan:
    """A plan with its verdict and fingerprint.

    Raises:
        OSError: a place cannot be read.
    """
    all_steps, all_watched = tuple(steps), tuple(watched)
    found = tuple(obstacles)
    unseen = () if area.has_generations else (_UNSEEN,)
    return Plan(
        verdict=Verdict.PROBLEM if found else Verdict.OK,
        verb=verb,
        location=area.location,
        subject=subject,
        why=why,
        made_at=now,
        steps=all_steps,
        obstacles=found,
        watched=all_watched,
        notes=(*notes, *unseen),
        fingerprint=fingerprint(all_steps, area.store, all_watched),
        **more,
    )


def require(plan: Plan, *, accept: Iterable[str] = ()) -> None:
    """Guard: nothing may stand in the plan's way but what the operator accepts by name.

    Raises:
        Refused: with the exit code of the guard.
    """
    accepted = set(accept)
    for obstacle in plan.obstacles:
        if not (obstacle.overridable and obstacle.code in accepted):
            hint = obstacle.hint
            if obstacle.overridable:
                hint = f"{hint} `--{obstacle.code}` goes on all the same.".strip()
            raise Guarded(obstacle.message, hint=hint, exit_code=obstacle.exit_code)


class Guarded(Refused):
    """A guard of a plan says no; each has an exit code of its own."""

    def __init__(self, message: str, *, hint: str, exit_code: ExitCode) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code  # type: ignore[misc]  # of this refusal alone

    def __str__(self) -> str:
        return f"{self.message} ({EXIT_MEANINGS[self.exit_code]})"


def fingerprint(steps: Iterable[Step], store: Store, watched: Iterable[str] = ()) -> str:
    """Digest of everything at the places of steps: names, lengths, times; small files by content.

    Of watched places on an object store only the names, which is what is written there.

    Raises:
        OSError, StorageFailed: a place cannot be read.
    """
    total = hashlib.sha256()
    pointers = sorted({step.place for step in steps if step.kind is Kind.WRITE})
    for place in pointers:
        content = store.read(place.removeprefix(f"{store.path}/"))
        digest = "absent" if content is None else hashlib.sha256(content).hexdigest()
        total.update(f"{place} {digest}".encode() + b"\0")
    for place in sorted({step.place for step in steps if step.kind is not Kind.WRITE}):
        for line in _seen(place):
            total.update(line.encode("utf-8", "surrogateescape") + b"\0")
    for place in watched:
        names = (
            _seen(place) if store.is_local else store.names(place.removeprefix(f"{store.path}/"))
        )
        total.update("\0".join([place, *names]).encode("utf-8", "surrogateescape") + b"\0")
    return total.hexdigest()


_SMALL_BYTES = 1 << 16


def _seen(place: str) -> Iterable[str]:
    """One line for everything at a place, in order."""
    if not os.path.lexists(place):
        yield f"{place} absent"
    elif not os.path.isdir(place):  # noqa: PTH112
        yield f"{place} {_of_file(place)}"
    else:
        for folder, _, files in walk(place):
            yield f"{folder}/"
            for name in files:
                found = os.lstat(f"{folder}/{name}")
                yield f"{folder}/{name} {found.st_size} {found.st_mtime_ns}"


def _of_file(path: str) -> str:
    size = os.lstat(path).st_size
    if size > _SMALL_BYTES:
        return f"{size} {os.lstat(path).st_mtime_ns}"
    with open(path, "rb") as file:  # noqa: PTH123
        return hashlib.sha256(file.read()).hexdigest()


def format_plan(plan: Plan) -> str:
    """The JSON of a plan, for `apply FILE`."""
    return json.dumps({"streamctl_plan": PLAN_VERSION, **as_json(plan)}, indent=1)


def parse_plan(text: str, *, name: str) -> Plan:
    """A plan that `format_plan` wrote.

    Raises:
        Malformed: not such JSON.
        Unsupported: of a newer streamctl.
    """
    try:
        fields = json.loads(text)
        version = fields.pop("streamctl_plan")
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise Malformed(f'"{name}" is not a plan of streamctl') from error
    if version != PLAN_VERSION:
        raise Unsupported(f'"{name}" is a plan of version {version}')
    try:
        return Plan(
            **fields
            | {
                "verdict": Verdict(fields["verdict"]),
                "made_at": datetime.fromisoformat(fields["made_at"]),
                "steps": tuple(_step(item) for item in fields["steps"]),
                "obstacles": tuple(
                    Obstacle(**item | {"exit_code": ExitCode(item["exit_code"])})
                    for item in fields["obstacles"]
                ),
                "notes": tuple(fields["notes"]),
                "watched": tuple(fields["watched"]),
            }
        )
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(f'"{name}" is damaged: {error}') from error


def _step(fields: dict[str, Any]) -> Step:
    removed = tuple(Item(**item) for item in fields["removed"])
    return Step(**fields | {"kind": Kind(fields["kind"]), "removed": removed})
