"""A campaign: dead letters go back after a rule was loosened, through kills, and count once."""

import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from streamctl.resilience.dead_letter import read_origin
from streamctl.resilience.replayed import read_identity
from tests.accounting import is_drained
from tests.harness import until

if TYPE_CHECKING:
    from tests.campaign import Field

REASON = "out_of_range:battery_level"
STRICT = """
from jobs.telemetry import TelemetryJob

class Rules(TelemetryJob):
    pass
"""
LOOSENED = (
    STRICT.replace("    pass\n", "")
    + f"""
    def rules_for(self, context):
        return tuple(rule for rule in super().rules_for(context) if rule.reason != "{REASON}")
"""
)
JOB = ("--set", "job.entry=rules:Rules")


def campaign(
    ground: "Field", topic: str, *, count: int, chance: random.Random
) -> tuple[dict[str, Any], list[str]]:
    """Reject, loosen, replay with `count` kills, and account for every record."""
    project, wrong = ground.project, []
    _run(ground, topic, STRICT)
    wanted = _letters(ground, topic)
    (project.directory / "rules.py").write_text(LOOSENED)
    assert project("start", *JOB).exit_code == 0  # it reads while they come
    command = ("dlq", "replay", "--reason", REASON, "--yes", *JOB)
    killed = 0
    for _ in range(count):
        process = project.spawn(*command)
        time.sleep(chance.uniform(0.3, 2.5))
        process.kill()
        killed += process.wait() < 0
    report = project.json(*command)
    if report.exit_code != 0:
        wrong.append(f"the last replay: exit {report.exit_code}: {report.stderr}")
    until(lambda: is_drained(project, ground.broker, topic), seconds=600, every=0.5)
    assert project("stop").exit_code == 0
    arrived = _arrived(ground, topic)
    wrong += [f"{place} came back {times} times" for place, times in arrived.items() if times > 1]
    wrong += [f"{place} never came back" for place in wanted - arrived.keys()]
    audit = project.json("audit", *JOB)
    if audit.data["verdict"] != "ok":
        wrong.append(f"the audit: {audit.stdout}")
    figures = next(q["figures"] for q in audit.data["queries"] if q["query"] == "windows")
    return {"letters": len(wanted), "kills": killed, "figures": figures}, wrong


def _run(ground: "Field", topic: str, rules: str) -> None:
    """Run the job with these rules until nothing is left, and stop it."""
    (ground.project.directory / "rules.py").write_text(rules)
    faster = ("--set", "kafka.max_offsets_per_trigger=5000")
    assert ground.project("start", *JOB, *faster).exit_code == 0
    until(lambda: is_drained(ground.project, ground.broker, topic), seconds=600, every=0.5)
    assert ground.project("stop").exit_code == 0


def _letters(ground: "Field", topic: str) -> set[tuple[int, int]]:
    """Places of the records that were rejected for that reason."""
    found = set()
    for record in _records(ground, f"{topic}.dlq"):
        origin = read_origin(record.headers)
        if origin and REASON in origin.reasons:
            found.add((origin.partition, origin.offset))
    return found


def _arrived(ground: "Field", topic: str) -> Counter[tuple[int, int]]:
    identities = (read_identity(record.headers) for record in _records(ground, topic))
    return Counter((found.partition, found.offset) for found in identities if found)


def _records(ground: "Field", topic: str):
    for partition, (low, high) in ground.broker.watermarks(topic).items():
        yield from ground.broker.read(topic, partition, low, high, isolation="read_uncommitted")
