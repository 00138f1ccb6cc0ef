"""How long the job takes to come back after a SIGKILL, with the state that it has."""

import time
from collections.abc import Iterator
from dataclasses import replace

from streamctl.chaos.feed import Flow
from streamctl.chaos.load.model import Recovery
from streamctl.chaos.subject import Subject
from streamctl.chaos.verbs import job
from streamctl.chaos.watch import batches
from streamctl.reports import Event, OnEvent

_PATIENCE_SECONDS = 180.0
_RECORDS_PER_ROW = 3
"""Devices are drawn by chance: so many records for each leave one in twenty out."""
_TOLD_SECONDS = 1.0
"""A batch is told a little after its commit."""
_OPEN = "12 hours"
"""A watermark that closes no window while one measures."""


def keeps_state(store: str) -> dict[str, str]:
    """Settings of a job whose windows stay open, in a provider."""
    return {"spark.state_store": store, "stream.watermark": _OPEN}


def recoveries(
    subject: Subject, flow: Flow, states: tuple[int, ...], *, on_event: OnEvent
) -> Iterator[Recovery]:
    """Grow the state of a started job from size to size, and kill its driver at each."""
    for rows in sorted(states):
        on_event(Event(message=f"{_store(subject)}: state grows to {rows:,} rows"))
        missing = max(0, rows - _state_rows(subject))
        if missing:
            records, wide = missing * _RECORDS_PER_ROW, replace(flow, devices=missing)
            subject.feed.burst(records, wide, on_event=on_event)
            subject.drain(_PATIENCE_SECONDS)
            time.sleep(_TOLD_SECONDS)
        found = recover(subject, flow)
        on_event(Event(message=f"{found.state_rows:,} rows: {_told(found)}"))
        yield found


def recover(subject: Subject, flow: Flow) -> Recovery:
    """Kill the driver under load, and wait for the next batch, but not for ever."""
    rows = _state_rows(subject)
    subject.feed.start(flow)
    time.sleep(2)
    killed = time.time()
    job.kill(subject)
    attempt = max((b.attempt for b in batches(subject)[0]), default=1)
    deadline, seconds = time.monotonic() + _PATIENCE_SECONDS, None
    try:
        while time.monotonic() < deadline:
            ends = [b.at + b.seconds for b in batches(subject)[0] if b.attempt > attempt]
            if ends:
                seconds = round(ends[0] - killed, 2)
                break
            time.sleep(0.2)
    finally:
        subject.feed.stop()
    return Recovery(state_store=_store(subject), state_rows=rows, seconds=seconds)


def _told(found: Recovery) -> str:
    if found.seconds is None:
        return f"no batch within {_PATIENCE_SECONDS:g} s"
    return f"back after {found.seconds:.1f} s"


def _state_rows(subject: Subject) -> int:
    """Rows of all operators after the last batch that told them."""
    lines = [line for line in subject.run.progress() if line.get("state")]
    return sum(int(each["rows"] or 0) for each in lines[-1]["state"]) if lines else 0


def _store(subject: Subject) -> str:
    return str(subject.settings.get("spark.state_store", "rocksdb"))
