"""From SIGKILL to the next commit, with records waiting all the time.

Every process of the driver's session is killed, on both sides, so that no JVM that outlives its
Python commits a last batch. The bare side is started again at once, as a loop without any wait
would. Ours waits for its backoff first; that wait is measured apart.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from scripts.benchmarks import bare_job, commits
from scripts.benchmarks.compare import Goal, Result, alternate
from scripts.benchmarks.stage import Stage
from scripts.benchmarks.start import WINDOWS, warm_up
from streamctl.observe.status import is_supervised
from streamctl.rundir.records import Status
from tests.harness import Project, until

OURS, STANDBY = "streamctl", "streamctl, supervise.standby"
PACKAGES, LOCAL = "python job.py --packages", "python job.py, local jars"
BATCHES_BEFORE = 4
GOAL = 0.60


def run(stage: Stage, runs: int) -> Result:
    """Ours, supervised, against a bare loop; the connector by coordinates, and by paths."""
    import sys

    warm_up(stage)
    python = [sys.executable, str(bare_job.JOB)]
    conf = bare_job.COMMON
    sides = {
        OURS: partial(ours, stage),
        STANDBY: partial(ours, stage, standby=True),
        PACKAGES: partial(bare, stage, PACKAGES, python, conf | bare_job.packages()),
        LOCAL: partial(bare, stage, LOCAL, python, conf | bare_job.local_jars()),
    }
    figures = alternate(sides, runs)
    return Result(
        name="recovery: from SIGKILL to the next commit",
        figures=figures,
        goals=[
            Goal(ours=OURS, other=PACKAGES, bound=GOAL),
            Goal(ours=STANDBY, other=PACKAGES, bound=GOAL),
            Goal(ours=OURS, other=LOCAL),
        ],
        notes=["The backoff is not in the first row; the wait as it was is both rows together."],
    )


def ours(stage: Stage, *, standby: bool = False) -> dict[str, float]:
    """One life with one kill; a standby is waited for before it."""
    with stage.project(supervise={"standby": standby}) as project:
        started = project("start")
        if started.exit_code:
            raise RuntimeError(started.stderr.strip()[-2000:])
        checkpoint = project.directory.joinpath(*WINDOWS)
        alive = partial(is_supervised, project.run)
        commits.await_after(checkpoint, BATCHES_BEFORE, alive=alive)
        if standby:
            until(lambda: "standby is ready" in project("logs").stdout)
        driver = project.status().driver_pid
        if driver is None:
            raise RuntimeError("no driver to kill")
        backoff = Backoff(project)
        took = _kill_and_wait(checkpoint, driver, alive=alive, meanwhile=backoff.look)
        name = STANDBY if standby else OURS
        return {name: took - backoff.seconds, f"{name}: backoff excluded": backoff.seconds}


def bare(stage: Stage, name: str, command: list[str], conf: dict[str, str]) -> dict[str, float]:
    """One life with one kill, and the second life begun at once."""
    with stage.place() as place:
        checkpoint = place / "checkpoint"
        with bare_job.process(stage, place, command, conf) as first:
            commits.await_after(checkpoint, BATCHES_BEFORE, alive=commits.lives(first))
            began = time.perf_counter()
            bare_job.kill_session(first.pid)
        before = commits.last(checkpoint)
        with bare_job.process(stage, place, command, conf) as second:
            ended = commits.await_after(checkpoint, before, alive=commits.lives(second))
        return {name: ended - began}


class Backoff:
    """Reads the supervisor's wait from its status while it waits."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.seconds = 0.0

    def look(self) -> None:
        status = self._project.run.read(Status)
        if status and status.next_attempt_at and not self.seconds:
            self.seconds = (status.next_attempt_at - status.updated_at).total_seconds()


def _kill_and_wait(
    checkpoint: Path, driver: int, *, alive: Callable[[], bool], meanwhile: Callable[[], None]
) -> float:
    began = time.perf_counter()
    bare_job.kill_session(driver)
    before = commits.last(checkpoint)
    return commits.await_after(checkpoint, before, alive=alive, meanwhile=meanwhile) - began
