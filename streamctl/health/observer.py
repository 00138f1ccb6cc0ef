"""Watches the job from inside the supervisor, and tells: server, alerts, published position.

All of it runs in threads of its own, and none of it may harm the job: whatever goes wrong here
goes to the log.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamctl.checkpoint.location import journal
from streamctl.checkpoint.location.store import Store
from streamctl.errors import NotFound, StreamctlError, TopicNotFound
from streamctl.health.alerts.alerter import Alerter
from streamctl.health.alerts.book import AlertBook
from streamctl.health.alerts.deliver import Delivery
from streamctl.health.looks import Looks
from streamctl.health.rules import HealthReport, is_live, judge, judge_unseen, troubles
from streamctl.health.server import Server
from streamctl.health.trend import Trend, drawn_batches
from streamctl.lag.publish import Published, publish_once
from streamctl.observe.growth import Sizes
from streamctl.observe.model import Sample
from streamctl.observe.watch import Regularly, Watch
from streamctl.reports import Check, Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Observed
from streamctl.settings.model import Settings
from streamctl.settings.secrets import resolve

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

_FRESH_SECONDS = 1.0
_LOOK_SECONDS = 5.0
_JOURNAL_ENTRIES = 20
_EXPORT_SECONDS = 10.0
_LAST_NOTICES_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwell:
    """What the rules say against an attempt: by name and hint, and in words."""

    attempt: int = 0
    kinds: tuple[tuple[str, str], ...] = ()
    told: str = ""


NOTHING = Unwell()


class Observer:
    """Observes one run.

    Args:
        run: the run directory.
        settings: as resolved at start.
        tell: (level, message) -> writes to the log.

    Attributes:
        url: where it answers; empty for nowhere.
    """

    def __init__(
        self, run: RunDirectory, settings: Settings, *, tell: Callable[[str, str], None]
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._watch = Watch(run, settings)
        self._trend = Trend()
        self._sizes = Sizes(run.path)
        book, alerts = AlertBook(run.path), settings.alerts
        self._delivery = Delivery(
            book, receivers=alerts.receivers, heartbeat=alerts.heartbeat, tell=tell
        )
        self._alerter = Alerter(book, settings, put=self._delivery.put, tell=tell)
        self._looks = Looks(
            self._watch.sample, fresh_seconds=_FRESH_SECONDS, within_seconds=_LOOK_SECONDS
        )
        self._journal = Looks(
            self._read_journal, fresh_seconds=_FRESH_SECONDS, within_seconds=_LOOK_SECONDS
        )
        self._blind = ""
        self._unwell = NOTHING
        self._beat = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._publisher = self._make_publisher()
        self._exporting = self._export()
        self._server = self._make_server()
        self.url = self._server.url if self._server else ""

    def _make_server(self) -> Server | None:
        http = self._settings.http
        if not http.enabled:
            return None
        try:
            return Server(
                self,
                host=http.host,
                port=http.port,
                token=resolve(http.token),
                partitions=self._settings.observe.partitions,
            )
        except StreamctlError as error:
            self._tell("ERROR", f"no health, metrics and status page: {error.message}")
            return None

    def _make_publisher(self) -> Regularly[Published | None] | None:
        group = self._settings.observe.publish_group
        if not group:
            return None

        def publish() -> Published | None:
            eyes, now = self._watch.eyes, datetime.now(UTC)
            try:
                return publish_once(eyes.subjects(), eyes.broker(), group=group, now=now)
            except TopicNotFound:
                raise
            except NotFound:
                return None  # nothing is committed yet: no trouble, and nothing to publish

        def tell(problem: str) -> None:
            message = f'the position is not published to group "{group}": {problem}'
            again = f'the position is published to group "{group}" again'
            self._tell("WARN" if problem else "INFO", message if problem else again)

        every = self._settings.observe.every_seconds
        return Regularly("publish", publish, every_seconds=every, on_trouble=tell)

    def _export(self) -> "MeterProvider | None":
        observe = self._settings.observe
        if not observe.otlp_endpoint:
            return None
        try:
            from streamctl.metrics.otel import exporting

            return exporting(
                observe.otlp_endpoint,
                self._sample_or_none,
                every_seconds=max(observe.every_seconds, _EXPORT_SECONDS),
                partitions=observe.partitions,
            )
        except StreamctlError as error:
            self._tell("ERROR", f"no metrics to OpenTelemetry: {error.message} {error.hint}")
            return None

    def start(self) -> None:
        """Begin."""
        self._watch.start()
        self._delivery.start()
        if self._publisher:
            self._publisher.start()
        if self._server:
            self._server.start()
        self._thread.start()

    def beat(self) -> None:
        """The supervisor's loop came round."""
        self._beat = time.monotonic()

    def end(self) -> None:
        """Look a last time, deliver what there is to tell, and answer no more."""
        self._end.set()
        self._thread.join(timeout=_LAST_NOTICES_SECONDS)
        self._look(begun_after=time.monotonic())
        self._delivery.end(within_seconds=_LAST_NOTICES_SECONDS)
        self._watch.end()
        if self._publisher:
            self._publisher.end()
        if self._exporting:
            self._exporting.shutdown(timeout_millis=1000 * _LAST_NOTICES_SECONDS)
        if self._server:
            self._server.end()

    def sample(self) -> Sample:
        """What is seen at this moment, at most a second old.

        Raises:
            NotSeen: the store or a disk hangs.
            StreamctlError: the job cannot be looked at.
        """
        return self._looks.newest()

    def _sample_or_none(self) -> Sample | None:
        try:
            return self.sample()
        except StreamctlError:
            return None  # the log tells it

    def live(self) -> bool:
        """Whether the supervisor's loop comes round. Looks at nothing else, so it cannot hang."""
        return is_live(self._loop_age())

    def health(self) -> HealthReport:
        """Health at this moment, also of a job that cannot be looked at."""
        age = self._loop_age()
        try:
            sample = self.sample()
        except StreamctlError as error:
            return judge_unseen(error, loop_age_seconds=age, now=datetime.now(UTC))
        return judge(sample, loop_age_seconds=age, also=self._published())

    def _loop_age(self) -> float:
        return time.monotonic() - self._beat

    def _published(self) -> list[Check]:
        """How the publishing of the position goes, where it is asked for."""
        if self._publisher is None:
            return []
        name, found = f"group {self._settings.observe.publish_group}", self._publisher.found
        if found.value is None:
            failed = found.looked and found.problem
            known = Verdict.PROBLEM if failed else Verdict.UNKNOWN
            return [Check(name=name, verdict=known, detail=found.problem or "nothing committed")]
        detail = f"{found.value.partitions} positions published"
        return [Check(name=name, verdict=Verdict.OK, detail=detail)]

    def page(self) -> dict[str, Any]:
        """All that the status page draws."""
        sample = self.sample()
        return {
            "status": sample.status,
            "health": self.health(),
            "alerts": self._alerter.states,
            "lag": sample.lag,
            "lag_problem": sample.lag_problem,
            "sizes": {query.name: query.sizes for query in sample.queries},
            "disks": sample.disks,
            "processes": sample.processes,
            "trend": list(self._trend.points),
            "batches": drawn_batches(self._watch.eyes.batches),
            "journal": self._journal.newest(),
        }

    def _read_journal(self) -> list[dict[str, Any]]:
        try:
            store = Store.open(self._settings.checkpoint.location)
            found = [asdict(entry) for entry in journal.entries(store)]
        except StreamctlError:
            return []
        return found[: -_JOURNAL_ENTRIES - 1 : -1]

    def _run(self) -> None:
        while not self._end.wait(self._settings.observe.every_seconds):
            self._look()

    def _look(self, *, begun_after: float = 0.0) -> None:
        try:
            sample = self._looks.newest(begun_after=begun_after)
            self._note_health(sample)
            self._trend.add(sample)
            self._sizes.add(sample)
            self._alerter.look(sample)
            blind = ""
        except StreamctlError as error:
            blind = error.message
        except Exception as error:  # noqa: BLE001 - the observer must not end for one bad look
            blind = f"unexpected {type(error).__name__}: {error}"
        if blind:
            self._unwell = NOTHING
        self._tell_sight(blind)

    def unwell(self, attempt: int) -> str:
        """What the rules about driver and queries say against a running attempt, as first said."""
        return self._unwell.told if self._unwell.attempt == attempt else ""

    def _note_health(self, sample: Sample) -> None:
        """Keep the first words of a trouble: its seconds grow at each look."""
        running = sample.status.observed is Observed.RUNNING
        wrong = [c for c in troubles(sample) if c.verdict is Verdict.PROBLEM] if running else []
        kinds = tuple((check.name, check.hint) for check in wrong)
        attempt = sample.status.attempt
        if (kinds, attempt) != (self._unwell.kinds, self._unwell.attempt):
            told = "; ".join(f"{check.name}: {check.detail}" for check in wrong)
            self._unwell = Unwell(attempt=attempt, kinds=kinds, told=told)

    def _tell_sight(self, blind: str) -> None:
        """Told once when it begins and once when it is over, not at each look."""
        if blind and not self._blind:
            self._tell("ERROR", f"no alerts, for the job cannot be looked at: {blind}")
        if self._blind and not blind:
            self._tell("INFO", "the job can be looked at again")
        self._blind = blind
