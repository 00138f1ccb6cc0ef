"""The engine, with a system that is a dictionary and a clock that a test moves."""

from datetime import UTC, datetime, timedelta

import pytest

from streamctl.chaos.effects import Effects
from streamctl.chaos.experiment import Activity, Experiment, Role, Verb
from streamctl.chaos.journal import Ended
from streamctl.chaos.run import Means, run_experiment, undo
from streamctl.errors import StreamctlError

UNDO = {"break": "mend", "freeze": "thaw"}


def act(verb: str, **more) -> Activity:
    return Activity(name=verb, role=Role.ACTION, provider=Verb(name=verb), **more)


def probe(verb: str, tolerance=True) -> Activity:
    return Activity(name=verb, role=Role.PROBE, provider=Verb(name=verb), tolerance=tolerance)


class World:
    """Performs verbs by noting them; some mean more."""

    def __init__(self, path) -> None:
        self.done: list[str] = []
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.steady_at: float | None = 0
        self.effects = Effects(path / "effects.jsonl")
        self.saved: list[Ended | None] = []
        self.means = Means(
            perform=self.perform,
            undo_of=lambda verb: UNDO.get(verb, ""),
            effects=self.effects,
            save=lambda journal: self.saved.append(journal.ended),
            now=lambda: self.time,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    @property
    def seconds(self) -> float:
        return (self.time - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds()

    def perform(self, activity: Activity):
        verb = activity.provider.name
        if verb == "steady":
            return self.steady_at is not None and self.seconds >= self.steady_at
        self.done.append(verb)
        if verb == "fail":
            raise StreamctlError("it would not")
        if verb == "interrupt":
            raise KeyboardInterrupt
        if verb == "unsettle":
            self.steady_at = None
        return verb


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def experiment(*method: Activity, **more) -> Experiment:
    return Experiment(
        name="e", title="E", hypothesis=(probe("steady"),), method=method,
        **{"recovery_seconds": 30.0} | more,
    )  # fmt: skip


def test_an_experiment_runs_and_what_it_broke_is_mended(world):
    journal = run_experiment(experiment(act("break", pause_after_seconds=5)), world.means)
    assert (journal.ended, journal.deviated) == (Ended.COMPLETED, False)
    assert world.done == ["break", "mend"]
    assert world.effects.standing == []
    assert [step.name for step in journal.rollbacks] == ["undo break"]
    assert world.saved[-1] is Ended.COMPLETED


def test_the_hypothesis_gates(world):
    world.steady_at = None
    journal = run_experiment(experiment(act("break")), world.means)
    assert journal.ended is Ended.NOT_STEADY
    assert world.done == []
    assert world.seconds >= world.means.steady_seconds


def test_a_system_that_becomes_steady_in_time_is_steady(world):
    world.steady_at = 10
    assert run_experiment(experiment(act("break")), world.means).ended is Ended.COMPLETED


def test_a_hypothesis_that_does_not_hold_again_deviates(world):
    journal = run_experiment(experiment(act("unsettle")), world.means)
    assert (journal.ended, journal.deviated) == (Ended.COMPLETED, True)
    assert world.seconds >= 30


def test_an_action_that_fails_ends_the_method_and_all_is_undone(world):
    journal = run_experiment(experiment(act("break"), act("fail"), act("freeze")), world.means)
    assert journal.ended is Ended.ABORTED
    assert journal.method[-1].error == "it would not"
    assert world.done == ["break", "fail", "mend"]


def test_ctrl_c_undoes_all_the_latest_first(world):
    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment(act("break"), act("freeze"), act("interrupt")), world.means)
    assert world.done == ["break", "freeze", "interrupt", "thaw", "mend"]
    assert world.saved[-1] is Ended.INTERRUPTED


def test_what_the_method_mends_itself_is_not_mended_again(world):
    run_experiment(experiment(act("break"), act("mend")), world.means)
    assert world.done == ["break", "mend"]


def test_a_rollback_that_fails_stops_no_other(world):
    journal = run_experiment(
        experiment(act("break"), rollbacks=(act("fail"), act("tidy"))), world.means
    )
    assert world.done == ["break", "fail", "tidy", "mend"]
    assert [step.ok for step in journal.rollbacks] == [False, True, True]


def test_what_a_killed_run_left_is_undone_by_its_record(world, tmp_path):
    world.effects.begin("break", undo="mend", arguments={"by": 3})
    world.effects.begin("freeze", undo="thaw", arguments={})
    with (tmp_path / "effects.jsonl").open("a") as file:
        file.write('{"number": 3, "ve')  # torn: the process died while it wrote
    later = World(tmp_path)
    assert [effect.arguments for effect in later.effects.standing] == [{}, {"by": 3}]
    undo(later.means)
    assert later.done == ["thaw", "mend"]
    assert Effects(tmp_path / "effects.jsonl").standing == []


def test_the_record_stands_before_the_change_is_made(world, tmp_path):
    seen = []
    perform = world.perform

    def look(activity: Activity):
        seen.append([e.verb for e in Effects(tmp_path / "effects.jsonl").standing])
        return perform(activity)

    object.__setattr__(world.means, "perform", look)
    run_experiment(experiment(act("break")), world.means)
    assert ["break"] in seen
