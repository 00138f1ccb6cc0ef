"""Faults of the object store that the job's backups go to: errors, throttling, a bad line."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from streamctl.chaos.experiment import Part
from streamctl.chaos.object_store import BUCKET, ObjectStore, start_store
from streamctl.chaos.proxy.fault import CLEAR, Fault
from streamctl.chaos.subject import Subject
from streamctl.chaos.verbs.verb import action, probe
from streamctl.errors import NotFound


def start(subject: Subject) -> None:
    """Keep the job's backups in an object store of its own; before the job is started.

    Raises:
        Unsupported: it needs packages that are not there.
    """
    store = start_store(_place(subject))
    subject.environ |= store.environ
    subject.set("backup.location", f"s3://{BUCKET}/job")


def stop(subject: Subject) -> None:
    """End the object store."""
    with suppress(NotFound):
        ObjectStore(_place(subject)).end()


def errors(subject: Subject, status: int = 503, share: float = 0.5) -> None:
    """Let the store answer a share of its requests with 500, or 503 as when it throttles."""
    ObjectStore(_place(subject)).answer_errors(status, share)


def fault(subject: Subject, **values: Any) -> None:
    """Put the line to the store under a fault, as network.fault does for Kafka's."""
    ObjectStore(_place(subject)).proxy.apply(Fault.of(values))


def clear(subject: Subject, **_more: Any) -> None:
    """Let the store answer as it should, on a good line."""
    store = ObjectStore(_place(subject))
    store.answer_rightly()
    store.proxy.apply(CLEAR)


def take(subject: Subject) -> int:
    """Take a backup; the exit code."""
    return subject.streamctl("backup", "take").exit_code


def verify(subject: Subject) -> int:
    """Read all backups back; the exit code of `backup verify`."""
    return subject.streamctl("backup", "verify").exit_code


def _place(subject: Subject) -> Path:
    return subject.project / "store"


VERBS = {
    "store.start": action(start, Part.ASIDE, undo="store.stop"),
    "store.stop": action(stop, Part.ASIDE),
    "store.errors": action(errors, Part.FAULT, undo="store.clear"),
    "store.fault": action(fault, Part.FAULT, undo="store.clear", check=Fault.check),
    "store.clear": action(clear, Part.LIFT),
    "backup.take": probe(take),
    "backup.verify": probe(verify),
}
