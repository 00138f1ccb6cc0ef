"""Asks Spark a question: a module of `jobs` runs as a child and answers one JSON object a line.

The command itself imports no Spark. The child is a session of its own and is gone, with its JVM,
when `ask` returns, however it returns.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamctl.errors import DeadlinePassed, StreamctlError
from streamctl.job.child import Child
from streamctl.rundir.files import replace_file
from streamctl.settings.model import Settings

_RAISED = re.compile(
    r"^(?:: |Caused by: )?(?:[\w$]+\.)*([\w$]+(?:Error|Exception): .+)$", re.MULTILINE
)
_LONGEST_REASON = 300


class ChildFailed(StreamctlError):
    """The child ended without an answer; the message is the root cause that it printed."""


def ask(
    module: str,
    arguments: Sequence[str],
    *,
    project: Path,
    timeout_seconds: float,
    settings: Settings | None = None,
) -> list[Any]:
    """Run `python -m MODULE ARGUMENTS` to its end.

    Args:
        module: of `jobs`.
        arguments: of its command line.
        project: its working directory, from which a user's job is imported.
        timeout_seconds: from its start to its end.
        settings: of the job, where the question is about one.

    Returns:
        One value per line of its standard output that is a JSON object.

    Raises:
        JavaNotFound: no Java that Spark runs on.
        DeadlinePassed: it did not end in time.
        ChildFailed: it ended with another exit code than 0.
    """
    child = Child(
        module,
        arguments,
        project=project,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        settings=settings,
    )
    try:
        out, err = child.process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        raise DeadlinePassed(
            f"Spark gave no answer within {timeout_seconds:g} seconds",
            hint="Give it more time with `--timeout`, or ask for less.",
        ) from None
    finally:
        child.end()
    if child.process.returncode:
        raise ChildFailed(reason(err))
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def ask_about(
    module: str,
    settings: Settings,
    arguments: Sequence[str],
    *,
    project: Path,
    timeout_seconds: float,
    hint: str,
) -> list[Any]:
    """Ask about a job: the module's first argument is a file with its settings.

    Args:
        module: as for `ask`.
        settings: of the job.
        arguments: those that follow.
        project: as for `ask`.
        timeout_seconds: as for `ask`.
        hint: what to look at when it fails.

    Raises:
        JavaNotFound, DeadlinePassed, ChildFailed: as `ask`.
    """
    with tempfile.TemporaryDirectory(prefix="streamctl-ask-") as scratch:
        file = Path(scratch) / "settings.json"
        replace_file(file, settings.model_dump_json())
        try:
            return ask(
                module,
                [str(file), *arguments],
                project=project,
                timeout_seconds=timeout_seconds,
                settings=settings,
            )
        except ChildFailed as error:
            raise ChildFailed(error.message, hint=hint) from error


def reason(text: str) -> str:
    """The root cause in a traceback with Java's own inside: the exception that is named last."""
    raised = [line for line in _RAISED.findall(text) if not line.startswith("Py4JJavaError")]
    lines = raised or text.strip().splitlines() or ["it said nothing"]
    return lines[-1].strip()[:_LONGEST_REASON]
