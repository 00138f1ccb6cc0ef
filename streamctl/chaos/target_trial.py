"""An experiment on a job that is not its own, from the first look to the verdict.

Nothing was sent by us, so no ledger says what must have become of the records: `streamctl audit`
accounts for them, and its verdict is part of ours.
"""

import json
import time
from contextlib import suppress
from dataclasses import replace

from streamctl.chaos.evidence import Audited
from streamctl.chaos.experiment import Experiment, as_document, parse_activity
from streamctl.chaos.run import run_experiment, run_step, undo
from streamctl.chaos.target import Target
from streamctl.chaos.trial import conclude, means_for, seen
from streamctl.chaos.verdict import Judgement
from streamctl.chaos.watch import Watch, batches
from streamctl.errors import StreamctlError
from streamctl.reports import OnEvent, ignore
from streamctl.rundir.files import replace_file

_SETTLE_SECONDS = 5.0
_AUDIT_SECONDS = 600.0
_ROLLBACKS = "rollbacks.json"
"""There while something may have to be changed back."""


def run_on_target(
    target: Target, experiment: Experiment, *, on_event: OnEvent = ignore
) -> Judgement:
    """Do the experiment to a running job, and judge what was seen.

    Raises:
        KeyboardInterrupt: after everything was undone.
    """
    target.directory.mkdir(parents=True, exist_ok=True)
    rollbacks = target.directory / _ROLLBACKS
    replace_file(rollbacks, json.dumps([as_document(step) for step in experiment.rollbacks]) + "\n")
    watch = Watch(target)
    watch.start()
    try:
        time.sleep(_SETTLE_SECONDS)
        usual = max((s.true_lag for s in watch.samples if s.true_lag is not None), default=0)
        means = means_for(target, target.directory / "effects.jsonl", on_event=on_event)
        journal = run_experiment(experiment, means)
        rollbacks.unlink()
        _await_lag(target, usual + 1, seconds=experiment.recovery_seconds)
        time.sleep(_SETTLE_SECONDS)
    finally:
        watch.stop()
    evidence = seen(target, experiment, journal, watch, rate=_rate(target))
    return conclude(replace(evidence, audited=_audit(target)), target.directory)


def undo_what_was_left(target: Target, *, on_event: OnEvent = ignore) -> bool:
    """Do the rollbacks of a run that was killed, and take back its changes; if there were."""
    left = target.directory / _ROLLBACKS
    if not left.exists():
        return False
    means = means_for(target, target.directory / "effects.jsonl", on_event=on_event)
    for document in json.loads(left.read_text("utf-8")):
        run_step(parse_activity(document), means)
    undo(means)
    left.unlink()
    return True


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
