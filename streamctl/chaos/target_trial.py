"""An experiment on a job that is not its own, from the first look to the verdict.

Nothing was sent by us, so no ledger says what must have become of the records: `streamctl audit`
accounts for them, and its verdict is part of ours.
"""

import json
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from streamctl.chaos.evidence import Audited
from streamctl.chaos.experiment import Experiment
from streamctl.chaos.run import run_experiment
from streamctl.chaos.target import Target
from streamctl.chaos.trial import EFFECTS, conclude, means_for, seen
from streamctl.chaos.verdict import Judgement
from streamctl.chaos.watch import Watch, batches
from streamctl.errors import Refused, StreamctlError
from streamctl.reports import OnEvent, as_json, ignore
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.files import read_file, replace_file

_SETTLE_SECONDS = 5.0
_AUDIT_SECONDS = 600.0
_NOTE = "target.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """Which job an experiment was done to, so that nothing is changed back on another.

    Attributes:
        run_directory: of the job, absolute.
    """

    run_directory: str


def run_on_target(
    target: Target, experiment: Experiment, *, on_event: OnEvent = ignore
) -> Judgement:
    """Do the experiment to a running job, and judge what was seen.

    Raises:
        KeyboardInterrupt: after everything was undone.
    """
    note = _Note(run_directory=str(target.run.path))
    replace_file(target.directory / _NOTE, json.dumps(as_json(note)) + "\n")
    watch = Watch(target)
    watch.start()
    try:
        time.sleep(_SETTLE_SECONDS)
        usual = max((s.true_lag for s in watch.samples if s.true_lag is not None), default=0)
        means = means_for(target, target.directory / EFFECTS, on_event=on_event)
        journal = run_experiment(experiment, means)
        _await_lag(target, usual + 1, seconds=experiment.recovery_seconds)
        time.sleep(_SETTLE_SECONDS)
    finally:
        watch.stop()
    evidence = seen(target, experiment, journal, watch, rate=_rate(target))
    return conclude(replace(evidence, audited=_audit(target)), target.directory)


def was_on_target(directory: Path, run: RunDirectory) -> bool:
    """Whether a trial was done to a job that is not its own: this one.

    Args:
        directory: of the trial.
        run: of the job that is meant.

    Raises:
        Refused: it was done to another job.
    """
    note = read_file(directory / _NOTE, _Note)
    if note is not None and note.run_directory != str(run.path):
        raise Refused(
            f'"{directory.name}" was done to the job of "{note.run_directory}"',
            hint="Run the command again with the --context and --set of that run.",
        )
    return note is not None


def _await_lag(target: Target, records: int, *, seconds: float) -> None:
    """Wait until the lag is as it was, at most so long: the verdict looks at what was seen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(StreamctlError):
            if target.true_lag() <= records:
                return
        time.sleep(0.5)


def _rate(target: Target) -> float:
    """Records a second, by the batches that were reported."""
    windows, _ = batches(target)
    if not windows:
        return 0.0
    began, ended = windows[0].at, windows[-1].at + windows[-1].seconds
    return sum(batch.records for batch in windows) / max(1.0, ended - began)


def _audit(target: Target) -> Audited:
    """What `streamctl audit` says."""
    try:
        answer = target.streamctl("audit", timeout=_AUDIT_SECONDS)
    except StreamctlError as error:
        return Audited(verdict="unknown", detail=error.message)
    if answer.data is None:
        return Audited(verdict="unknown", detail=answer.reason)
    reasons = [text for query in answer.data["queries"] for text in query["account"]["reasons"]]
    detail = "; ".join(dict.fromkeys(reasons)) or "audit finds every record"
    return Audited(verdict=answer.data["verdict"], detail=detail)
