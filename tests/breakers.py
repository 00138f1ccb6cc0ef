"""A campaign: a share of what comes is invalid, and the breaker does what it must.

For each share a job of its own: good records, then some with that share of flaws, then good ones.
Below the threshold nothing stops. Above it processing stops between batches with the input waiting
in Kafka, trials read on, and good data closes it again. Every record is accounted for in each.
"""

import json
import random
import time
from typing import TYPE_CHECKING, Any

from streamctl.errors import ExitCode
from streamctl.resilience.breaker import BreakerState, Circuit
from streamctl.rundir.log import LOG_FILE
from streamctl.rundir.records import Observed
from tests.harness import until

if TYPE_CHECKING:
    from tests.campaign import Field

SHARES = (0.0, 0.01, 0.53, 1.0)
THRESHOLD, WINDOW_SECONDS = 0.5, 15
SETTINGS = (
    f"breaker.threshold={THRESHOLD}",
    f"breaker.window_seconds={WINDOW_SECONDS}",
    "breaker.cool_down_seconds=20",
    "breaker.cool_down_factor=1",
    "breaker.trial_records=1000",
    "kafka.max_offsets_per_trigger=1000",
)
PATIENCE_SECONDS = 600


def campaign(
    ground: "Field", topic: str, *, count: int, chance: random.Random
) -> tuple[dict[str, Any], list[str]]:
    """Run the first `count` shares, with a third of the records in each phase."""
    figures: dict[str, Any] = {}
    wrong: list[str] = []
    for share in SHARES[:count]:
        one = _Share(ground, f"{topic}-{share:g}", share, chance)
        found = one.run()
        figures[f"{share:.0%} invalid"] = one.figures
        wrong += [f"{share:.0%} invalid: {text}" for text in found]
    return figures, wrong


class _Share:
    """One job and its topic."""

    def __init__(self, ground: "Field", topic: str, share: float, chance: random.Random) -> None:
        self.ground, self.project, self.topic = ground, ground.project, topic
        self.share, self.seed = share, chance.randrange(10**6)
        self.ledgers = self.project.directory / f"ledgers-{share:g}"
        self.ledgers.mkdir()
        place = f"data/{share:g}"
        given = (*SETTINGS, f"kafka.topic={topic}", f"checkpoint.location={place}/checkpoint")
        given += (f"output.location={place}/output",)
        self.flags = tuple(text for one in given for text in ("--set", one))
        self.figures: dict[str, Any] = {}
        self.hour = 0

    def run(self) -> list[str]:
        records = self.ground.records // 3
        self.ground.broker.create_topic(self.topic, partitions=2)
        self.produce(records, 0)
        assert self.project("start", *self.flags).exit_code == 0
        self.drained()
        time.sleep(WINDOW_SECONDS)  # what was good is forgotten
        before = self.project.status()
        self.produce(records, self.share)
        wrong = self.stops() if self.share > THRESHOLD else self.goes_on(before.driver_pid)
        self.produce(records, 0)
        sent = time.monotonic()
        self.drained()
        until(lambda: self.circuit() is Circuit.CLOSED, seconds=PATIENCE_SECONDS)
        if self.share > THRESHOLD:
            self.figures["closed_seconds_after_good_data"] = round(time.monotonic() - sent, 1)
        self.figures["moves"] = [text for text in self.told() if "breaker" in text]
        assert self.project("stop").exit_code == 0
        return wrong + self.audited(3 * records)

    def produce(self, count: int, share: float) -> None:
        self.hour += 1
        sent = self.project(
            *("produce", "--topic", self.topic, "--count", str(count), "--event-rate", "20"),
            *("--start-time", f"2026-03-01T{self.hour:02}:00:00", "--flaw", f"all={share}"),
            *("--ledger", str(self.ledgers / f"{self.hour}"), "--seed", str(self.seed + self.hour)),
        )
        assert sent.exit_code == 0, sent.stderr

    def lag(self) -> int:
        return self.project.json("lag", *self.flags).data["lag_records"]

    def drained(self) -> None:
        until(lambda: self.lag() == 0, seconds=PATIENCE_SECONDS, every=0.5)

    def circuit(self) -> Circuit:
        state = self.project.run.read(BreakerState)
        assert state is not None
        return state.circuit

    def told(self) -> list[str]:
        run_id = self.project.status().run_id
        lines = (json.loads(line) for line in (self.project.run.logs / LOG_FILE).open())
        return [str(x.get("message")) for x in lines if x.get("run_id", run_id) == run_id]

    def goes_on(self, driver_pid: int | None) -> list[str]:
        """Nothing stops."""
        self.drained()
        after, opened = self.project.status(), [x for x in self.told() if "breaker open" in x]
        is_same = (after.driver_pid, after.restarts) == (driver_pid, 0)
        return opened + ([] if is_same else [f"the driver was changed: {after}"])

    def stops(self) -> list[str]:
        """It opens, positions are kept and the input waits."""
        began = time.monotonic()
        until(lambda: self.circuit() is Circuit.OPEN, seconds=PATIENCE_SECONDS)
        self.figures["opened_seconds"] = round(time.monotonic() - began, 1)
        status = until(self.is_halted, seconds=120)
        wrong = [] if status.driver_pid is None else ["the driver lives with the breaker open"]
        self.figures["waiting_records"] = self.lag()
        if not self.figures["waiting_records"]:
            wrong.append("nothing waits in Kafka")
        if self.project("breaker", "status").exit_code != ExitCode.FOUND:
            wrong.append("`breaker status` does not tell")
        return wrong

    def is_halted(self) -> Any:
        status = self.project.status()
        return status if status.observed is Observed.BREAKER_OPEN else None

    def audited(self, records: int) -> list[str]:
        audit = self.project.json("audit", *self.flags, "--ledger", str(self.ledgers))
        windows = next(q for q in audit.data["queries"] if q["query"] == "windows")["figures"]
        self.figures |= {name: windows[name] for name in _PLACES}
        if audit.exit_code != 0 or windows["read"] != records:
            return [f"the audit does not balance: {audit.stdout}"]
        return []


_PLACES = ("read", "in_output", "in_state", "late", "letters")
