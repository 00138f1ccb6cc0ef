"""`checkpoint verify`, with what settings, generation and broker know beside the checkpoint.

What a bare checkpoint does not need is imported where it is used: most verifications are of one.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamctl.checkpoint.change.area import Area, area_of
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.find import find, find_all
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import StorageFailed
from streamctl.checkpoint.tree.files import local_path
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.findings import Finding
from streamctl.checkpoint.verify.logs import Logs
from streamctl.checkpoint.verify.offsets import Topics, check_kafka
from streamctl.checkpoint.verify.remedy import Subject
from streamctl.checkpoint.verify.verify import Level, QueriesReport, VerifyReport, verify
from streamctl.errors import NotFound, SettingsInvalid
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
        self._area = area_of(checkpoint.location)
        self._generation = _generation(self._area, checkpoint)
        self._sink = wanted.sink or self._own_sink()

    def report(self) -> VerifyReport:
        return verify(
            self._checkpoint,
            level=self._wanted.level,
            sink=self._sink,
            more=self._more,
            query=self._query,
            subject=self._subject,
        )

    def _subject(self) -> Subject:
        """The job itself where it is verified, else the path."""
        from streamctl.checkpoint.backup.take import default_location

        wanted, path = self._wanted, self._wanted.path
        backups = default_location(path) if path else ""
        with suppress(SettingsInvalid):  # a path can be verified without any
            settings = self._project.settings()
            backups = settings.backup.location or backups
            if not path or _place(path) == _place(settings.checkpoint.location):
                path = backups = ""
        return Subject(
            path=path,
            query=self._query or wanted.query,
            sink=self._sink if path else wanted.sink,
            backups=backups,
            context=wanted.context,
        )

    def _own_sink(self) -> str:
        """Output of a query that writes files; "" where it writes none, or that is not known."""
        if self._generation is None:
            return ""
        from streamctl.lifecycle.outputs import sink_of

        settings = self._project.settings()
        own = _place(self._area.location) == _place(settings.checkpoint.location)
        output = self._generation.output_location or (settings.output.location if own else "")
        if not output:
            return ""
        run = self._project.run() if own else None
        generation, query = _parts(self._checkpoint)
        try:
            return sink_of(output, generation=generation, query=query, run=run)
        except StorageFailed as error:
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
            changes = remade(self._area, self._checkpoint.location)
            found += check_seal(self._checkpoint, directory=directory, name=name, remade=changes)
        return found

    def _compared(self, logs: Logs) -> list[Finding]:
        from streamctl.kafka.client import Broker

        kafka = self._project.settings().kafka
        with Broker(
            kafka.bootstrap_servers, options=kafka.options, timeout_seconds=kafka.timeout_seconds
        ) as broker:
            topics = Topics(
                watermarks=broker.watermarks,
                topic_id=lambda name: broker.topic(name).topic_id,
                began_with=self._generation.topic_ids if self._generation else {},
            )
            return check_kafka(logs, topics)


def _generation(area: Area, checkpoint: Checkpoint) -> Generation | None:
    """The record of the generation that a checkpoint belongs to; None outside of ours."""
    if not area.has_generations:
        return None
    try:
        return generations.read(area.store, _parts(checkpoint)[0])
    except NotFound:
        return None


def _parts(checkpoint: Checkpoint) -> tuple[str, str]:
    """Generation and query, by the names of directories."""
    generation, query = checkpoint.location.rstrip("/").split("/")[-2:]
    return generation, query


def _place(location: str) -> str:
    return local_path(location) or location.rstrip("/")
