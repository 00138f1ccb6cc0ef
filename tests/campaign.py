"""Long campaigns against the installed program: `scripts/campaign stops --count 30`.

Each brings its own broker and project, runs under load, prints its seed, and ends with an
account of every record that was sent.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamctl.kafka.client import Broker
from streamctl.rundir.records import Observed
from streamctl.sandbox import lifecycle as sandbox
from tests import accounting, breakers, drains, histories, hot, migrations, rewinds, sinks, trials
from tests import replays as replaying
from tests import vanishings as vanishing
from tests.harness import Project, until
from tests.unit.change import test_faults

TOPIC = "device-telemetry"
READY_SECONDS = 180


@dataclass
class Result:
    """What a campaign found: figures, and whatever is wrong."""

    figures: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Field:
    """A broker, a project and records that were sent with a ledger."""

    def __init__(self, place: Path, *, records: int, seed: int, is_empty: bool = False) -> None:
        self.records = records
        self.kafka = place / "kafka"
        self.ledger = place / "ledger"
        servers = sandbox.up(directory=self.kafka, topics={TOPIC: 2}).bootstrap_servers
        self.broker = Broker(servers, timeout_seconds=30)
        (place / "project").mkdir()
        self.project = Project(
            place / "project",
            {
                "kafka": {
                    "bootstrap_servers": servers,
                    "topic": TOPIC,
                    "starting_offsets": "earliest",
                    "max_offsets_per_trigger": 200,
                },
                "spark": {"master": "local[2]", "shuffle_partitions": 2},
                "supervise": {"attempts": 1000, "max_backoff_seconds": 1},
                "spark.options": {"spark.sql.streaming.minBatchesToRetain": "1000000"},
            },
        )
        if is_empty:
            return
        sent = self.project(
            *("produce", "--count", str(records), "--ledger", str(self.ledger)),
            *("--flaw", "all=0.05", "--late", "0.1", "--seed", str(seed)),
            *("--start-time", "2026-01-31T12:00:00", "--event-rate", "20"),
        )
        assert sent.exit_code == 0, sent.stderr

    def running(self) -> None:
        """Wait until both queries have committed in this attempt."""
        until(lambda: self.project.status().observed is Observed.RUNNING, seconds=READY_SECONDS)

    def finish(self, result: Result) -> None:
        """Let the job drain the topic at full speed, stop it, and account for every record."""
        faster = ("--set", "kafka.max_offsets_per_trigger=5000")
        self.project("stop")
        assert self.project("start", *faster).exit_code == 0
        until(
            lambda: accounting.is_drained(self.project, self.broker, TOPIC),
            seconds=1800,
            every=1,
        )
        assert self.project("stop").exit_code == 0
        audit = accounting.check(self.project, self.broker, TOPIC, self.ledger)
        result.wrong += audit.wrong
        result.figures |= {
            "records": audit.counts.produced - audit.counts.unread,
            "in_windows_and_state": audit.counts.in_windows + audit.counts.in_state,
            "late": audit.counts.late,
            "dead_letters": audit.counts.dead_letters,
            "dead_letters_written_again": audit.counts.letters_again,
            "unread": audit.counts.unread,
        }

    def close(self) -> None:
        self.project.clean()
        sandbox.down(directory=self.kafka)


def stops(ground: Field, *, count: int, chance: random.Random) -> Result:
    """Stop gracefully at random moments while batches run back to back."""
    result = Result(figures={"stops": count, "equal": 0, "one_planned": 0, "seconds": []})
    for number in range(1, count + 1):
        assert ground.project("start").exit_code == 0
        time.sleep(chance.uniform(0, 4))
        began = time.monotonic()
        answer = ground.project.json("stop")
        result.figures["seconds"].append(round(time.monotonic() - began, 1))
        if answer.exit_code != 0 or answer.data["outcome"] != "stopped":
            result.wrong.append(f"stop {number}: exit {answer.exit_code}: {answer.stdout}")
        ahead = 0
        for name, checkpoint in ground.project.checkpoints().items():
            ids = checkpoint.log_ids()
            over = len(ids.planned) - len(ids.committed)
            ahead = max(ahead, over)
            begun = [str(path) for path in state_of(checkpoint.location, ids.planned[-1] + 1)]
            if over > 1 or (over == 1 and begun):
                result.wrong.append(f"stop {number}: {name} is {over} ahead, began {begun}")
        result.figures["one_planned" if ahead else "equal"] += 1
        say(f"stop {number} of {count}: {ahead} planned, {result.figures['seconds'][-1]} s")
    ground.finish(result)
    if result.figures["dead_letters_written_again"]:
        result.wrong.append("a batch was interrupted: dead letters were written again")
    return result


def state_of(checkpoint: str, version: int) -> list[Path]:
    """State files of a version: they are there when its batch has begun to commit."""
    return [
        path
        for path in Path(checkpoint).glob("state/*/*/*")
        if path.name.split(".")[0].split("_")[0] == str(version)
    ]


def kills(ground: Field, *, count: int, chance: random.Random) -> Result:
    """SIGKILL the driver at random moments; the supervisor recovers."""
    result = Result(figures={"kills": count, "noticed_seconds": [], "recovered_seconds": []})
    assert ground.project("start").exit_code == 0
    for number in range(1, count + 1):
        ground.running()
        time.sleep(chance.uniform(0, 5))
        before = ground.project.status()
        killed = time.monotonic()
        os.kill(before.driver_pid or 0, signal.SIGKILL)
        until(lambda pid=before.driver_pid: ground.project.status().driver_pid != pid)
        noticed = time.monotonic() - killed
        until(lambda last=before.attempt: ground.project.status().attempt > last)
        ground.running()
        recovered = time.monotonic() - killed
        result.figures["noticed_seconds"].append(round(noticed, 2))
        result.figures["recovered_seconds"].append(round(recovered, 1))
        if noticed >= 2:
            result.wrong.append(f"kill {number} was noticed after {noticed:.1f} s")
        say(f"kill {number} of {count}: noticed {noticed:.2f} s, recovered {recovered:.1f} s")
    ground.finish(result)
    return result


def replays(ground: Field, *, count: int, chance: random.Random) -> Result:
    """Dead letters go back after a rule was loosened, through kills."""
    figures, wrong = replaying.campaign(ground, TOPIC, count=count, chance=chance)
    return Result(figures=figures, wrong=wrong)


def vanishings(ground: Field, *, count: int, chance: random.Random) -> Result:
    """Records vanish under the job, and each loss has its receipt."""
    figures, wrong = vanishing.campaign(ground, TOPIC, count=count, chance=chance)
    return Result(figures=figures, wrong=wrong)


def breaker(ground: Field, *, count: int, chance: random.Random) -> Result:
    """A share of what comes is invalid."""
    figures, wrong = breakers.campaign(ground, TOPIC, count=count, chance=chance)
    return Result(figures=figures, wrong=wrong)


def changes(ground: Field, *, count: int, chance: random.Random) -> Result:
    """A schema change of each kind through `migrate`."""
    figures, wrong = migrations.campaign(ground, TOPIC, count=count, chance=chance)
    return Result(figures=figures, wrong=wrong)


def reprocess(ground: Field, *, count: int, chance: random.Random) -> Result:
    """History again, beside the live job and through kills."""
    figures, wrong = histories.campaign(ground, TOPIC, count=count, chance=chance)
    return Result(figures=figures, wrong=wrong)


CAMPAIGNS = {
    "stops": stops,
    "kills": kills,
    "replays": replays,
    "vanishings": vanishings,
    "breaker": breaker,
    "migrations": changes,
    "reprocess": reprocess,
}
SEND_THEMSELVES = {"breaker", "migrations", "reprocess"}
"""Campaigns that begin with nothing in the topic."""
ALONE = {
    "aimed": trials.aimed,
    "mixed": trials.mixed,
    "fuzzed": trials.fuzzed,
    "planted": trials.planted,
    "rewinds": rewinds.campaign,
    "sinks": sinks.campaign,
    "drains": drains.campaign,
    "backups": hot.campaign,
    "faults": test_faults.campaign,
}
"""Campaigns that need no broker and no project."""


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/campaign", description=__doc__)
    parser.add_argument("name", choices=[*CAMPAIGNS, *ALONE])
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    say(f"campaign {arguments.name}, seed {arguments.seed}")
    with tempfile.TemporaryDirectory(prefix="streamctl-campaign-") as place:
        result = _run(arguments, Path(place))
    figures = {"campaign": arguments.name, "seed": arguments.seed} | result.figures
    sys.stdout.write(json.dumps(figures | {"wrong": result.wrong}, indent=1) + "\n")
    say("Analysis invalid!" if result.wrong else "Everything looks good!")
    return 3 if result.wrong else 0


def _run(arguments: argparse.Namespace, place: Path) -> Result:
    chance = random.Random(arguments.seed)
    if arguments.name in ALONE:
        figures, wrong = ALONE[arguments.name](place, count=arguments.count, chance=chance)
        return Result(figures=figures, wrong=wrong)
    is_empty = arguments.name in SEND_THEMSELVES
    ground = Field(place, records=arguments.records, seed=arguments.seed, is_empty=is_empty)
    try:
        return CAMPAIGNS[arguments.name](ground, count=arguments.count, chance=chance)
    finally:
        ground.close()


if __name__ == "__main__":
    sys.exit(main())
