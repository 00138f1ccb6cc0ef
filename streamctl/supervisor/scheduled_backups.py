"""Backups on a schedule, beside the job.

Apart from `backups`, because what watches a job costs a command a fifth of a second to import.
"""

from collections.abc import Callable

from streamctl.checkpoint.backup.schedule import Round
from streamctl.observe.watch import Regularly
from streamctl.priority import giving_way
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import BackupState
from streamctl.settings.model import Settings
from streamctl.supervisor.backups import back_up


class ScheduledBackups:
    """Makes a round now and then while the job is supervised.

    Args:
        run: where the outcome is kept, for `status` and alerts.
        settings: of the job.
        tell: (level, message) -> writes to the log.
    """

    def __init__(
        self, run: RunDirectory, settings: Settings, *, tell: Callable[[str, str], None]
    ) -> None:
        self._run = run
        self._settings = settings
        self._tell = tell
        every = 60.0 * settings.backup.every_minutes
        self._regularly = (
            Regularly(
                "backups",
                self._round,
                every_seconds=every,
                first_after_seconds=every,
                on_trouble=self._trouble,
            )
            if every and not settings.checkpoint.generation
            else None
        )

    def start(self) -> None:
        """Begin; the first round is made after the first interval."""
        if self._regularly:
            self._regularly.start()

    def end(self) -> None:
        """Make no further round."""
        if self._regularly:
            self._regularly.end()

    def _trouble(self, why: str) -> None:
        if why:
            self._tell("ERROR", f"no backup: {why}")

    def _round(self) -> Round:
        with giving_way():  # the thread does nothing else
            made = back_up(self._settings)
        before = self._run.read(BackupState)
        good = made.at if made.verdict is Verdict.OK else before.good_at if before else None
        if made.verdict is Verdict.OK:
            self._tell("INFO", f"backup {made.id} taken in {made.seconds:.1f} s")
        else:
            self._tell("ERROR", f"backup failed: {made.problem}")
        state = BackupState(
            at=made.at, verdict=made.verdict, id=made.id, good_at=good, problem=made.problem
        )
        try:
            self._run.write(state)
        except OSError as error:
            self._tell("ERROR", f"what became of the backup is not kept: {error}")
        return made
