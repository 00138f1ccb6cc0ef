"""Asks before something is removed or overwritten."""

import sys

from streamctl.errors import Refused


def confirm(what: str, *, yes: bool) -> None:
    """Ask on a terminal; off it, only `--yes` goes on.

    Args:
        what: the action as an infinitive, for instance 'remove all data of "x"'.
        yes: the operator said so beforehand.

    Raises:
        Refused: nobody to ask, or the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"would {what}, and there is no terminal to ask on", hint="Add --yes.")
    sys.stderr.write(f"{what[:1].upper()}{what[1:]}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Refused("not confirmed, nothing was changed")


def confirm_name(what: str, name: str, *, yes: bool) -> None:
    """Ask on a terminal for a name to be typed; off it, only `--yes` goes on.

    Args:
        what: the action as an infinitive.
        name: what has to be typed.
        yes: the operator said so beforehand.

    Raises:
        Refused: nobody to ask, or another answer.
    """
    if yes or not sys.stdin.isatty():
        confirm(what, yes=yes)
        return
    sys.stderr.write(f'This would {what}. Type "{name}" to go on: ')
    sys.stderr.flush()
    if sys.stdin.readline().strip() != name:
        raise Refused("not confirmed, nothing was changed")
