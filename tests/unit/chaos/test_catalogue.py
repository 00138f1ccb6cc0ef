"""The experiments that ship hold together."""

import inspect
import json

import pytest

from jobs.fragile_telemetry import POISON
from streamctl.chaos.catalogue import catalogue, run_by, selected
from streamctl.chaos.experiment import (
    Activity,
    Part,
    Role,
    Verb,
    as_document,
    parse_activity,
    parse_experiment,
)
from streamctl.chaos.verbs.data import _poison, _strange
from streamctl.chaos.verbs.table import VERBS, check, part_of, perform, undo_of
from streamctl.errors import NotFound

EVERY = list(catalogue().values())


@pytest.mark.parametrize("experiment", EVERY, ids=lambda each: each.name)
def test_every_activity_names_a_verb_and_its_arguments(experiment):
    check([experiment])


def test_every_verb_is_explained_and_its_opposite_exists():
    for name, definition in VERBS.items():
        assert definition.help.endswith((".", "s.")), name
        assert len(definition.help) <= 100, name
        if definition.undo:
            assert VERBS[definition.undo].undo == "", f"{definition.undo} must be final"
            assert undo_of(name) == definition.undo
    assert undo_of("unknown") == ""


def test_an_opposite_takes_the_arguments_of_what_it_undoes():
    """Effects are undone from their record, which has the arguments of the action."""
    for definition in VERBS.values():
        if definition.undo:
            names = list(inspect.signature(definition.call).parameters)[1:]
            given = dict.fromkeys((n for n in names if n != "values"), 1)
            inspect.signature(VERBS[definition.undo].call).bind(object(), **given)


@pytest.mark.parametrize("experiment", EVERY, ids=lambda each: each.name)
def test_every_experiment_breaks_something_and_the_way_back_is_no_part_of_it(
    experiment,
):
    parts = {activity.name: part_of(activity) for activity in experiment.method}
    assert {Part.FAULT, Part.STRIKE} & set(parts.values())
    for name in ("job.start", "job.stop", "job.await_commit", "kafka.await_backlog"):
        assert parts.get(name, Part.ASIDE) is Part.ASIDE


def test_the_part_of_an_action_may_be_given_and_is_the_fault_else():
    document = {"type": "action", "name": "a", "provider": {"type": "process", "path": "true"}}
    assert part_of(parse_activity(document)) is Part.FAULT
    aside = parse_activity({**document, "part": "aside"})
    assert part_of(aside) is Part.ASIDE
    assert parse_activity(as_document(aside)) == aside


def test_the_list_says_what_all_runs():
    assert {run_by(each) for each in selected(quick=False)} == {"--all", "--all --quick"}
    assert [e for e in EVERY if run_by(e) == "--all --quick"] == selected(quick=True)
    assert {run_by(each) for each in EVERY if each not in selected(quick=False)} == {"name"}


def test_quick_is_the_six_scenarios():
    assert {each.tags[0] for each in selected(quick=True)} == {
        "kafka", "network", "data", "checkpoint", "resources",
    }  # fmt: skip
    assert len(selected(quick=True)) == 6
    assert len(selected(quick=False)) >= 35
    assert len(catalogue()) >= 80


def test_what_is_no_verb_is_refused():
    def activity(name: str) -> Activity:
        return Activity(name=name, role=Role.ACTION, provider=Verb(name=name))

    with pytest.raises(NotFound, match="no action"):
        perform(None, activity("kafka.explode"))
    with pytest.raises(NotFound, match="no action"):
        perform(None, activity("job.status"))  # it is a probe


def test_strange_records_say_what_must_become_of_them():
    made = _strange("d", "2026-01-31T12:00:00.000Z")
    good = [json.loads(value) for _, value, reason in made if reason is None]
    assert {record["device_id"] for record in good} == {"d"}
    assert len({name for name, *_ in made}) == len(made)


def test_poison_is_what_the_fragile_job_fails_on():
    ((_, value, reason),) = _poison("d", "2026-01-31T12:00:00.000Z")
    assert POISON.encode() in value
    assert reason.startswith("poison:")
    assert not any(POISON.encode() in (value or b"") for _, value, _ in _strange("d", "t"))


def test_an_experiment_of_one_s_own_may_use_our_verbs():
    document = {
        "title": "mine",
        "method": [
            {"type": "action", "name": "freeze",
             "provider": {"type": "streamctl", "action": "kafka.pause"}},
        ],
        "streamctl": {"expects": {"detected_by": ["lag"]}, "job": {"stream.window": "1 minute"}},
    }  # fmt: skip
    found = parse_experiment(document, name="mine")
    assert found.method[0].provider == Verb(name="kafka.pause")
    assert found.expects == {"detected_by": ["lag"]}
