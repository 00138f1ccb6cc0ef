"""A driver is hung by the silence of its queries, counted while the supervisor was awake."""

import pytest

from streamctl.settings.model import SuperviseSettings
from streamctl.supervisor import watchdog as module
from streamctl.supervisor.watchdog import Watchdog


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def watched(**settings: float) -> Watchdog:
    return Watchdog(SuperviseSettings.model_validate({"hung_seconds": 10} | settings))


def after(watchdog: Watchdog, clock: Clock, seconds: float) -> str:
    """What the looks say, four of them a second."""
    said = ""
    for _ in range(int(seconds * 4)):
        clock.now += 0.25
        said = watchdog.look()
    return said


def launched(*queries: str, **triggers: str) -> dict[str, object]:
    return {"kind": "launched", "queries": list(queries), "triggers": triggers}


def batch(query: str, seconds: float) -> dict[str, object]:
    return {"kind": "progress", "query": query, "duration_ms": {"triggerExecution": seconds * 1000}}


def test_each_query_has_its_own_silence(clock: Clock) -> None:
    watchdog = watched()
    watchdog.hear(launched("a", "b"))
    assert after(watchdog, clock, 9) == ""
    watchdog.hear({"kind": "idle", "query": "a"})
    assert after(watchdog, clock, 2) == "query b has said nothing for 11 s"
    watchdog.hear(batch("b", 1))
    assert after(watchdog, clock, 7) == ""
    watchdog.hear({"kind": "terminated", "query": "a", "error": None})
    watchdog.hear({"kind": "idle", "query": "b"})
    assert after(watchdog, clock, 5) == "", "a query that ended has nothing more to say"


def test_a_driver_that_starts_no_query_is_hung_and_the_next_begins_anew(clock: Clock) -> None:
    watchdog = watched()
    assert after(watchdog, clock, 11) == "the driver has started no query for 11 s"
    assert watchdog.silent_seconds == 11
    watchdog.begin_attempt()
    assert after(watchdog, clock, 9) == ""


def test_one_that_could_not_be_killed_is_waited_for(clock: Clock) -> None:
    watchdog = watched()
    watchdog.hear(launched("a"))
    assert after(watchdog, clock, 11)
    watchdog.wait()
    assert after(watchdog, clock, 9) == ""
    assert after(watchdog, clock, 2) == "query a has said nothing for 11 s"


def test_slow_batches_and_rare_triggers_have_longer_windows(clock: Clock) -> None:
    watchdog = watched()
    watchdog.hear(launched("slow", "rare", rare="1 minute"))
    watchdog.hear(batch("slow", 20))
    assert after(watchdog, clock, 59) == ""
    assert after(watchdog, clock, 2) == "query slow has said nothing for 61 s"
    watchdog.hear({"kind": "idle", "query": "slow"})
    assert after(watchdog, clock, 59) == ""
    watchdog.hear({"kind": "idle", "query": "slow"})
    assert after(watchdog, clock, 60.5) == "query slow has said nothing for 60 s"


def test_a_machine_that_slept_was_silent_as_a_whole(clock: Clock) -> None:
    watchdog = watched()
    watchdog.hear(launched("a"))
    clock.now += 3600
    assert watchdog.look() == ""
    assert after(watchdog, clock, 8) == ""


def test_without_the_setting_nobody_judges(clock: Clock) -> None:
    watchdog = watched(hung_seconds=0)
    assert after(watchdog, clock, 100) == ""
    assert watchdog.silent_seconds == 0
