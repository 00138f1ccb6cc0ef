"""From `module:attribute` to a job, with an answer for each way that this can go wrong."""

import importlib
import json
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from jobs.job import Job
from streamctl.errors import JobNotFound, SettingsInvalid


def load_job(entry: str) -> Job:
    """Import the entry and make the job.

    The working directory is searched first, so that a user's own module is found.

    Raises:
        JobNotFound: the entry is malformed, does not import, or is not a job.
    """
    module_name, colon, attribute = entry.partition(":")
    if not (module_name and colon and attribute):
        raise JobNotFound(
            f'job entry "{entry}" is not of the form `module:attribute`',
            hint="Name the class, for example `mypkg.orders:OrdersJob`.",
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise JobNotFound(
            f'job entry "{entry}" does not import: {type(error).__name__}: {error}',
            hint=_where(error) or "Run the command in the project's directory, or install it.",
        ) from error
    if not hasattr(module, attribute):
        raise JobNotFound(
            f'module "{module_name}" has no "{attribute}"',
            hint=f"It has these jobs: {', '.join(_jobs_in(module)) or 'none'}.",
        )
    return _make(getattr(module, attribute), entry)


def _make(found: object, entry: str) -> Job:
    if not (isinstance(found, type) and issubclass(found, Job)):
        raise JobNotFound(
            f'job entry "{entry}" is not a job',
            hint="Give a class that inherits from `jobs.job.Job`.",
        )
    if not getattr(found, "name", ""):
        raise JobNotFound(f'job "{entry}" has no name', hint="Set `name` on the class.")
    try:
        return found()
    except Exception as error:
        raise JobNotFound(
            f'job "{entry}" cannot be made: {type(error).__name__}: {error}',
            hint=_where(error) or "A job has a `queries` method and takes no arguments.",
        ) from error


def options_of(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """The job's defaults, overridden by what is given.

    Raises:
        SettingsInvalid: an option that the job does not have.
    """
    unknown = sorted(set(given) - set(job.options))
    if unknown:
        raise SettingsInvalid(
            f'job "{job.name}" has no option "{unknown[0]}"',
            hint=f"It has: {', '.join(sorted(job.options)) or 'none'}.",
        )
    return {**job.options, **given}


def check(entry: str, options: Mapping[str, str]) -> str:
    """Say as one line of JSON whether the entry is a job; Spark is not started.

    `{"ok": true, "name": ..., "options": {...}}`, or `{"ok": false, "message": ..., "hint": ...}`.
    """
    try:
        job = load_job(entry)
        return json.dumps({"ok": True, "name": job.name, "options": options_of(job, options)})
    except (JobNotFound, SettingsInvalid) as error:
        return json.dumps({"ok": False, "message": error.message, "hint": error.hint})


def _jobs_in(module: object) -> list[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Job) and value is not Job
    )


def _where(error: Exception) -> str:
    """The line of the user's own code that failed, None when it never got there."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "importlib" not in f.filename and f.filename != __file__]
    return f"It fails at {own[-1].filename}:{own[-1].lineno}." if own else ""
