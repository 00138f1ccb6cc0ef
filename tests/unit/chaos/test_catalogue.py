"""The experiments that ship hold together."""

import inspect
import json

import pytest

from streamctl.chaos.catalogue import catalogue, selected
from streamctl.chaos.experiment import Activity, Role, Verb, parse_experiment
from streamctl.chaos.verbs.data import _strange
from streamctl.chaos.verbs.table import VERBS, check, perform, undo_of
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
