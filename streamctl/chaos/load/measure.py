"""One rate: sent for so long, looked on, read to the end, and judged.

A rate is sustained when the lag does not grow: by a straight line through the second half of a
step it grows by at most a twentieth of the rate, and in all of that time by no more than what
arrives in a second. A long step is thus held to a finer measure than a short one.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from streamctl.chaos.evidence import Sample
from streamctl.chaos.feed import Flow
from streamctl.chaos.load.committed import Made, committed_rate, waits
from streamctl.chaos.load.model import Step
from streamctl.chaos.subject import Subject
from streamctl.chaos.watch import Watch, batches
from streamctl.errors import DeadlinePassed
from streamctl.lag.positions import read_positions
from streamctl.produce.ledger_entries import read_ledger
from streamctl.reports import Event, OnEvent, ignore

_GROWTH = 0.05
_GROWN_SECONDS = 1.0
_LOOKS = 3
_DRAIN_SECONDS = 180.0
_WARM_SECONDS = 10.0
_EVERY_BATCH = 1_000_000


def warm_up(subject: Subject, flow: Flow, *, on_event: OnEvent = ignore) -> None:
    """Let a job that was just started do some batches: its first ones take many times as long.

    Raises:
        DeadlinePassed: the job does not come to the end of what was sent.
    """
    tell = counted(on_event, "the job warms up, seconds")
    subject.feed.timed(flow, _WARM_SECONDS, on_event=tell)
    _drain(subject)


def measure_step(
    subject: Subject, watch: Watch, flow: Flow, *, seconds: float, on_event: OnEvent = ignore
) -> Step:
    """Send at one rate and look on; wait until all of it is read, so that every wait is known.

    Raises:
        DeadlinePassed: the job does not come to the end of what was sent.
    """
    before, began = _look(subject), time.time()
    words, total = f"{flow.rate:,.0f} records/s", int(seconds)
    report = subject.feed.timed(flow, seconds, on_event=counted(on_event, f"{words}, seconds"))
    ended, after = time.time(), _look(subject)
    on_event(Event(message=f"{words}, the rest is read", done=total, total=total))
    _drain(subject)
    took, middle = ended - began, ended - seconds / 2
    rate = report.acknowledged_records / took
    growth = slope([s for s in watch.samples if middle <= s.at <= ended])
    committed = read_positions(subject.checkpoint(), batches=_EVERY_BATCH).steps
    waited = waits(_made(subject, report.ledger), committed, subject.topic) or ()
    times = [b.seconds for b in batches(subject)[0] if began <= b.at <= ended]
    return Step(
        rate=flow.rate,
        sent_rate=round(rate, 1),
        committed_rate=_round(
            committed_rate(committed, subject.topic, began=middle, ended=ended), 1
        ),
        sustained=is_sustained(growth, rate, asked=flow.rate, seconds=seconds),
        lag_growth=_round(growth, 1),
        batch_p50_seconds=percentile(times, 50),
        batch_p95_seconds=percentile(times, 95),
        latency_p50_seconds=percentile(waited, 50),
        latency_p95_seconds=percentile(waited, 95),
        processor_share=_share(after.processor_seconds - before.processor_seconds, took),
        memory_bytes=after.memory_bytes,
        checkpoint_bytes=after.checkpoint_bytes,
        checkpoint_growth_bytes_per_second=round(
            (after.checkpoint_bytes - before.checkpoint_bytes) / took
        ),
    )


def counted(on_event: OnEvent, message: str) -> OnEvent:
    """Tell under another name what counts itself, and each count once."""
    last: int | None = None

    def tell(event: Event) -> None:
        nonlocal last
        if event.done != last:
            last = event.done
            on_event(replace(event, message=message))

    return tell


def _drain(subject: Subject) -> None:
    if not subject.drain(_DRAIN_SECONDS):
        raise DeadlinePassed(
            f"the job did not read all that it was sent within {_DRAIN_SECONDS:g} s",
            hint=f'Begin with a lower --rate. Its logs are in "{subject.run.logs}".',
        )


def is_sustained(growth: float | None, rate: float, *, asked: float, seconds: float) -> bool | None:
    """Whether a rate was sent, and read as fast; None when the growth of the lag is not known.

    Args:
        growth: of the lag in the second half, records a second.
        rate: that was sent.
        asked: that was to be sent.
        seconds: of the step.
    """
    if rate < (1 - _GROWTH) * asked:
        return False
    if growth is None:
        return None
    return growth <= min(_GROWTH, _GROWN_SECONDS / (seconds / 2)) * asked


def slope(samples: Sequence[Sample]) -> float | None:
    """Records a second by which the true lag grows: least squares; None for too few looks."""
    known = [(s.at, s.true_lag) for s in samples if s.true_lag is not None]
    if len({at for at, _ in known}) < _LOOKS:
        return None
    return statistics.linear_regression(*zip(*known, strict=True)).slope


def percentile(values: Sequence[float], share: int) -> float | None:
    """Nearest rank; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[max(0, -(-len(ordered) * share // 100) - 1)], 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """The driver and its checkpoint at one moment."""

    processor_seconds: float
    memory_bytes: int
    checkpoint_bytes: int


def _look(subject: Subject) -> _Look:
    used, memory = 0.0, 0
    for pid in subject.driver_processes():
        try:
            process = psutil.Process(pid)
            times, resident = process.cpu_times(), process.memory_info().rss
        except psutil.Error:  # it has ended meanwhile
            continue
        used, memory = used + times.user + times.system, memory + resident
    return _Look(
        processor_seconds=used,
        memory_bytes=memory,
        checkpoint_bytes=_size(subject.places["checkpoint"]),
    )


def _share(used: float, took: float) -> float | None:
    """Of all processors; None when a driver ended meanwhile, and what it used went with it."""
    return None if used < 0 else round(used / took / (psutil.cpu_count() or 1), 3)


def _made(subject: Subject, ledger: Path) -> Iterator[Made]:
    """The records that count in a window."""
    for entry in read_ledger(ledger):
        if entry.reason is None and entry.partition is not None and entry.offset is not None:
            yield entry.partition, entry.offset, subject.feed.made_at(entry.created_ms)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _size(folder: Path) -> int:
    """Bytes of all files that are still there."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
