"""The supervisor: one lease, one driver at a time, and a status that says what is so."""

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TextIO

from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.errors import BrokerUnreachable, ExitCode, StreamctlError
from streamctl.job.launcher import Driver
from streamctl.job.scratch import aside, noted, sweep
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Desired, Failure, Observed, Status
from streamctl.settings.model import Settings
from streamctl.supervisor import losses
from streamctl.supervisor.attempt import Attempts
from streamctl.supervisor.circuit import CircuitBreaker
from streamctl.supervisor.holding import Holding
from streamctl.supervisor.limits import DiskFloor
from streamctl.supervisor.logs import JobLog, pump
from streamctl.supervisor.poison import Poison
from streamctl.supervisor.policy import End, Exit, Restart, after_exit, backoff_seconds, describe
from streamctl.supervisor.progress import ProgressTail
from streamctl.supervisor.scheduled_backups import ScheduledBackups
from streamctl.supervisor.standby import Standby, Watched
from streamctl.supervisor.telling import Telling
from streamctl.supervisor.watchdog import Watchdog
from streamctl.supervisor.wishes import Wishes
from streamctl.supervisor.writing import Writing

if TYPE_CHECKING:
    from streamctl.health.observer import Observer

TICK_SECONDS = 0.1


class _Stopped(Exception):
    """The job is to stop; ends a search."""


