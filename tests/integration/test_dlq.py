"""Dead letters on a real Kafka: judged by a loosened job, replayed through kills, purged."""

import json
from collections import Counter

import pytest

from streamctl.errors import ExitCode
from streamctl.resilience.dead_letter import Origin, headers_of
from streamctl.resilience.replayed import read_identity
from tests.harness import Project, until

pytestmark = pytest.mark.integration
LETTERS = 20_000
LOOSENED = """
from jobs.telemetry import TelemetryJob

class Loosened(TelemetryJob):
    def rules_for(self, context):
        return tuple(r for r in super().rules_for(context) if "battery" not in r.reason)
"""
GOOD = {
    "device_id": "d1", "event_timestamp": "2026-03-01T12:00:00Z", "battery_level": 101,
    "signal_strength": -70, "latitude": 1, "longitude": 1, "duration_seconds": 5,
}  # fmt: skip


@pytest.fixture(autouse=True)
def letters(project: Project, broker, topic) -> None:
    """The dead letter topic: three of four letters would pass without the rule on batteries."""
    name = f"{topic}.dlq"
    broker.create_topic(name, partitions=2)
    producer = broker.producer({"linger.ms": 20})
    for number in range(LETTERS):
        bad = number % 4 == 0
        origin = Origin(
            topic=topic,
            partition=number % 2,
            offset=number,
            timestamp_ms=1,
            reasons=("invalid_json",) if bad else ("out_of_range:battery_level",),
            job="telemetry",
            run="r",
        )
        value = b"\xff{" if bad else json.dumps(GOOD).encode()
        producer.produce(
            name,
            key=f"d{number % 3}",
            value=value,
            headers=headers_of(origin),
            partition=number % 2,
        )
        producer.poll(0)
    assert producer.flush(30) == 0
    (project.directory / "loosened.py").write_text(LOOSENED)


def arrived(broker, topic):
    """Offset of the original -> how often it came back, as the job sees it."""
    return Counter(
        read_identity(record.headers).offset
        for partition, (low, high) in broker.watermarks(topic).items()
        for record in broker.read(topic, partition, low, high, isolation="read_uncommitted")
    )


def test_letters_are_judged_replayed_once_through_kills_and_purged(project, broker, topic):
    shown = project.json("dlq", "stats")
    assert (shown.data["records"], shown.data["devices"]) == (LETTERS, 3)
    preview = project.json(
        *("dlq", "replay", "--dry-run", "--limit", "400", "--set", "job.entry=loosened:Loosened")
    )
    assert preview.exit_code == 0, preview.stderr
    assert (preview.data["passing_records"], preview.data["failing_records"]) == (200, 200)
    assert preview.data["reasons"] == {"invalid_json": 200}
    assert arrived(broker, topic) == {}

    command = ("dlq", "replay", "--reason", "out_of_range", "--yes")
    intents = project.directory / "data" / "checkpoint" / "_streamctl" / "replayed"
    for files in (3, 7):
        process = project.spawn(*command)
        until(lambda files=files: intents.exists() and len(list(intents.glob("*.json"))) >= files)
        process.kill()
        assert process.wait() == -9
    report = project.json(*command)
    assert report.exit_code == 0, report.stderr
    expected = [number for number in range(LETTERS) if number % 4]
    assert arrived(broker, topic) == dict.fromkeys(expected, 1)
    assert 0 < report.data["sent_records"] < len(expected)
    assert project.json(*command).data["sent_records"] == 0

    assert project("dlq", "purge", "--older-than", "0s").exit_code == ExitCode.REFUSED
    purged = project.json("dlq", "purge", "--older-than", "0s", "--yes")
    assert purged.data["exported_letters"] == LETTERS, purged.stderr
    assert project.json("dlq", "stats").data["letters"] == 0
