"""What a supervisor tells of itself and the job: its status file, and failures."""

import os
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from streamctl.checkpoint.location.store import StorageFailed
from streamctl.errors import BrokerUnreachable, StreamctlError
from streamctl.rundir.records import Desired, Failure, FailureClass, Observed, Status
from streamctl.settings.model import Settings
from streamctl.supervisor.logs import JobLog
from streamctl.supervisor.policy import Exit, describe, refilled
from streamctl.supervisor.writing import Writing


class Telling:
    """Status and failures of one run.

    Args:
        files: where they are written.
        log: where failures of ours are told as well; the driver tells its own.
        settings: as resolved at start.

    Attributes:
        status: as it was published last.
    """

    def __init__(self, files: Writing, log: JobLog, settings: Settings) -> None:
        self._files = files
        self._log = log
        self._settings = settings.supervise
        now = _now()
        self.status = Status(
            desired=Desired.RUNNING,
            observed=Observed.STARTING,
            run_id=uuid.uuid4().hex[:12],
            job=settings.job.entry,
            attempt=0,
            attempts_left=settings.supervise.attempts,
            supervisor_pid=os.getpid(),
            driver_pid=None,
            started_at=now,
            attempt_started_at=None,
            updated_at=now,
            generation="",
            checkpoint_location=settings.checkpoint.location,
            master=settings.spark.master,
        )

    def publish(self, **changes: Any) -> None:
        """Change the status, and write it. The log follows run and attempt."""
        self.status = replace(self.status, updated_at=_now(), **changes)
        self._log.bind(run_id=self.status.run_id, attempt=self.status.attempt)
        self._files.write(self.status)

    def ran(self, seconds: float) -> None:
        """An attempt has run for so long: a stable one refills the restarts."""
        left = refilled(self.status.attempts_left, ran_seconds=seconds, settings=self._settings)
        if left != self.status.attempts_left:
            self.publish(attempts_left=left)
            self._log.event("INFO", f"stable for {seconds:.0f} s: {left} restarts are left again")

    def fail(self, error: StreamctlError) -> Failure:
        """Record an error of ours as the failure of this attempt."""
        transient = isinstance(error, BrokerUnreachable | StorageFailed)
        failure = self._failure(
            FailureClass.INFRASTRUCTURE if transient else FailureClass.CONFIGURATION,
            type(error).__name__,
            message=error.message,
            hint=error.hint,
            exit_code=int(error.exit_code),
        )
        self._log.event("ERROR", f"{failure.condition}: {failure.message}", hint=failure.hint)
        return failure

    def died(self, ended: Exit) -> None:
        """Record that the driver ended without a word."""
        self._failure(
            FailureClass.INFRASTRUCTURE,
            "DriverDied",
            message=describe(ended),
            hint="`streamctl logs` shows its last words. If the system killed it for its memory, "
            "raise or lower spark.driver_memory.",
        )

    def disk_full(self, told: str) -> None:
        """Record that the job was stopped before the disk was full."""
        self._failure(
            FailureClass.INFRASTRUCTURE,
            "DiskNearlyFull",
            message=told,
            hint="Free some space, with `streamctl checkpoint prune` for instance, and start "
            "again; or lower limits.disk_floor_bytes.",
        )

    def hung(self, told: str) -> None:
        """Record that the driver is killed because it goes on without getting on."""
        self._log.event("ERROR", f"{told}: the driver is killed")
        self._failure(
            FailureClass.INFRASTRUCTURE,
            "DriverHung",
            message=told,
            hint="`streamctl logs` shows what it did last. If batches may take so long, raise "
            "supervise.hung_seconds.",
        )

    def _failure(self, kind: FailureClass, condition: str, **more: Any) -> Failure:
        failure = Failure(
            at=_now(),
            failure_class=kind,
            condition=condition,
            run_id=self.status.run_id,
            attempt=self.status.attempt,
            **more,
        )
        self._files.write(failure)
        return failure


def _now() -> datetime:
    return datetime.now(UTC)