class Supervisor:
    """Runs the job until it is stopped, finished or beyond repair.

    Args:
        run: the run directory, already locked by this process.
        settings: as resolved at start.
        echo: where to show the log in a readable form as well; None for nowhere.
        attempts: makes what starts the driver; another one in tests.
    """

    def __init__(
        self,
        run: RunDirectory,
        settings: Settings,
        *,
        echo: TextIO | None = None,
        attempts: type[Attempts] = Attempts,
    ) -> None:
        self._attempts = attempts
        self._run = run
        self._settings = settings
        self._log = JobLog(
            run.logs,
            max_bytes=settings.log.max_bytes,
            keep_files=settings.log.keep_files,
            level=settings.log.level,
            echo=echo,
        )
        self._files = Writing(run, self._log.event)
        self._circuit = CircuitBreaker(run, self._files, settings.breaker, tell=self._log.event)
        self._watchdog = Watchdog(settings.supervise)
        self._tail = ProgressTail(
            run.progress_file, on_batch=self._circuit.take, on_line=self._watchdog.hear
        )
        self._opened_deadline = 0.0
        self._backups = ScheduledBackups(run, settings, tell=self._log.event)
        self._poison = Poison(settings, self._log)
        self._floor = DiskFloor(settings)
        self._full = ""
        self._wishes = Wishes(run, deadline_seconds=settings.stop.deadline_seconds)
        self._holding: Holding | None = None
        self._observer: Observer | None = None
        self._observing = threading.Thread(target=self._observe, name="observe", daemon=True)
        self._telling = Telling(self._files, self._log, settings)

    @property
    def _status(self) -> Status:
        return self._telling.status

    def run(self) -> ExitCode:
        """Supervise to the end, and say how it ended."""
        self._wishes.listen()
        self._telling.publish()
        try:
            store = Store.open(self._settings.checkpoint.location)
            self._holding = Holding(store, self._settings, self._log)
            self._holding.take(self._status.run_id)
            aside(partial(sweep, noted(self._run.temporary)))
            self._backups.start()
            if self._settings.observe.enabled:
                self._observing.start()
            try:
                end = self._supervise(store)
            finally:
                self._holding.give_back()
        except StreamctlError as error:
            self._telling.fail(error)
            end = End(observed=Observed.FAILED, why=error.message)
        except Exception as error:
            self._telling.fail(StreamctlError(f"unexpected {type(error).__name__}: {error}"))
            self._telling.publish(observed=Observed.FAILED, driver_pid=None)
            raise
        level = "ERROR" if end.observed is Observed.FAILED else "INFO"
        self._log.event(level, f"ended: {end.why}")
        self._telling.publish(observed=end.observed, driver_pid=None)
        self._backups.end()
        self._end_observing()
        self._files.last_words()
        self._log.close()
        if self._status.interrupted:
            return ExitCode.DEADLINE_PASSED
        return ExitCode.FAILED if end.observed is Observed.FAILED else ExitCode.DONE

    def _observe(self) -> None:
        """Answer and alert; a job runs without that rather than not at all.

        In a thread, because the driver is to start first: the imports alone take a while.
        """
        try:
            from streamctl.health.observer import Observer

            observer = Observer(self._run, self._settings, tell=self._log.event)
            observer.start()
            self._observer = observer
        except Exception as error:  # noqa: BLE001
            self._log.event("ERROR", f"no observer: {type(error).__name__}: {error}")

    def _end_observing(self) -> None:
        if self._observing.is_alive():
            self._observing.join()
        if self._observer:
            self._observer.end()

    def _supervise(self, store: Store) -> End:
        attempts = self._attempts(self._run, self._settings, store, run_id=self._status.run_id)
        self._standby = Standby(start=partial(attempts.spawn, standby=True), pump=self._pump)
        try:
            with losses.watched(self._run, self._settings, store, self._log):
                return self._attempt_until_end(attempts)
        finally:
            self._standby.end()
            self._telling.publish(standby_pid=None)

    def _attempt_until_end(self, attempts: Attempts) -> End:
        self._circuit.begin()
        while True:
            if not self._wait_while_open():
                return End(observed=Observed.STOPPED, why="stopped with the circuit breaker open")
            ended = self._attempt(attempts)
            if self._breaker_decides(ended):
                continue
            decision = after_exit(
                ended,
                attempts_left=self._status.attempts_left,
                settings=self._settings.supervise,
                chance=random.random(),  # noqa: S311 - jitter
            )
            if self._full:
                self._telling.disk_full(self._full)
                why = "stopped in order: the disk is nearly full"
                return End(observed=Observed.FAILED, why=why)
            if isinstance(decision, End) and not self._cured(decision, ended):
                return decision
            if isinstance(decision, Restart):
                self._back_off(decision)
            if self._wishes.stop:
                return End(observed=Observed.STOPPED, why="stopped while waiting to restart")

    def _cured(self, decision: End, ended: Exit) -> bool:
        """Whether what the job failed on was set aside, so that another attempt is worth it."""
        failure = ended.failure or self._run.read(Failure)
        if decision.observed is not Observed.FAILED or self._holding is None or failure is None:
            return False
        if not self._poison.may_search(failure):
            return False
        self._telling.publish(observed=Observed.SEARCHING)
        try:
            return self._poison.cure(failure, self._holding.held(), beat=self._beat)
        except _Stopped:
            return False

    def _beat(self) -> None:
        """Hold the lease without a driver; a wish to stop ends what goes on."""
        self._renew_lease(None)
        self._read_wishes()
        if self._wishes.stop:
            raise _Stopped

    def _wait_while_open(self) -> bool:
        """Wait until the circuit breaker lets something through; False when asked to stop."""
        while not self._circuit.wait_over():
            if self._wishes.stop:
                return False
            trial_at = self._circuit.state.next_trial_at
            if (self._status.observed, self._status.next_attempt_at) != (
                Observed.BREAKER_OPEN,
                trial_at,
            ):
                self._telling.publish(observed=Observed.BREAKER_OPEN, next_attempt_at=trial_at)
            self._sleep(TICK_SECONDS)
        return True

    def _breaker_decides(self, ended: Exit) -> bool:
        """Whether the circuit breaker, and not the usual rules, says what follows an attempt."""
        if ended.stop_requested or self._full:
            return False
        self._circuit.batch_failed(ended.failure)
        in_batch = ended.failure is not None and ended.failure.query is not None
        if self._circuit.on_trial and (ended.code == 0 or in_batch):
            self._circuit.end_trial()
            return True
        return self._circuit.look()

    def _attempt(self, attempts: Attempts) -> Exit:
        """Start the driver and stay with it until it and its processes are gone."""
        self._tail.begin_attempt()
        self._files.remove(Failure)
        number = self._status.attempt + 1
        self._telling.publish(
            observed=Observed.STARTING,
            attempt=number,
            attempt_started_at=_now(),
            next_attempt_at=None,
            unwell="",
        )
        try:
            self._await_room()
            self._await_broker(attempts)
            if self._wishes.stop:
                return Exit(code=0, failure=None, ran_seconds=0, stop_requested=True)
            trial = self._settings.breaker.trial_records if self._circuit.on_trial else 0
            attempts.prepare(number, trial_records=trial)
            driver, reader = self._standby.take() or self._pump(attempts.spawn())
        except StreamctlError as error:
            failure = self._telling.fail(error)
            stopping = self._wishes.stop is not None
            return Exit(code=1, failure=failure, ran_seconds=0, stop_requested=stopping)
        self._opened_deadline = 0.0
        self._watchdog.begin_attempt()
        self._telling.publish(
            driver_pid=driver.pid, standby_pid=None, generation=attempts.generation
        )
        self._log.event("INFO", "driver started", pid=driver.pid)
        self._renew_lease(driver.pid, at_once=True)
        try:
            while (code := driver.poll()) is None:
                self._watch(driver)
                self._wishes.wait(TICK_SECONDS)
        finally:
            driver.end_session()
        reader.join(timeout=5)
        self._tail.read()  # its last words
        attempts.finished(code)
        ended = Exit(
            code=code,
            failure=self._run.read(Failure),
            ran_seconds=self._ran_seconds(driver),
            stop_requested=bool(self._wishes.stop),
        )
        self._after(ended)
        return ended

    def _ran_seconds(self, driver: Driver) -> float:
        """How long it ran for the better: silence makes no attempt a stable one."""
        return time.monotonic() - driver.started - self._watchdog.silent_seconds

    def _pump(self, driver: Driver) -> Watched:
        """Copy what it says into the log.

        Raises:
            StorageFailed: there is no thread to be had for it; the driver is gone.
        """
        try:
            return Watched(driver, pump(driver.output, self._log))
        except RuntimeError as error:
            driver.end_session()
            raise StorageFailed(
                f"no driver can be started: {error}", hint="Raise the user's limit of processes."
            ) from error

    def _await_room(self) -> None:
        """A driver reads in the run directory what to do: on a full disk it would only fail."""
        looks = 0
        while self._files.waiting and not self._wishes.stop:
            self._back_off_for(looks)
            self._files.again()
            looks += 1
        if looks and not self._wishes.stop:
            self._telling.publish(observed=Observed.STARTING, next_attempt_at=None)

    def _await_broker(self, attempts: Attempts) -> None:
        """Wait for an unreachable broker instead of spending attempts on it.

        It is told once, as an error with the broker and the reason.

        Raises:
            BrokerUnreachable: still no answer when the patience is over.
        """
        began, looks = time.monotonic(), 0
        while not self._wishes.stop:
            try:
                attempts.ping()
            except BrokerUnreachable as error:
                waited = time.monotonic() - began
                if waited > self._settings.supervise.broker_patience_seconds:
                    raise
                if looks == 0:
                    self._telling.fail(error)
                self._back_off_for(looks)
                looks += 1
            else:
                break
        if looks and not self._wishes.stop:
            self._files.remove(Failure)
            self._log.event("INFO", f"Kafka answers again after {time.monotonic() - began:.0f} s")
            self._telling.publish(observed=Observed.STARTING, next_attempt_at=None)

    def _back_off_for(self, looks: int) -> None:
        """Wait for what is no fault of the driver's, longer each time; no attempt is spent."""
        wait = backoff_seconds(
            looks,
            settings=self._settings.supervise,
            chance=random.random(),  # noqa: S311 - jitter
        )
        self._telling.publish(
            observed=Observed.BACKING_OFF, next_attempt_at=_now() + timedelta(seconds=wait)
        )
        self._sleep(wait)

    def _after(self, ended: Exit) -> None:
        """Record how an attempt ended, in the log and, if the driver could not, as a failure."""
        self._telling.publish(driver_pid=None)
        self._log.event("INFO", "driver ended", exit_code=ended.code)
        if ended.stop_requested or ended.code == 0 or ended.failure is not None:
            return  # a failure was told by the driver itself
        self._log.event("ERROR", describe(ended))
        self._telling.died(ended)

    def _watch(self, driver: Driver) -> None:
        """One look at the driver, the lease and the operator's wishes."""
        self._tail.read()
        if self._tail.queries and self._status.queries != self._tail.queries:
            self._telling.publish(queries=self._tail.queries)
        if self._tail.is_ready and self._status.observed is Observed.STARTING:
            self._telling.publish(observed=Observed.RUNNING, idle_queries=sorted(self._tail.idle))
        elif self._status.idle_queries and sorted(self._tail.idle) != self._status.idle_queries:
            self._telling.publish(idle_queries=sorted(self._tail.idle))
        if self._observer and self._observer.url != self._status.url:
            self._telling.publish(url=self._observer.url)
        unwell = self._observer.unwell(self._status.attempt) if self._observer else ""
        if unwell != self._status.unwell:
            self._telling.publish(unwell=unwell)
        self._files.again()
        self._telling.ran(self._ran_seconds(driver))
        self._renew_lease(driver.pid)
        self._keep_standby()
        self._keep_disk_free()
        self._mind_the_breaker(driver)
        self._kill_if_hung(driver)
        if self._read_wishes():
            self._telling.publish(observed=Observed.STOPPING)
            self._log.event("INFO", "stop requested", request=self._wishes.stop)
            driver.ask_to_stop()
        if self._wishes.stop and self._wishes.too_late:
            self._telling.publish(interrupted=True)
            self._log.event("WARN", "the deadline passed: the driver is killed")
            driver.end_session()

    def _mind_the_breaker(self, driver: Driver) -> None:
        """An open one lets the running batch end, and then nothing more."""
        if self._wishes.stop or not self._circuit.look():
            return
        if not self._opened_deadline:
            self._opened_deadline = time.monotonic() + self._settings.stop.deadline_seconds
            driver.ask_to_stop()
        elif time.monotonic() > self._opened_deadline:
            self._log.event("WARN", "the deadline passed: the driver is killed")
            driver.end_session()

    def _kill_if_hung(self, driver: Driver) -> None:
        """One that is to stop has its deadline instead."""
        hung = self._watchdog.look()
        if not hung or self._wishes.stop or self._opened_deadline:
            return
        self._telling.hung(hung)
        try:
            driver.end_session()
        except TimeoutError as error:  # it waits for a disk, say, and nothing can end that
            self._log.event("ERROR", f"{error}: tried again later")
            self._watchdog.wait()

    def _keep_disk_free(self) -> None:
        """Ask for an orderly end while there is still space for it."""
        if self._wishes.stop or not (full := self._floor.reached()):
            return
        self._full = full
        self._log.event("ERROR", f"the disk is nearly full: {full}; stopping in order")
        self._wishes.ask_to_stop("disk floor", full)

    def _keep_standby(self) -> None:
        """Only beside a driver that runs: a start is not slowed down by its own spare."""
        running = self._status.observed is Observed.RUNNING and self._wishes.stop is None
        if not (running and self._settings.supervise.standby):
            return
        try:
            self._standby.keep()
        except StreamctlError as error:
            self._log.event("WARN", f"no standby: {error.message}")
        if self._standby.pid != self._status.standby_pid:
            self._telling.publish(standby_pid=self._standby.pid)

    def _back_off(self, decision: Restart) -> None:
        self._telling.publish(
            observed=Observed.BACKING_OFF,
            attempts_left=decision.attempts_left,
            restarts=self._status.restarts + 1,
            next_attempt_at=_now() + timedelta(seconds=decision.wait_seconds),
        )
        self._log.event(
            "WARN",
            f"restart in {decision.wait_seconds:.1f} s: {decision.why}",
            attempts_left=decision.attempts_left,
        )
        self._sleep(decision.wait_seconds)

    def _sleep(self, seconds: float) -> None:
        """Wait without a driver: the lease is held, and a stop ends it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._wishes.stop:
            self._renew_lease(None)
            self._read_wishes()
            self._wishes.wait(min(TICK_SECONDS, max(0.0, until - time.monotonic())))

    def _read_wishes(self) -> bool:
        """Whether there is a new wish to stop."""
        if not self._wishes.read():
            return False
        self._telling.publish(desired=Desired.STOPPED)
        return True

    def _renew_lease(self, driver_pid: int | None, *, at_once: bool = False) -> None:
        if self._observer is not None:
            self._observer.beat()
        if self._holding is not None:
            self._holding.renew(driver_pid, at_once=at_once)


def _now() -> datetime:
    return datetime.now(UTC)
