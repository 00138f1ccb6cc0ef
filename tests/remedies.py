"""Whether the commands in the hints of findings can be typed as they stand."""

import functools
import os
import re
import shlex
from collections.abc import Iterable
from typing import Any

import typer.main

from streamctl.checkpoint.verify.findings import Finding
from streamctl.cli.app import app


def commands(hint: str) -> list[list[str]]:
    """The words of each command in a hint; names of settings and versions are no commands."""
    quoted = re.findall(r"`([^`]*)`", hint)
    found = [shlex.split(text) for text in quoted]
    return [words for words in found if words[0] in {"streamctl", "rm", "mv", "chmod"}]


def untypable(found: Iterable[Finding]) -> list[str]:
    """What is wrong with the commands; nothing when all of them can be typed."""
    wrong = []
    for item in found:
        if re.search(r"[{}]", "".join(re.findall(r"`([^`]*)`", item.hint))):
            wrong.append(f"{item.code}: a field is left in {item.hint}")
        for words in commands(item.hint):
            name, *rest = words
            reason = _parse(rest) if name == "streamctl" else _missing(name, rest)
            if reason:
                wrong.append(f"{item.code}: {shlex.join(words)}: {reason}")
    return wrong


def _missing(name: str, words: list[str]) -> str:
    paths = [word for word in words if not word.startswith(("-", "~", "u+"))]
    gone = [path for path in paths if not os.path.lexists(path)]
    if gone or not paths:
        return f"not there: {gone}"
    folders = [path for path in paths if os.path.isdir(path)]  # noqa: PTH112
    return f"a directory: {folders}" if folders and name == "rm" and "-r" not in words else ""


def _parse(words: list[str]) -> str:
    try:
        given = parsed(*words)
    except Exception as error:  # noqa: BLE001 - Typer's own Click has the type
        return repr(error)
    if "rewind" in words and given["to_batch"] is None:
        return "says not where to"
    return ""


def parsed(*words: str) -> dict[str, Any]:
    """The parameters of a command of ours, without running it.

    Raises:
        Exception: it cannot be parsed.
    """
    command, args = _root(), list(words)
    context = command.make_context("streamctl", args)
    while hasattr(command, "resolve_command") and (
        rest := [*context._protected_args, *context.args]
    ):
        name, command, args = command.resolve_command(context, rest)
        context = command.make_context(name, args, parent=context)
    return dict(context.params)


@functools.cache
def _root() -> Any:
    return typer.main.get_command(app)
