"""When a batch fails for good: sets the records at fault aside, if that is allowed."""

from collections.abc import Callable
from pathlib import Path

from streamctl.checkpoint.change.area import Held
from streamctl.errors import StreamctlError
from streamctl.kafka.client import Broker
from streamctl.poison.batch import PlannedBatch, planned_batches
from streamctl.poison.find import Outcome, PoisonReport, Search, find_poison, quarantine_poison
from streamctl.reports import ignore
from streamctl.rundir.records import Failure, FailureClass
from streamctl.settings.model import Settings
from streamctl.supervisor.logs import JobLog


class Poison:
    """What one run may set aside.

    Args:
        settings: whether, and how many.
        log: where each record and each search without one is told.

    Attributes:
        set_aside: records so far.
    """

    def __init__(self, settings: Settings, log: JobLog) -> None:
        self._settings = settings
        self._log = log
        self.set_aside = 0

    def may_search(self, failure: Failure) -> bool:
        """Whether records may be at fault, and some may still be set aside.

        A driver that dies without a word may have died of one; a wrong setting is none.
        """
        poison = self._settings.poison
        if not poison.quarantine or self._settings.checkpoint.generation:
            return False
        in_batch = failure.query is not None or failure.condition == "DriverDied"
        is_setting = failure.failure_class is FailureClass.CONFIGURATION
        return in_batch and not is_setting and self.set_aside < poison.max_records

    def cure(self, failure: Failure, held: Held, *, beat: Callable[[], None]) -> bool:
        """Search the batch that failed, and set aside what it fails on.

        Args:
            failure: of the last attempt.
            held: the lease.
            beat: called now and then; what it raises ends the search, and nothing is changed.

        Returns:
            Whether another attempt is worth it: without those records the batch runs.
        """
        search = Search(
            area=held.area,
            settings=self._settings,
            project=Path.cwd(),
            most=self._settings.poison.max_records - self.set_aside,
            seconds=self._settings.poison.search_seconds,
            beat=beat,
            on_event=ignore,
        )
        try:
            batches = planned_batches(held.area.store, search.generation)
            wanted = [b for b in batches if failure.query in {None, b.query}]
            return any(self._cured(search, batch, held) for batch in wanted)
        except (StreamctlError, OSError) as error:
            self._log.event("ERROR", f"the search for poison records failed: {error}")
            return False

    def _cured(self, search: Search, batch: PlannedBatch, held: Held) -> bool:
        self._log.event("WARN", f"searching batch {batch.batch_id} of {batch.query} for poison")
        found = find_poison(search, batch)
        if found.outcome is Outcome.FOUND:
            with Broker.of(self._settings.kafka) as kafka:
                found = quarantine_poison(search, found, kafka, held, why="failed each time")
        self._tell(found)
        self.set_aside += len(found.poison) if found.outcome is Outcome.QUARANTINED else 0
        return found.outcome is Outcome.QUARANTINED

    def _tell(self, found: PoisonReport) -> None:
        where = f"batch {found.batch_id} of {found.query}"
        if found.outcome is not Outcome.QUARANTINED:
            self._log.event("WARN", f"nothing is set aside: {where} fails on: {found.fault}")
        for record in found.poison if found.outcome is Outcome.QUARANTINED else ():
            self._log.event(
                "ERROR",
                f"set aside {record.topic} partition {record.partition} offset {record.offset}, "
                f"which fails {where}: {record.condition}: {record.message}",
                poison=record,
            )
