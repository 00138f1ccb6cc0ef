"""Faults of single writes to the checkpoint of the running job, through Spark's own hook."""

import json
from pathlib import Path
from typing import Any

from streamctl.chaos.experiment import Part
from streamctl.chaos.subject import Subject
from streamctl.chaos.verbs.verb import action
from streamctl.errors import Unsupported
from streamctl.jars import spark_test_jars
from streamctl.rundir.files import replace_file

_MANAGER = "org.apache.spark.sql.execution.streaming.state.FailureInjectionCheckpointFileManager"
_WHEN = ("create", "close")
_FAULTS = "job.options.faults"
HOOK = "Spark's hook for writes"


def hook(subject: Subject) -> None:
    """Let the job, before its start, write its checkpoint through Spark's failing file manager.

    Raises:
        JarsUnavailable: Spark's tests (53 MB) cannot be downloaded.
    """
    jars = ":".join(map(str, spark_test_jars()))
    subject.set("job.entry", "jobs.failing_writes:FailingWritesJob")
    subject.set(_FAULTS, str(_faults(subject)))
    subject.set("spark.options.spark.driver.extraClassPath", jars)
    subject.set("spark.options.spark.sql.streaming.checkpointFileManagerClass", _MANAGER)


def is_hooked(subject: Subject) -> bool:
    """Whether the job writes through it."""
    return _FAULTS in subject.settings


def fail(subject: Subject, paths: str, when: str = "create") -> None:
    """Let writes to paths that match wholly fail: when created, or when closed and then left torn.

    Raises:
        Unsupported: another `when`.
    """
    if when not in _WHEN:
        raise Unsupported(f'no write fails at "{when}"', hint=f"There are: {', '.join(_WHEN)}.")
    subject.crashed = True  # a batch that fails is run again, and its dead letters with it
    replace_file(_faults(subject), json.dumps({when: [paths]}) + "\n")


def heal(subject: Subject, **_more: Any) -> None:
    """Let every write succeed."""
    _faults(subject).unlink(missing_ok=True)


def _faults(subject: Subject) -> Path:
    return subject.project / "faults.json"


VERBS = {
    "writes.hook": action(hook, Part.ASIDE),
    "writes.fail": action(fail, Part.FAULT, undo="writes.heal"),
    "writes.heal": action(heal, Part.LIFT),
}
