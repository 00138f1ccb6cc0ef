"""Faults of the data: flaws, floods, and records that nobody expects."""

import json
from typing import Any

from streamctl.chaos.experiment import Part
from streamctl.chaos.feed import Flow
from streamctl.chaos.subject import Subject
from streamctl.chaos.verbs.verb import action
from streamctl.errors import DeadlinePassed


def burst(
    subject: Subject,
    records: int,
    flaws: dict[str, float] | None = None,
    late_share: float = 0.0,
    devices: int = 20,
) -> int:
    """Send many records at once, some of them with flaws, late, or all of few devices."""
    flow = Flow(devices=devices, flaws=flaws or {}, late_share=late_share)
    return subject.feed.burst(records, flow).acknowledged_records


def strange(subject: Subject, each: int = 5) -> dict[str, int]:
    """Send records that no schema foresees: huge, deep, not UTF-8, empty, a tombstone."""
    return subject.feed.strange(_strange, each=each)


def _strange(device: str, time: str) -> list[tuple[str, bytes | None, str | None]]:
    """Name, value, and the reason for which it must be rejected; None for a good record."""
    good: dict[str, Any] = {
        "device_id": device,
        "event_timestamp": time,
        "battery_level": 50.0,
        "signal_strength": -70.0,
        "latitude": 1.0,
        "longitude": 2.0,
        "duration_seconds": 3.0,
    }
    text = json.dumps(good)
    deep = "[" * 2000 + "]" * 2000
    return [
        ("good", text.encode(), None),
        ("again", text.encode(), None),
        ("huge", json.dumps({**good, "note": "x" * 900_000}).encode(), None),
        ("tombstone", None, "missing:value"),
        ("empty", b"", "invalid_json"),
        ("not UTF-8", text.encode().replace(b"device", b"\xff\xfe"), "invalid_json"),
        ("deep", f'{text[:-1]}, "note": {deep}}}'.encode(), "invalid_json"),
        ("a number", b"5", "schema_mismatch:value"),
        ("a list", f"[{text}]".encode(), "schema_mismatch:value"),
        ("twice in one", (text + text).encode(), "invalid_json"),
    ]


def poison(subject: Subject, each: int = 1) -> dict[str, int]:
    """Send records that fail every batch of `jobs.fragile_telemetry`, until they are set aside."""
    subject.crashed = True  # a batch that fails is run again, and its dead letters with it
    return subject.feed.strange(_poison, each=each)


def _poison(device: str, time: str) -> list[tuple[str, bytes | None, str | None]]:
    text = json.dumps({"device_id": device, "event_timestamp": time, "note": "poison"})
    return [("poison", text.encode(), "poison:USER_RAISED_EXCEPTION")]


def pause(subject: Subject, seconds: float = 120.0) -> None:
    """Send nothing more, and wait until the job has committed what there is.

    Raises:
        DeadlinePassed: it has not, in time.
    """
    subject.feed.stop()
    if not subject.drain(seconds):
        raise DeadlinePassed(f"the job did not read all within {seconds:g} s")


def resume(subject: Subject, **_more: Any) -> None:
    """Send again what flowed before."""
    subject.feed.resume()


VERBS = {
    "data.pause": action(pause, Part.ASIDE, undo="data.resume"),
    "data.resume": action(resume, Part.ASIDE),
    "data.burst": action(burst, Part.FAULT),
    "data.strange": action(strange, Part.FAULT),
    "data.poison": action(poison, Part.FAULT),
}
