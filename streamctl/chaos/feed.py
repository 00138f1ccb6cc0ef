"""Keeps records flowing into a topic while things break, with a ledger for each run of a producer.

Event time runs faster than the clock, so that windows close while one watches. All producers of an
experiment share it: a burst begins where the stream is.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from streamctl.errors import StreamctlError
from streamctl.kafka.client import Broker
from streamctl.produce.mix import Mix
from streamctl.produce.run import Pace, ProduceReport, produce, simulated_clock
from streamctl.produce.telemetry import Clock, iso_ms
from streamctl.reports import OnEvent, ignore

EVENT_SPEED = 10.0
"""Seconds of event time in a second."""
_LEAP_SECONDS = 7200 / EVENT_SPEED
_BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
_BEGIN_MS = int(_BEGIN.timestamp() * 1000)


Strange = Callable[[str, str], list[tuple[str, bytes | None, str | None]]]
"""Device and time -> name, value, and the reason for which it must be rejected, of each record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What is sent all the time.

    Attributes:
        rate: records a second.
        flaws, late_share, late_by_seconds, record_bytes: see `produce.mix.Mix`.
    """

    rate: float = 150.0
    devices: int = 20
    flaws: Mapping[str, float] = field(default_factory=lambda: {"all": 0.04})
    late_share: float = 0.04
    late_by_seconds: tuple[float, float] = (30.0, 400.0)
    record_bytes: int = 0

    def mix(self, *, seed: int) -> Mix:
        """What the records consist of."""
        return Mix(
            devices=self.devices,
            flaws=self.flaws,
            late_share=self.late_share,
            late_by_seconds=self.late_by_seconds,
            record_bytes=self.record_bytes,
            seed=seed,
        )


class Feed:
    """The producers of one experiment.

    Args:
        broker: around the proxy, so that the faults are the job's alone.
        topic: must exist.
        ledgers: directory of the ledgers, one for each producer.
        seed: the same gives the same records.
    """

    def __init__(self, broker: Broker, topic: str, *, ledgers: Path, seed: int) -> None:
        self._broker, self._topic, self._ledgers, self._seed = broker, topic, ledgers, seed
        self._flow = Flow()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._began = time.monotonic()
        self._producers = 0

    @property
    def ledgers(self) -> list[Path]:
        """What was sent."""
        return sorted(self._ledgers.glob("*.ledger"))

    @property
    def strange_file(self) -> Path:
        """What was sent beside the ledgers."""
        return self._ledgers / "strange.jsonl"

    def start(self, flow: Flow) -> None:
        """Send until `stop`, in a thread."""
        self._flow = flow
        self._stopping.clear()
        arguments = (flow, Pace(rate=flow.rate), self._spaced(EVENT_SPEED / flow.rate))
        self._thread = threading.Thread(
            target=self._send,
            args=arguments,
            kwargs={"stopping": self._stopping},
            name="feed",
            daemon=True,
        )
        self._thread.start()

    def timed(self, flow: Flow, seconds: float, *, on_event: OnEvent = ignore) -> ProduceReport:
        """Send for so long at the flow's rate; `made_at` tells when each record was made."""
        pace = Pace(rate=flow.rate, duration_seconds=seconds)
        return self._send(flow, pace, self._made_now, on_event=on_event)

    def made_at(self, created_ms: int) -> float:
        """Seconds since 1970 at which `timed` made the record with this CreateTime."""
        return time.time() - (self._made_now(0) - created_ms) / 1000 / EVENT_SPEED

    def burst(self, records: int, flow: Flow, *, on_event: OnEvent = ignore) -> ProduceReport:
        """Send so many at once, beside what flows; their times spread over some seconds."""
        clock = self._spaced(60.0 / records)
        return self._send(flow, Pace(count=records), clock, on_event=on_event)

    def strange(self, make: "Strange", *, each: int) -> dict[str, int]:
        """Send records that `produce` does not make; a file says what must become of each.

        Returns:
            How many of each name were sent.
        """
        producer = self._broker.producer(
            {"enable.idempotence": True, "message.max.bytes": 2_000_000}
        )
        sent: Counter[str] = Counter()
        with self.strange_file.open("a", encoding="utf-8") as file:
            for number in range(each):
                at = self.event_time
                device, event_ms = f"strange-{number}", int(at.timestamp() * 1000)
                for name, value, reason in make(device, iso_ms(event_ms)):
                    note = {"reason": reason, "device": device, "event_ms": event_ms}
                    producer.produce(
                        self._topic,
                        value,
                        timestamp=event_ms,
                        on_delivery=partial(_note, file, note),
                    )
                    sent[name] += 1
            if producer.flush(30):
                raise StreamctlError("not all strange records were delivered")
        return dict(sent)

    def stop(self) -> None:
        """End the flow; every record has its delivery report then."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def resume(self) -> None:
        """Send what flowed before; nothing happens while it flows."""
        if self._thread is None:
            self.start(self._flow)

    def begin_anew(self) -> None:
        """Keep other ledgers from now on, and let event time leap, so that no window is shared."""
        self._ledgers = self._ledgers.with_name(f"{self._ledgers.name}-anew")
        self._ledgers.mkdir(parents=True, exist_ok=True)
        self._began -= _LEAP_SECONDS

    @property
    def event_time(self) -> datetime:
        """Where the stream is now."""
        return _BEGIN + timedelta(seconds=(time.monotonic() - self._began) * EVENT_SPEED)

    def _spaced(self, event_seconds: float) -> Clock:
        """Records stand so much event time apart, whenever they are made."""
        return simulated_clock(self.event_time, records_per_second=1 / event_seconds)

    def _made_now(self, sequence: int) -> int:
        """The event time at which a record is made."""
        del sequence
        return _BEGIN_MS + int((time.monotonic() - self._began) * 1000 * EVENT_SPEED)

    def _send(
        self,
        flow: Flow,
        pace: Pace,
        clock: Clock,
        *,
        stopping: threading.Event | None = None,
        on_event: OnEvent = ignore,
    ) -> ProduceReport:
        self._producers += 1
        number = self._producers
        return produce(
            self._broker,
            self._topic,
            mix=flow.mix(seed=self._seed * 1000 + number),
            pace=pace,
            ledger=self._ledgers / f"{number:03d}.ledger",
            clock=clock,
            run_id=f"feed-{number}",
            stopping=(stopping or threading.Event()).is_set,
            on_event=on_event,
        )


def _note(file: TextIO, note: dict[str, Any], error: Any, message: Any) -> None:
    """Keep what the record is, and where Kafka put it."""
    if error is None:
        place = {"partition": message.partition(), "offset": message.offset()}
        file.write(json.dumps(note | place) + "\n")
