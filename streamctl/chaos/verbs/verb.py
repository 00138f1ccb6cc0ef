"""What a verb is: a function of the subject and its arguments, its role, and its opposite."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamctl.chaos.experiment import Part, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A probe or an action.

    Attributes:
        call: its first argument is the subject; the others have the names of the arguments.
        undo: the verb that takes it back, given the same arguments; empty where nothing stays
            changed.
        part: what an action is to the fault.
        on_target: whether it can be done to a job that is not an experiment's own.
        check: raises a `StreamctlError` for arguments that it cannot take; None where the names
            of the arguments say all.
    """

    role: Role
    call: Callable[..., Any]
    undo: str = ""
    part: Part = Part.ASIDE
    on_target: bool = False
    check: Callable[..., object] | None = None

    @property
    def help(self) -> str:
        """The first line of the function's own words."""
        return (self.call.__doc__ or "").strip().splitlines()[0]


def action(
    call: Callable[..., Any],
    part: Part,
    *,
    undo: str = "",
    on_target: bool = False,
    check: Callable[..., object] | None = None,
) -> Definition:
    """Define an action."""
    return Definition(
        role=Role.ACTION, call=call, part=part, undo=undo, on_target=on_target, check=check
    )


def probe(call: Callable[..., Any], *, on_target: bool = False) -> Definition:
    """Define a probe."""
    return Definition(role=Role.PROBE, call=call, on_target=on_target)
