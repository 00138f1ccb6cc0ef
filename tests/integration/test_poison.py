"""A real job that dies on two records: they are found, named, set aside, and all others count."""

import json

import pytest

from streamctl.errors import ExitCode
from streamctl.resilience.dead_letter import read_origin

pytestmark = pytest.mark.integration
RECORD = {
    "event_timestamp": "2026-03-01T12:00:00Z", "battery_level": 50, "signal_strength": -70,
    "latitude": 1, "longitude": 1, "duration_seconds": 5,
}  # fmt: skip
GOOD, POISON = 6, {(0, 2), (1, 2)}


def send(broker, topic):
    """Four records in each of two partitions, of which one kills the job."""
    producer = broker.producer({})
    for partition in (0, 1):
        for offset in range(4):
            device = "poison" if (partition, offset) in POISON else f"d{offset % 3}"
            value = json.dumps(RECORD | {"device_id": device}).encode()
            producer.produce(topic, key=device, value=value, partition=partition)
    assert producer.flush(30) == 0


@pytest.mark.timeout(1200)
def test_poison_is_found_and_set_aside_and_every_other_record_counts(project, broker, topic):
    send(broker, topic)
    job = ("--set", "job.entry=jobs.fragile_telemetry:FragileTelemetryJob")
    assert project("start", *job).exit_code == ExitCode.FAILED
    before = {name: cp.log_ids() for name, cp in project.checkpoints().items()}
    assert before["windows"].planned == (0,)

    refused = project.json("poison", "find", *job, "--query", "nobody")
    assert refused.exit_code == ExitCode.NOT_FOUND
    found = project.json("poison", "find", *job, "--query", "windows")
    assert found.exit_code == ExitCode.FOUND, found.stderr
    assert (found.data["outcome"], found.data["records"]) == ("found", 8)
    told = found.data["poison"]
    assert {(record["partition"], record["offset"]) for record in told} == POISON
    assert all("cannot digest this" in record["message"] for record in told)
    assert found.data["trials"] <= 11
    assert {name: cp.log_ids() for name, cp in project.checkpoints().items()} == before
    ours = project.directory / "data" / "checkpoint" / "_streamctl"
    assert not (ours / "poison").exists()
    assert not (ours / "quarantine.json").exists()

    patient = ("--set", "poison.quarantine=true", "--set", "start.wait_seconds=500")
    started = project("start", *job, *patient, timeout=600)
    assert started.exit_code == 0, started.stderr
    project.drain(*job)
    hidden = json.loads((ours / "quarantine.json").read_text())["records"]
    assert {(record["partition"], record["offset"]) for record in hidden} == POISON
    audit = project.json("audit", *job)
    assert audit.exit_code == 0, audit.stdout
    figures = {query["query"]: query["figures"] for query in audit.data["queries"]}["windows"]
    assert figures["set_aside"] == len(POISON)
    assert figures["in_output"] + figures["in_state"] == GOOD
    dlq = f"{topic}.dlq"
    origins = [
        read_origin(letter.headers)
        for partition, (low, high) in broker.watermarks(dlq).items()
        for letter in broker.read(dlq, partition, low, high)
    ]
    assert sorted((o.partition, o.offset, o.run) for o in origins) == [
        (*place, "quarantine") for place in sorted(POISON)
    ]
    assert project("stop").exit_code == 0
    journal = project.json("checkpoint", "journal", *job).data
    assert "quarantine" in json.dumps(journal)
