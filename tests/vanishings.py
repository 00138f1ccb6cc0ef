"""A campaign: records vanish under the running job, and each loss has its receipt.

Three ways: Kafka deletes what was not read yet; the topic is made anew and is shorter than the
job's position; it is made anew and is longer. The driver's processes stand still meanwhile, so that
it is known what was read.
"""

import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

from streamctl.errors import ExitCode
from streamctl.job.launcher import session_members
from streamctl.supervisor.losses import EVERY_SECONDS
from tests.harness import until

if TYPE_CHECKING:
    from tests.campaign import Field

WAYS = ("deleted", "shorter", "longer")


def campaign(
    ground: "Field", topic: str, *, count: int, chance: random.Random
) -> tuple[dict[str, Any], list[str]]:
    """Let records vanish `count` times, each time under a job of its own."""
    figures: dict[str, Any] = dict.fromkeys(WAYS, 0)
    wrong: list[str] = []
    for number in range(count):
        way = WAYS[number % len(WAYS)]
        figures[way] += 1
        places = ("--set", f"checkpoint.location=data/{number}/checkpoint")
        places += ("--set", f"output.location=data/{number}/output")
        wrong += [f"{number}, {way}: {text}" for text in _one(ground, topic, way, places, chance)]
    return figures, wrong


def _one(
    ground: "Field", topic: str, way: str, places: tuple[str, ...], chance: random.Random
) -> list[str]:
    project = ground.project
    fast = ("--set", "kafka.max_offsets_per_trigger=100000")
    assert project("start", *places, *fast).exit_code == 0
    until(lambda: project.json("lag", *places).data["lag_records"] == 0, seconds=300, every=1)
    time.sleep(2 * EVERY_SECONDS)  # what was read so far was looked at
    before = _ends(ground, topic)
    driver = session_members(project.status().driver_pid or -1)
    _send(driver, signal.SIGSTOP)
    expected = _vanish(ground, topic, way, before, chance)
    _send(driver, signal.SIGCONT)
    queries = ("windows", "dead_letters")
    found = until(lambda: _losses(ground, len(queries) * len(expected)), seconds=180, every=1)
    told = {
        query: {
            loss["partition"]: (loss["start_offset"], loss["end_offset"], loss["exact"])
            for loss in found
            if loss["query"] == query
        }
        for query in queries
    }
    wrong = [
        f"{query}: {told[query]}, not {expected}" for query in queries if told[query] != expected
    ]
    assert project("stop").exit_code == 0
    again = project("start", *places).exit_code
    if (again == ExitCode.TOPIC_MADE_ANEW) != (way != "deleted"):
        wrong.append(f"the next start answered {again}")
    project("stop")
    return wrong


def _vanish(
    ground: "Field", topic: str, way: str, before: dict[int, int], chance: random.Random
) -> dict[int, tuple[int, int, bool]]:
    """Do it; return what must be told: partition -> first offset, the one after, exactly."""
    if way == "deleted":
        _produce(ground, 400)
        ends = _ends(ground, topic)
        gone = {p: chance.randint(before[p] + 1, ends[p]) for p in before}
        ground.broker.delete_records(topic, gone)
        return {p: (before[p], gone[p], True) for p in before}
    ground.broker.delete_topic(topic)
    ground.broker.create_topic(topic, partitions=len(before))
    _produce(
        ground, sum(before.values()) * (2 if way == "longer" else 1) // (1 + (way == "shorter"))
    )
    ends = _ends(ground, topic)
    return {p: (0, min(before[p], ends[p]), False) for p in before}


def _produce(ground: "Field", count: int) -> None:
    sent = ground.project("produce", "--count", str(count), "--event-rate", "20")
    assert sent.exit_code == 0, sent.stderr


def _ends(ground: "Field", topic: str) -> dict[int, int]:
    return {p: high for p, (_, high) in ground.broker.watermarks(topic).items()}


def _losses(ground: "Field", count: int) -> list[dict[str, Any]]:
    losses = ground.project.json("status").data["losses"]
    return losses if len(losses) >= count else []


def _send(processes: list[int], number: int) -> None:
    for pid in processes:
        os.kill(pid, number)
