"""One rate: sent for so long, looked on, and judged.

A rate is sustained when the lag does not grow: its slope over the second half of a step is at most
a twentieth of the rate.
"""

import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from streamctl.chaos.evidence import Batch, Sample
from streamctl.chaos.feed import Flow
from streamctl.chaos.load.model import Step
from streamctl.chaos.subject import Subject
from streamctl.chaos.watch import Watch, batches
from streamctl.errors import DeadlinePassed

_GROWTH = 0.05
_DRAINED_RECORDS = 2000
_DRAIN_SECONDS = 180.0


def measure_step(subject: Subject, watch: Watch, flow: Flow, *, seconds: float) -> Step:
    """Send at one rate and look on."""
    began, used = time.time(), _processor_seconds(subject)
    sent = subject.feed.timed(flow, seconds)
    ended, used_then = time.time(), _processor_seconds(subject)
    looks = [s for s in watch.samples if began + seconds / 2 <= s.at <= ended]
    windows, _ = batches(subject)
    growth = slope(looks)
    rate = sent / (ended - began)
    mine = [b for b in windows if began <= b.at <= ended]
    times, waits = [b.seconds for b in mine], latencies(mine)
    return Step(
        rate=flow.rate,
        sent_rate=round(rate, 1),
        sustained=growth <= _GROWTH * flow.rate and rate >= (1 - _GROWTH) * flow.rate,
        lag_growth=round(growth, 1),
        batch_p50_seconds=percentile(times, 50),
        batch_p95_seconds=percentile(times, 95),
        latency_p50_seconds=percentile(waits, 50),
        latency_p95_seconds=percentile(waits, 95),
        processor_share=round((used_then - used) / (ended - began) / (psutil.cpu_count() or 1), 3),
        memory_bytes=sum(process.memory_info().rss for process in _processes(subject)),
        checkpoint_bytes=_size(subject.places["checkpoint"]),
    )


def slope(samples: Sequence[Sample]) -> float:
    """Records a second by which the true lag grows: least squares; 0 for fewer than two looks."""
    known = [(s.at, s.true_lag) for s in samples if s.true_lag is not None]
    if len({at for at, _ in known}) < 2:  # noqa: PLR2004 - a line needs two points
        return 0.0
    return statistics.linear_regression(*zip(*known, strict=True)).slope


def latencies(mine: Sequence[Batch]) -> list[float]:
    """The longest wait of a record of each batch, where it was not held back by a bound."""
    return [b.at + b.seconds - a.at for a, b in itertools.pairwise(mine)]


def percentile(values: Sequence[float], share: int) -> float | None:
    """Nearest rank; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[max(0, -(-len(ordered) * share // 100) - 1)], 3)


def drain(subject: Subject) -> None:
    """Wait until the job has read almost all.

    Raises:
        DeadlinePassed: it does not come to an end.
    """
    deadline = time.monotonic() + _DRAIN_SECONDS
    while subject.true_lag() > _DRAINED_RECORDS:
        if time.monotonic() > deadline:
            raise DeadlinePassed(f"the job did not read the rest within {_DRAIN_SECONDS:g} s")
        time.sleep(0.5)


def _processes(subject: Subject) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in subject.driver_processes()]


def _processor_seconds(subject: Subject) -> float:
    times = [process.cpu_times() for process in _processes(subject)]
    return sum(each.user + each.system for each in times)


def _size(folder: Path) -> int:
    """Bytes of all files that are still there."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
