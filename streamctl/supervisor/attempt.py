"""Starts one attempt of the driver, with all that it is told."""

import os
from datetime import UTC, datetime
from pathlib import Path

from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.jars import cache_directory, connector_jars
from streamctl.java import find_java
from streamctl.job import archive as class_archive
from streamctl.job.launcher import Driver, driver_command, driver_environment
from streamctl.job.scratch import Scratch
from streamctl.kafka.client import Broker
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from streamctl.supervisor import prepare


class Attempts:
    """Starts the attempts of one run.

    Args:
        run: the run directory.
        settings: as resolved at start.
        store: the checkpoint location.
        run_id: of this run.

    Attributes:
        generation: name of the one in use, empty before the first attempt.
    """

    def __init__(self, run: RunDirectory, settings: Settings, store: Store, *, run_id: str) -> None:
        self._run = run
        self._settings = settings
        self._store = store
        self._run_id = run_id
        self._archive: Path | None = None
        self._making: Path | None = None
        self.generation = ""

    def ping(self) -> None:
        """Ask whether the broker answers.

        Raises:
            BrokerUnreachable: it does not.
        """
        with Broker.of(self._settings.kafka) as kafka:
            kafka.ping()

    def prepare(self, attempt: int, *, trial_records: int = 0) -> None:
        """Find out what the driver needs to know, and write it down.

        Args:
            attempt: its number.
            trial_records: of the one batch of a trial; 0 for a usual attempt.

        Raises:
            StreamctlError: Java, jars, broker or checkpoint are not as they must be.
        """
        java = find_java()
        jars = connector_jars(java=java)
        with Broker.of(self._settings.kafka) as kafka:
            generation = prepare.current_generation(
                self._store, self._settings, kafka, now=datetime.now(UTC)
            )
        self.generation = generation.name
        if self._settings.spark.class_archive:
            self._archive = class_archive.locate(
                cache_directory(),
                java=java,
                jars=jars,
                class_path=self._settings.spark.options.get(class_archive.CLASS_PATH, ""),
            )
            self._making = class_archive.unfinished(self._archive) if self._archive else None
        launch = prepare.launch(
            self._store,
            self._settings,
            generation,
            run_id=self._run_id,
            attempt=attempt,
            jars=jars,
            archive=self._archive,
            making=self._making,
            trial_records=trial_records,
        )
        try:
            self._run.write(launch)
        except OSError as error:
            raise StorageFailed(
                f'cannot write "{self._run.path}": {error.strerror or error}',
                hint="The driver reads there what to do; free some space.",
            ) from error

    def spawn(self, *, standby: bool = False, directory: Path | None = None) -> Driver:
        """Start a driver; one in standby brings its Spark session up and waits.

        Args:
            standby: whether it waits.
            directory: its working directory; default: this process's.

        Raises:
            StreamctlError: there is no Java, or no room for one more process and its files.
        """
        environ = driver_environment(os.environ, java_home=find_java().home)
        try:
            return Driver(
                driver_command(self._run.path, standby=standby),
                directory=directory or Path.cwd(),
                environ=environ,
                scratch=Scratch(self._run.temporary),
                nice=self._settings.supervise.nice,
            )
        except OSError as error:
            raise StorageFailed(
                f"no driver can be started: {error}",
                hint="It needs memory, a process, and room for temporary files, see TMPDIR.",
            ) from error

    def finished(self, exit_code: int) -> None:
        """Keep the class archive that an orderly end has made; throw away half of one."""
        if self._archive is None or self._making is None:
            return
        if exit_code == 0:
            class_archive.keep(self._archive, self._making)
        class_archive.throw_away(self._making)
