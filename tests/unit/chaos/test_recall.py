"""What a campaign left, with what it did not leave."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from streamctl.chaos.campaign import NotRun, begin, conclude, trials
from streamctl.chaos.evidence import write_evidence
from streamctl.chaos.experiment import Experiment
from streamctl.chaos.recall import recall
from streamctl.errors import ExitCode, Malformed
from streamctl.reports import Verdict
from tests.recordings import recorded

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
GONE = NotRun(experiment="b", reason="no root", hint="Be root.", exit_code=ExitCode.FAILED)


def planned(*names):
    return [Experiment(name=name, title=name, hypothesis=(), method=()) for name in names]


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "20260101-000000"


def began(directory, *names):
    return begin(directory, began=BEGAN, seed=7, planned=planned(*names), command="again")


def left(directory, number: int, name: str):
    place = directory / f"{number:03d}-{name}"
    place.mkdir(parents=True)
    write_evidence(place / "evidence.json", replace(recorded(), experiment=name))


def recalled(directory):
    return recall(directory, [judgement for _, judgement in trials(directory)])


def reasons(campaign):
    return [(each.experiment, each.reason.partition(":")[0]) for each in campaign.not_run]


def test_a_campaign_comes_back_with_how_and_where_it_was_run(directory):
    campaign = began(directory, "a")
    left(directory, 1, "a")
    conclude(campaign, judgements=[judgement for _, judgement in trials(directory)], not_run=[])
    found = recalled(directory)
    assert (found.verdict, found.not_run) == (Verdict.OK, [])
    assert (found.seed, found.command, found.planned) == (7, "again", ["a"])
    assert found.surroundings == campaign.surroundings
    assert {"Spark", "Kafka", "Python", "system"} <= set(found.surroundings)
    assert found.seconds is not None


def test_what_could_not_be_tried_is_unknown(directory):
    campaign = began(directory, "a", "b")
    left(directory, 1, "a")
    conclude(campaign, judgements=[], not_run=[GONE])
    found = recalled(directory)
    assert (found.verdict, found.not_run) == (Verdict.UNKNOWN, [GONE])


def test_what_a_killed_campaign_did_not_come_to_is_unknown(directory):
    began(directory, "a", "b", "a")
    left(directory, 1, "a")
    (directory / "002-b").mkdir()
    found = recalled(directory)
    assert found.verdict is Verdict.UNKNOWN
    assert sorted(reasons(found)) == [("a", "it left no evidence"), ("b", "it left no evidence")]


def test_a_campaign_of_an_older_release_is_known_by_its_directories(directory):
    left(directory, 1, "a")
    assert recalled(directory).verdict is Verdict.OK
    (directory / "002-b-c").mkdir()
    assert reasons(recalled(directory)) == [("b-c", "it left no evidence")]
    told = {"seed": 3, "not_run": [{**GONE_JSON, "experiment": "b-c"}]}
    (directory / "campaign.json").write_text(json.dumps(told))
    found = recalled(directory)
    assert (found.seed, reasons(found)) == (3, [("b-c", "no root")])


GONE_JSON = {"reason": "no root", "hint": "Be root.", "exit_code": 1}


def test_a_campaign_without_anything_is_unknown(directory):
    directory.mkdir()
    assert recalled(directory).verdict is Verdict.UNKNOWN


def test_a_damaged_note_is_told(directory):
    directory.mkdir()
    (directory / "campaign.json").write_text("{")
    with pytest.raises(Malformed):
        recalled(directory)
