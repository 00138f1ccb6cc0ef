"""The driver: build the session, start the queries, wait, stop, say why when it failed."""

import signal
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql.streaming.query import StreamingQuery

from jobs import sinks
from jobs.catch_up import CatchUp
from jobs.ending import Ending
from jobs.entry import load_job, options_of
from jobs.failures import Cause, classify
from jobs.job import Context, Job, Query
from jobs.logs import set_up
from jobs.progress import Listener, ProgressFile
from jobs.requests import StopRequests
from jobs.session import STOP_SIGNALS, Session, set_state_format, start_session
from jobs.source import read_records
from jobs.spark_query import SparkExecution, failed_query, set_read_limit, watermark_before
from jobs.stop import How, stop_after_batch
from jobs.totals import read_totals
from jobs.warm_up import warm_up
from streamctl.errors import ExitCode, JobNotFound, SettingsInvalid
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Failure, FailureClass, Launch
from streamctl.settings.model import Settings

_POLL_SECONDS = 0.2
_LAST_EVENTS_SECONDS = 10.0


def run(path: Path, *, watch_stdin: bool, standby: bool = False) -> ExitCode:
    """Run the job that a run directory describes.

    Args:
        path: the run directory.
        watch_stdin: its end is a request to stop; a line in it lets a standby begin.
        standby: bring the Spark session up and wait before anything else is touched.

    Returns:
        DONE when it ended as asked or by itself, FAILED when `failure.json` says why.
    """
    directory = RunDirectory(path)
    settings = Settings.model_validate_json(directory.settings_file.read_text(encoding="utf-8"))
    requests = StopRequests(directory)
    requests.listen_to_signals()
    if watch_stdin:
        requests.listen_to_stdin()
    driver = Driver(settings=settings, directory=directory, waits=standby)
    return ExitCode.DONE if driver.run(requests) is None else ExitCode.FAILED


