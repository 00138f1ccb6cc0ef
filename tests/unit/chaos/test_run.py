"""The engine, with a system that is a dictionary and a clock that a test moves."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from streamctl.chaos import providers
from streamctl.chaos.effects import Effects
from streamctl.chaos.experiment import Activity, Experiment, Http, Part, Process, Role, Verb
from streamctl.chaos.journal import Ended
from streamctl.chaos.run import Means, run_experiment, run_step, undo
from streamctl.errors import StreamctlError

UNDO = {"break": "mend", "freeze": "thaw"}
PARTS = {"mend": Part.LIFT, "wait": Part.ASIDE, "pounce": Part.STRIKE}


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
            part_of=lambda activity: PARTS.get(activity.name, Part.FAULT),
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
        if verb == "crash":
            raise ProcessLookupError(3, "No such process")
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


def test_a_rollback_that_crashes_stops_no_other(world):
    journal = run_experiment(experiment(act("break"), rollbacks=(act("crash"),)), world.means)
    assert world.done == ["break", "crash", "mend"]
    assert journal.rollbacks[0].error == "ProcessLookupError: [Errno 3] No such process"


def test_what_could_not_be_changed_back_is_left_to_the_next_cleanup_and_the_rest_is_not(
    world, tmp_path
):
    run_experiment(experiment(act("break"), rollbacks=(act("fail"), act("tidy"))), world.means)
    later = World(tmp_path)
    assert [step.error for step in undo(later.means)] == ["it would not"]
    assert later.done == ["fail"]


def test_a_rollback_stands_in_the_record_before_anything_is_looked_at(world, tmp_path):
    world.steady_at = None
    rollback = act("tidy", tolerance=3, pause_after_seconds=1.0)
    seen = []
    look = world.means.perform

    def perform(activity: Activity):
        seen.append([e.back for e in Effects(tmp_path / "effects.jsonl").standing])
        return look(activity)

    object.__setattr__(world.means, "perform", perform)
    run_experiment(experiment(act("break"), rollbacks=(rollback,)), world.means)
    assert seen[0] == [rollback]


def test_after_ctrl_c_nothing_is_left_to_be_changed_back(world, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_experiment(
            experiment(act("break"), act("interrupt"), rollbacks=(act("tidy"),)), world.means
        )
    assert world.done == ["break", "interrupt", "tidy", "mend"]
    assert Effects(tmp_path / "effects.jsonl").standing == []


def test_changes_that_begin_at_once_are_each_changed_back(tmp_path):
    effects = Effects(tmp_path / "effects.jsonl")
    verbs = [f"v{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda v: effects.begin(v, undo=f"un{v}", arguments={}), verbs))
    standing = Effects(tmp_path / "effects.jsonl").standing
    assert {each.verb for each in standing} == set(verbs)


def test_the_record_may_hold_a_password_and_is_the_owner_s_alone(world, tmp_path):
    run_experiment(experiment(act("break"), rollbacks=(act("tidy"),)), world.means)
    assert (tmp_path / "effects.jsonl").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "step",
    [
        Activity(name="ask", role=Role.PROBE, provider=Verb(name="fail")),
        Activity(name="ask", role=Role.PROBE, provider=Verb(name="crash")),
        act("fail", background=True),
        act("crash", background=True),
    ],
    ids=["probe", "probe that crashes", "in the background", "in the background, a crash"],
)
def test_a_step_that_could_not_be_done_is_not_a_completed_experiment(world, step):
    journal = run_experiment(experiment(step, act("break")), world.means)
    assert journal.ended is Ended.ABORTED
    assert world.effects.standing == []


def run_program(code: str, **more) -> Activity:
    command = (sys.executable, "-c", code)
    return Activity(name="p", role=Role.ACTION, provider=Process(command=command), **more)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (run_program("pass"), ""),
        (run_program("import sys; sys.exit(3)"), "it answered 3"),
        (run_program("import sys; sys.exit('no such topic')"), "it answered 1: no such topic"),
        (run_program("import sys; sys.exit(3)", tolerance=[0, 3]), ""),
        (run_program("print('busy')", tolerance={"type": "regex", "pattern": "done"}),
         "it answered 0"),
    ],
)  # fmt: skip
def test_a_program_that_fails_is_an_action_that_was_not_done(world, action, error):
    object.__setattr__(world.means, "perform", lambda each: providers.perform(each.provider))
    assert run_step(action, world.means).error == error


@pytest.mark.parametrize(("status", "done"), [(200, True), (302, True), (404, False), (503, False)])
def test_a_request_that_is_refused_is_an_action_that_was_not_done(world, status, done):
    object.__setattr__(world.means, "perform", lambda _: {"status": status, "body": "no\n"})
    action = Activity(name="r", role=Role.ACTION, provider=Http(url="http://h/"))
    assert run_step(action, world.means).error == ("" if done else f"it answered {status}: no")


def test_what_a_killed_run_left_is_undone_by_its_record(world, tmp_path):
    world.effects.begin("break", undo="mend", arguments={"by": 3})
    world.effects.begin("freeze", undo="thaw", arguments={})
    with (tmp_path / "effects.jsonl").open("a") as file:
        file.write('{"number": 3, "ve')  # torn: the process died while it wrote
    later = World(tmp_path)
    backs = [effect.back.provider for effect in later.effects.standing]
    assert [verb.arguments for verb in backs] == [{}, {"by": 3}]
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


def test_the_fault_is_what_breaks_until_it_is_lifted(world):
    """Preparing and waiting are no part of it, nor is the way back."""
    method = (
        act("wait", pause_after_seconds=10), act("break", pause_after_seconds=5),
        act("mend", pause_after_seconds=3), act("wait", pause_after_seconds=20),
    )  # fmt: skip
    journal = run_experiment(experiment(*method), world.means)
    assert [moment.second for moment in journal.fault] == [10, 15]
    assert journal.touched.second == 0
    assert [step.part for step in journal.method] == ["aside", "fault", "lift", "aside"]


def test_what_waits_for_its_moment_strikes_at_its_end(world):
    def slow(_):
        world.sleep(7)
        return True

    journal = run_experiment(experiment(act("pounce")), replace(world.means, perform=slow))
    (step,) = journal.method
    assert (step.ended_at - step.started_at).total_seconds() == 7
    assert journal.fault == (step.ended_at, step.ended_at)


def test_without_a_fault_there_is_none(world):
    assert run_experiment(experiment(act("wait")), world.means).fault is None
    assert run_experiment(experiment(probe("steady")), world.means).touched is None
