"""Looks at a job: once, or again and again with the slow parts in threads of their own."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from streamctl.errors import StreamctlError
from streamctl.kafka.client import Broker
from streamctl.lag.measure import Subject, measure
from streamctl.lag.model import LagReport
from streamctl.lag.subjects import find_subjects
from streamctl.observe.batches import Batches
from streamctl.observe.machine import look_at_disks, look_at_processes
from streamctl.observe.model import Sample
from streamctl.observe.sample import compose
from streamctl.observe.sizes import Usage, measure_size
from streamctl.observe.status import read_status
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings

T = TypeVar("T")
_SHARE = 0.1
_SIZES_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """The newest answer of a slow look, or why there is none.

    Attributes:
        looked: whether it was looked at all.
    """

    value: T | None = None
    problem: str = "not measured yet"

    @property
    def looked(self) -> bool:
        """Whether there was a look, good or not."""
        return self != Found()


class Eyes:
    """Looks at each part of a job.

    Args:
        run: its run directory.
        settings: as it was started with.
    """

    def __init__(self, run: RunDirectory, settings: Settings) -> None:
        self._run = run
        self._settings = settings
        self.batches = Batches(run.progress_file)
        self._broker: Broker | None = None

    def lag(self) -> LagReport:
        """Measure the lag.

        Raises:
            StreamctlError: Kafka does not answer, or a checkpoint cannot be read.
        """
        location = self._settings.checkpoint.location
        subjects = self.subjects()
        return measure(subjects, self.broker(), location=location, now=datetime.now(UTC))

    def subjects(self) -> list[Subject]:
        """The job's queries.

        Raises:
            StreamctlError: there is none yet, or the store fails.
        """
        where = self._settings.checkpoint
        return find_subjects(where.location, generation=where.generation)

    def broker(self) -> Broker:
        """The broker that the settings name; one connection for all looks."""
        if self._broker is None:
            self._broker = Broker.of(self._settings.kafka)
        return self._broker

    def sizes(self) -> dict[str, list[Usage]]:
        """Count the files of each query's checkpoint.

        Raises:
            StreamctlError: the store fails.
        """
        status = read_status(self._run)
        base = f"{status.checkpoint_location}/{status.generation}"
        return {query.name: measure_size(f"{base}/{query.name}") for query in status.queries}

    def sample(
        self, *, lag: Found[LagReport], sizes: Found[dict[str, list[Usage]]], now: datetime
    ) -> Sample:
        """Look at all that is quick, and put it together with what is slow.

        Raises:
            JobNotFound: no job was ever started.
        """
        self.batches.read()
        status = read_status(self._run, now=now)
        places = [
            ("checkpoint", self._settings.checkpoint.location),
            ("output", self._settings.output.location),
            ("logs", str(self._run.path)),
        ]
        return compose(
            status,
            self.batches,
            lag=lag.value,
            lag_problem=lag.problem,
            sizes=sizes.value or {},
            disks=look_at_disks(places),
            processes=look_at_processes(status.driver_pid),
            stall_seconds=self._settings.observe.stall_seconds,
            trigger=self._settings.stream.trigger,
            now=now,
        )


def look_once(eyes: Eyes) -> Sample:
    """A whole sample. A part that cannot be measured is not known.

    Raises:
        JobNotFound: no job was ever started.
    """
    return eyes.sample(lag=_try(eyes.lag), sizes=_try(eyes.sizes), now=datetime.now(UTC))


def _try(look: Callable[[], T]) -> Found[T]:
    try:
        return Found(value=look(), problem="")
    except StreamctlError as error:
        return Found(problem=error.message)


class Regularly(Generic[T]):
    """Calls a slow look again and again in a thread, at most a tenth of the time.

    Args:
        name: of the thread.
        look: what to call.
        every_seconds: the shortest time between two calls.
        first_after_seconds: how long to wait before the first one.
        on_trouble: told why a look failed, once for each reason, and "" when it is over.

    Attributes:
        found: the newest answer. A failure replaces an answer: what is old is not known.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[], T],
        *,
        every_seconds: float,
        first_after_seconds: float = 0.0,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._on_trouble = on_trouble
        self._trouble = ""
        self._first_after = first_after_seconds
        self.found: Found[T] = Found()
        self._look = look
        self._every = every_seconds
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """End after the present call; the thread is not waited for."""
        self._end.set()

    def _run(self) -> None:
        self._end.wait(self._first_after)
        while not self._end.is_set():
            began = time.monotonic()
            try:
                self.found = Found(value=self._look(), problem="")
            except StreamctlError as error:
                self.found = Found(problem=error.message)
            except Exception as error:  # noqa: BLE001 - the eyes must not close for one grain
                self.found = Found(problem=f"unexpected {type(error).__name__}: {error}")
            if self.found.problem != self._trouble:
                self._trouble = self.found.problem
                self._on_trouble(self._trouble)
            spent = time.monotonic() - began
            self._end.wait(max(self._every, spent / _SHARE))


class Watch:
    """Takes samples of a running job.

    Args:
        run: its run directory.
        settings: as it was started with.
    """

    def __init__(self, run: RunDirectory, settings: Settings) -> None:
        self.eyes = Eyes(run, settings)
        every = settings.observe.every_seconds
        self._lag = Regularly("lag", self.eyes.lag, every_seconds=every)
        self._sizes = Regularly("sizes", self.eyes.sizes, every_seconds=max(every, _SIZES_SECONDS))

    def start(self) -> None:
        """Begin the slow looks."""
        self._lag.start()
        self._sizes.start()

    def end(self) -> None:
        """End them."""
        self._lag.end()
        self._sizes.end()

    def sample(self) -> Sample:
        """What is seen at this moment."""
        return self.eyes.sample(lag=self._lag.found, sizes=self._sizes.found, now=datetime.now(UTC))