class Driver:
    """One attempt.

    Attributes:
        waits: whether it is in standby still.
    """

    def __init__(self, *, settings: Settings, directory: RunDirectory, waits: bool) -> None:
        self._settings = settings
        self._directory = directory
        self.waits = waits
        self._take_in_launch()
        self._session: Session | None = None
        self._queries: dict[str, StreamingQuery] = {}
        self._ending = Ending("", on_reached=lambda: None)
        self._told_end: set[str] = set()

    def run(self, requests: StopRequests) -> Failure | None:
        """Run until asked to stop, or until a query ended; None when nothing went wrong."""
        well = False
        try:
            failure = self._work(requests)
            well = failure is None
            if failure is not None:
                self._tell(failure)  # at once: Spark may take its time to end
            return failure
        finally:
            if self._session is not None:
                self._session.end(in_order=well or not self._launch.make_archive)
                self.log.info("Spark is gone", reason=requests.reason or "ended by itself")

    def _work(self, requests: StopRequests) -> Failure | None:
        try:
            job = load_job(self._settings.job.entry)
            options = options_of(job, self._settings.job.options)
            session = self._session = self._start_session(requests)
            if self.waits:
                self._warm_up(session, job, options)
                if not self._await_take_over(session, requests):
                    return None
            if not requests.requested():
                self._start_queries(session, job, options, requests)
            self._wait(requests)
            return self._stop(requests)
        except (JobNotFound, SettingsInvalid) as error:
            return self._failure(FailureClass.CONFIGURATION, error, error.message, error.hint)
        except Exception as error:  # noqa: BLE001  (the outermost boundary)
            return self._unexpected(error)

    def _tell(self, failure: Failure) -> None:
        told = f"{failure.condition}: {failure.message}"
        self.log.error(
            told,
            failure_class=failure.failure_class.value,
            hint=failure.hint,
            query=failure.query,
            batch=failure.batch_id,
        )
        if self.waits:
            return  # the failure of one that waits is not the job's
        try:
            self._directory.write(failure)
        except OSError as error:
            self.log.exception("failure.json could not be written", error=str(error))

    def _take_in_launch(self) -> None:
        """Read what differs between attempts."""
        launch = self._directory.read(Launch)
        if launch is None:
            raise SystemExit(f'no launch.json in "{self._directory.path}"')
        self._launch = replace(launch, make_archive="") if self.waits else launch
        if trial := launch.trial_records:
            self._settings = bounded(self._settings, records=trial)
        self.log = set_up(self._settings.log, run_id=launch.run_id, attempt=launch.attempt)

    def _await_take_over(self, session: Session, requests: StopRequests) -> bool:
        """Wait in standby; False when asked to stop instead."""
        self.log.info("standby is ready")
        if not requests.await_take_over():
            return False
        self.waits = False
        self._take_in_launch()
        set_state_format(session.spark, self._launch)
        return True

    def _start_session(self, requests: StopRequests) -> Session:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # Spark takes SIGINT for itself
        try:
            session = start_session(
                settings=self._settings, launch=self._launch, directory=self._directory
            )
        finally:
            requests.listen_to_signals()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        self.log.info("Spark started", version=session.spark.version, jvm_pid=session.jvm.pid)
        return session

    def _start_queries(
        self, session: Session, job: Job, options: dict[str, str], requests: StopRequests
    ) -> None:
        records = read_records(session.spark, self._settings.kafka, self._launch)
        queries = job.queries(records, self._context(options))
        sinks.check_names(queries)
        self._ending = Ending(
            self._launch.ending_offsets,
            on_reached=requests.wake,
            trial=bool(self._launch.trial_records),
        )
        self._listen(session, queries, requests)
        for query in queries:
            self._queries[query.name] = sinks.start(
                query, settings=self._settings, launch=self._launch
            )
            self.log.info("query started", query=query.name)

    def _context(self, options: dict[str, str]) -> Context:
        return Context(
            stream=self._settings.stream,
            dead_letter_topic=self._settings.kafka.dead_letters,
            run_id=self._launch.run_id,
            options=options,
        )

    def _warm_up(self, session: Session, job: Job, options: dict[str, str]) -> None:
        try:
            warm_up(session.spark, job, self._context(options))
        except Exception as error:  # noqa: BLE001  (only a rehearsal)
            self.log.warning("the rehearsal in standby failed", error=str(error).splitlines()[:1])

    def _listen(self, session: Session, queries: list[Query], requests: StopRequests) -> None:
        file = ProgressFile(
            self._directory.progress_file,
            max_bytes=self._settings.log.max_bytes,
            bound={
                "run_id": self._launch.run_id,
                "attempt": self._launch.attempt,
                "generation": self._launch.generation,
            },
        )
        file.write(
            "launched",
            queries=[query.name for query in queries],
            triggers={query.name: query.trigger for query in queries if query.trigger},
            jvm_pid=session.jvm.pid,
        )

        def ended(name: str) -> None:
            self._told_end.add(name)
            requests.wake()

        session.spark.streams.addListener(
            Listener(
                file=file,
                log=self.log,
                lateness={query.name: query.lateness for query in queries if query.lateness},
                totals=read_totals(
                    self._directory.progress_file, generation=self._launch.generation
                ),
                watermark_before=self._watermark_before,
                on_end=ended,
                catch_up=CatchUp(
                    self._settings.catch_up,
                    steady_records=self._settings.kafka.max_offsets_per_trigger,
                    set_limit=self._set_read_limit,
                    log=self.log,
                ),
                ending=self._ending,
                heap=session.heap,
            )
        )

    def _watermark_before(self, query: str, batch_id: int) -> int | None:
        running = self._queries.get(query)
        return None if running is None else watermark_before(running, batch_id)

    def _set_read_limit(self, query: str, records: int) -> bool:
        running = self._queries.get(query)
        return running is not None and set_read_limit(running, records)

    def _wait(self, requests: StopRequests) -> None:
        while not requests.requested() and all(q.isActive for q in self._queries.values()):
            if self._ending.reached_by(self._queries):
                self.log.info("the end of the range is reached")
                return
            requests.wait(_POLL_SECONDS)
        if self._settings.stream.trigger == "once" and not requests.requested():
            while any(q.isActive for q in self._queries.values()) and not requests.requested():
                requests.wait(_POLL_SECONDS)

    def _stop(self, requests: StopRequests) -> Failure | None:
        running = [name for name, query in self._queries.items() if query.isActive]
        if running:
            self.log.info("stopping", reason=requests.reason or "a query ended")
        executions = [SparkExecution(self._queries[name]) for name in running]
        how = stop_after_batch(executions, stop_now=requests.now)
        for name, way in zip(running, how, strict=True):
            level = self.log.info if way is How.AFTER_BATCH else self.log.warning
            level("query stopped", query=name, how=way.value)
        self._await_last_events(requests)
        for name, query in self._queries.items():
            if (error := query.exception()) is not None:
                return self._query_failure(name, query, error)
        return None

    def _await_last_events(self, requests: StopRequests) -> None:
        """The last progress comes before the end of a query is told, on Spark's own threads."""
        waited = 0.0
        while not set(self._queries) <= self._told_end and waited < _LAST_EVENTS_SECONDS:
            requests.wait(_POLL_SECONDS / 4)
            waited += _POLL_SECONDS / 4

    def _query_failure(self, name: str, query: StreamingQuery, error: Exception) -> Failure:
        where = failed_query(query)
        text = where.text or str(error)
        cause = classify(text)
        return self._failure(
            cause.failure_class,
            error,
            self._told(cause),
            cause.hint,
            condition=cause.condition,
            query=name,
            batch_id=where.batch_id,
            offsets=where.offsets,
            detail=text,
        )

    def _told(self, cause: Cause) -> str:
        """Name the broker: Kafka's own exceptions do not."""
        if cause.is_kafka_silent:
            servers = self._settings.kafka.bootstrap_servers
            return f"no answer from Kafka at {servers}: {cause.message}"
        return cause.message

    def _unexpected(self, error: Exception) -> Failure:
        import traceback

        text = "".join(traceback.format_exception(error))
        if isinstance(error, PySparkException) and (condition := error.getCondition()):
            text = f"[{condition}] {text}"
        cause = classify(text)
        return self._failure(
            cause.failure_class,
            error,
            str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
            cause.hint,
            condition=cause.condition,
            detail=text,
        )

    def _failure(
        self,
        failure_class: FailureClass,
        error: Exception,
        message: str,
        hint: str,
        **more: Any,
    ) -> Failure:
        condition = more.pop("condition", "") or type(error).__name__
        return Failure(
            at=datetime.now(UTC),
            failure_class=failure_class,
            condition=condition,
            message=message,
            hint=hint,
            run_id=self._launch.run_id,
            attempt=self._launch.attempt,
            **more,
        )


def bounded(settings: Settings, *, records: int) -> Settings:
    """The settings of a trial: one small batch."""
    kafka = settings.kafka.model_copy(update={"max_offsets_per_trigger": records})
    steady = settings.catch_up.model_copy(update={"enabled": False})
    return settings.model_copy(update={"kafka": kafka, "catch_up": steady})
