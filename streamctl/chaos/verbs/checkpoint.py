"""Damages to the checkpoint of the stopped job, and the way back that the product offers."""

from typing import Any

from streamctl.chaos import damage as corpus
from streamctl.chaos.chapters import close_chapter
from streamctl.chaos.experiment import Part
from streamctl.chaos.subject import WINDOWS, Subject
from streamctl.chaos.verbs.verb import action, probe
from streamctl.errors import NotFound

VERIFY = "checkpoint.verify"
FLAVOUR = "rocksdb-changelog"
"""The layout of the shipped job's state, by the names of the corpus."""


def backup(subject: Subject) -> str:
    """Back the checkpoint up; the backup's id."""
    return str(subject.must("backup", "take")["id"])


def damage(subject: Subject, kind: str) -> str:
    """Do one kind of damage to the windows' checkpoint; the job must be stopped."""
    found = next((each for each in corpus.CORPUS if each.name == kind), None)
    if found is None or not corpus.fits(found, FLAVOUR):
        raise NotFound(f'no damage "{kind}" for this job', hint="DAMAGE.md lists them.")
    subject.remember()
    subject.crashed = True  # what is restored is older than the dead letter topic
    root = subject.generation("checkpoint") / WINDOWS
    found.apply(corpus.place(root, sink=subject.generation("output") / WINDOWS))
    return found.what


def verify(subject: Subject) -> dict[str, Any]:
    """What `checkpoint verify` says of the windows: its verdict as status, and its findings."""
    location, sink = (str(subject.generation(kind) / WINDOWS) for kind in ("checkpoint", "output"))
    answer = subject.streamctl("checkpoint", "verify", location, "--sink", sink)
    if answer.data is None:
        return {"status": "problem", "findings": [answer.reason]}
    findings = [each["code"] for each in answer.data["findings"]]
    return {"status": str(answer.data["verdict"]), "findings": findings}


def restore(subject: Subject) -> str:
    """Let the job go on from the newest backup, in a new generation; its name."""
    return str(subject.must("checkpoint", "restore", "--yes")["facts"]["generation"])


def remedy(subject: Subject) -> str:
    """Restore from the backup if `verify` finds anything; else the start has to cope."""
    found = verify(subject)
    return "nothing to mend" if found["status"] == "ok" else f"restored as {restore(subject)}"


def begin_anew(subject: Subject) -> str:
    """Let the stopped job go on with empty state at the begin of a topic made anew; where."""
    close_chapter(subject)
    choices = ("--from", "earliest", "--accept-new-topic", "--yes")
    subject.must("checkpoint", "rotate", *choices)
    return subject.generation("checkpoint").name


VERBS = {
    "checkpoint.backup": action(backup, Part.ASIDE),
    "checkpoint.damage": action(damage, Part.FAULT),
    VERIFY: probe(verify),
    "checkpoint.restore": action(restore, Part.ASIDE),
    "checkpoint.remedy": action(remedy, Part.ASIDE),
    "checkpoint.begin_anew": action(begin_anew, Part.ASIDE),
}
