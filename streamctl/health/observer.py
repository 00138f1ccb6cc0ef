"""Watches the job from inside the supervisor, and tells: server, alerts, published position.

All of it runs in threads of its own, and none of it may harm the job: whatever goes wrong here
goes to the log.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamctl.checkpoint.location import journal
from streamctl.checkpoint.location.store import Store
from streamctl.errors import StreamctlError
from streamctl.health.alerts.alerter import Alerter
from streamctl.health.alerts.book import AlertBook
from streamctl.health.alerts.deliver import Delivery
from streamctl.health.rules import HealthReport, judge
from streamctl.health.server import Server
from streamctl.health.trend import Trend, drawn_batches
from streamctl.lag.publish import Published, publish_once
from streamctl.observe.model import Sample
from streamctl.observe.watch import Regularly, Watch
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from streamctl.settings.secrets import resolve

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

_FRESH_SECONDS = 1.0
_JOURNAL_ENTRIES = 20
_EXPORT_SECONDS = 10.0
_LAST_NOTICES_SECONDS = 10.0


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
        book, alerts = AlertBook(run.path), settings.alerts
        self._delivery = Delivery(
            book, receivers=alerts.receivers, heartbeat=alerts.heartbeat, tell=tell
        )
        self._alerter = Alerter(book, alerts, put=self._delivery.put, tell=tell)
        self._looking = threading.Lock()
        self._newest: tuple[float, Sample] | None = None
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

    def _make_publisher(self) -> Regularly[Published] | None:
        group = self._settings.observe.publish_group
        if not group:
            return None

        def publish() -> Published:
            eyes = self._watch.eyes
            return publish_once(eyes.subjects(), eyes.broker(), group=group, now=datetime.now(UTC))

        every = self._settings.observe.every_seconds
        return Regularly("publish", publish, every_seconds=every)

    def _export(self) -> "MeterProvider | None":
        observe = self._settings.observe
        if not observe.otlp_endpoint:
            return None
        try:
            from streamctl.metrics.otel import exporting

            return exporting(
                observe.otlp_endpoint,
                self.sample,
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
        self._newest = None
        self._look()
        self._delivery.end(within_seconds=_LAST_NOTICES_SECONDS)
        self._watch.end()
        if self._publisher:
            self._publisher.end()
        if self._exporting:
            self._exporting.shutdown(timeout_millis=1000 * _LAST_NOTICES_SECONDS)
        if self._server:
            self._server.end()

    def sample(self) -> Sample:
        """What is seen at this moment, at most a second old."""
        with self._looking:
            now = time.monotonic()
            if self._newest is None or now - self._newest[0] > _FRESH_SECONDS:
                self._newest = now, self._watch.sample()
            return self._newest[1]

    def health(self) -> HealthReport:
        """Health at this moment."""
        return judge(
            self.sample(),
            loop_age_seconds=time.monotonic() - self._beat,
            stall_seconds=self._settings.observe.stall_seconds,
            trigger=self._settings.stream.trigger,
        )

    def page(self) -> dict[str, Any]:
        """All that the status page draws."""
        sample = self.sample()
        with self._looking:
            batches = drawn_batches(self._watch.eyes.batches)
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
            "batches": batches,
            "journal": self._journal(),
        }

    def _journal(self) -> list[dict[str, Any]]:
        try:
            store = Store.open(self._settings.checkpoint.location)
            found = [asdict(entry) for entry in journal.entries(store)]
        except StreamctlError:
            return []
        return found[: -_JOURNAL_ENTRIES - 1 : -1]

    def _run(self) -> None:
        while not self._end.wait(self._settings.observe.every_seconds):
            self._look()

    def _look(self) -> None:
        try:
            sample = self.sample()
            self._trend.add(sample)
            self._alerter.look(sample)
        except Exception as error:  # noqa: BLE001 - the observer must not end for one bad look
            self._tell("WARN", f"the observer could not look: {type(error).__name__}: {error}")
