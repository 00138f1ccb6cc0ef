"""`checkpoint verify`, with what settings, generation and broker know beside the checkpoint.

What a bare checkpoint does not need is imported where it is used: most verifications are of one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamctl.checkpoint.change.area import area_of
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.find import find, find_all
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.checkpoint.tree.files import Unreadable, local_path
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.findings import Finding
from streamctl.checkpoint.verify.logs import Logs
from streamctl.checkpoint.verify.offsets import Topics, check_kafka
from streamctl.checkpoint.verify.remedy import Aim
from streamctl.checkpoint.verify.verify import Level, QueriesReport, VerifyReport, verify
from streamctl.errors import Malformed, NotFound, SettingsInvalid
from streamctl.reports import worst
from streamctl.rundir.directory import RunDirectory

if TYPE_CHECKING:
    from streamctl.settings.model import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be verified.

    Attributes:
        path: as it was asked for; "" for the job's own location.
        query: one of several; "" for all.
        sink: output of a file sink; "" for that of the job.
        seal: directory and name of a seal to compare with; None for none.
        kafka: compare with the broker.
        context: named context of the settings, for the remedies.
    """

    path: str
    query: str
    level: Level
    sink: str = ""
    seal: tuple[str, str] | None = None
    kafka: bool = False
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project that one stands in. A checkpoint is verified without asking it anything.

    Attributes:
        settings: resolves them.
        run: finds its run directory, which tells what the job's last run wrote to.
        warn: told what was not compared.
    """

    settings: Callable[[], "Settings"]
    run: Callable[[], RunDirectory]
    warn: Callable[[str], None]


def verify_all(wanted: Wanted, project: Project) -> VerifyReport | QueriesReport:
    """Verify every query there, or the one that is named. Read only.

    Args:
        wanted: see there.
        project: for what only its settings know.

    Raises:
        CheckpointNotFound: none there.
        NotFound, Malformed: the seal is not there or cannot be read.
        StreamctlError: files kept vanishing, or the settings are wrong and are needed.
    """
    location = wanted.path or project.settings().checkpoint.location
    found = (
        {wanted.query: find(location, query=wanted.query)}
        if wanted.sink or wanted.seal
        else find_all(location, query=wanted.query)
    )
    several = len(found) > 1
    reports = tuple(
        _One(wanted, project, checkpoint, name if several else "").report()
        for name, checkpoint in sorted(found.items())
    )
    if not several:
        return reports[0]
    verdict = worst(report.verdict for report in reports)
    return QueriesReport(verdict=verdict, location=location, queries=reports)


class _One:
    """One checkpoint, and what belongs to it."""

    def __init__(
        self, wanted: Wanted, project: Project, checkpoint: Checkpoint, query: str
    ) -> None:
        self._wanted, self._project = wanted, project
        self._checkpoint, self._query = checkpoint, query
        self._generation = self._read_generation()
        self._sink = wanted.sink or self._own_sink()

    def report(self) -> VerifyReport:
        return verify(
            self._checkpoint,
            level=self._wanted.level,
            sink=self._sink,
            more=self._more,
            query=self._query,
            aim=self._aim,
        )

    def _aim(self) -> Aim:
        wanted = self._wanted
        try:
            settings = self._project.settings()
        except SettingsInvalid:  # a path can be verified without any
            settings = None
        found = aim_of(
            wanted.path, settings, query=self._query or wanted.query, context=wanted.context
        )
        return replace(found, sink=self._sink if found.path else wanted.sink)

    def _read_generation(self) -> Generation | None:
        """The record of the generation that it belongs to; None outside of ours."""
        try:
            area = area_of(self._checkpoint.location)
            if not area.has_generations:
                return None
            name = self._checkpoint.location.rstrip("/").split("/")[-2]
            return generations.read(area.store, name)
        except NotFound:
            return None
        except (Malformed, Unreadable) as error:
            self._project.warn(f"What its generation began with is not known: {error.message}.")
            return None

    def _own_sink(self) -> str:
        """Output of a query of the job; "" where nothing is known that could be compared."""
        if self._generation is None:
            return ""
        from streamctl.lifecycle.outputs import sink_of

        location, generation, query = self._checkpoint.location.rstrip("/").rsplit("/", 2)
        try:
            settings = self._project.settings()
            if _place(location) != _place(settings.checkpoint.location):
                return ""
            return sink_of(
                Store.open(location),
                self._generation.output_location or settings.output.location,
                generation=generation,
                query=query,
                run=self._project.run(),
            )
        except (StorageFailed, SettingsInvalid) as error:
            self._project.warn(f"The output was not compared: {error.message}.")
            return ""

    def _more(self, logs: Logs) -> list[Finding]:
        """What the broker and a seal add."""
        found: list[Finding] = []
        if self._wanted.kafka:
            found += self._compared(logs)
        if self._wanted.seal:
            from streamctl.checkpoint.change.history import remade
            from streamctl.checkpoint.verify.seal import check_seal

            directory, name = self._wanted.seal
            location = self._checkpoint.location
            changes = remade(area_of(location), location)
            found += check_seal(self._checkpoint, directory=directory, name=name, remade=changes)
        return found

    def _compared(self, logs: Logs) -> list[Finding]:
        from streamctl.kafka.client import Broker

        with Broker.of(self._project.settings().kafka) as broker:
            topics = Topics(
                watermarks=broker.watermarks,
                topic_id=lambda name: broker.topic(name).topic_id,
                began_with=self._generation.topic_ids if self._generation else {},
            )
            return check_kafka(logs, topics)


def aim_of(path: str, settings: "Settings | None", *, query: str, context: str = "") -> Aim:
    """What remedies have to name: nothing where the job's own location is meant, else the path.

    Args:
        path: as it was asked for; "" for the job's own.
        settings: of the project's job; None where there are none.
        query: one of several; "" where there is one.
        context: named context of the settings.
    """
    if not path or (settings and _place(path) == _place(settings.checkpoint.location)):
        return Aim(query=query, context=context)
    from streamctl.checkpoint.backup.take import default_location

    chosen = settings.backup.location if settings else ""
    backups = chosen or default_location(path)
    return Aim(path=path, query=query, backups=backups, context=context)


def _place(location: str) -> str:
    return local_path(location) or location.rstrip("/")
