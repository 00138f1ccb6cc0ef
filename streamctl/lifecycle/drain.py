"""Close what is open before a rotation: plan a closing batch, let the job run it, stop the job."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from streamctl.checkpoint.change import apply as changes
from streamctl.checkpoint.change.area import area_of, held
from streamctl.checkpoint.change.drain import plan_drain
from streamctl.checkpoint.change.plan import Plan, require
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import DeadlinePassed
from streamctl.lifecycle.start import start
from streamctl.lifecycle.stop import stop
from streamctl.reports import Event, OnEvent, ignore
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings


def drain(
    run: RunDirectory,
    settings: Settings,
    *,
    project: Path,
    sinks: Mapping[str, str],
    why: str,
    on_event: OnEvent = ignore,
) -> Plan:
    """Close every open window of the current generation with a final run.

    Args:
        run: of the job, which is stopped.
        settings: as resolved; the old code must still be able to read the old state.
        project: working directory of the driver.
        sinks: query -> output of its file sink.
        why: for the journal.
        on_event: told of each phase.

    Returns:
        The plan that was carried out; without steps when nothing was open.

    Raises:
        Busy: the job runs.
        Refused: a planned batch is not committed yet.
        DeadlinePassed: the closing batch was not committed in `start.wait_seconds`; the job runs.
        StreamctlError: the job did not start; `checkpoint undo` takes the closing batch back.
    """
    area = area_of(settings.checkpoint.location)
    with held(area, "drain") as holding:
        changes.recover(area)
        plan = plan_drain(area, sinks=sinks, why=why, now=datetime.now(UTC))
        require(plan)
        if plan.steps:
            changes.apply(area, plan, holding)
    if plan.steps:
        start(run, settings, project=project, wait=False, on_event=on_event)
        _await(plan, seconds=settings.start.wait_seconds, on_event=on_event)
        deadline = settings.stop.deadline_seconds
        stop(run, deadline_seconds=deadline, reason="drained", on_event=on_event)
    return plan


def _await(plan: Plan, *, seconds: float, on_event: OnEvent) -> None:
    until = time.monotonic() + seconds
    closing = list(
        zip((s.place for s in plan.steps), plan.facts["closing_batches"].values(), strict=True)
    )
    for place, batch in closing:
        on_event(Event(message=f"waiting for closing batch {batch} of {place}"))
        while batch not in Checkpoint.open(place).log_ids().committed:
            if time.monotonic() > until:
                raise DeadlinePassed(
                    f"closing batch {batch} was not committed after {seconds:.0f} s",
                    hint="`streamctl status` tells what the job does; stop it and rotate then.",
                )
            time.sleep(0.2)
