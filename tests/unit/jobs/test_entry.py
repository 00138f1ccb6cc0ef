"""A job's entry is a job, or the answer says what it is instead and what to do."""

import json

import pytest

from jobs.entry import check, load_job, options_of
from jobs.sinks import check_names
from jobs.telemetry import TelemetryJob
from jobs.transforms import fields_of
from streamctl.errors import JobNotFound, SettingsInvalid

MODULE = """
from jobs.job import Job

class Good(Job):
    name = "good"
    options = {"depth": "3"}

    def queries(self, records, context):
        return []

class Nameless(Good):
    name = ""

class Unfinished(Job):
    name = "unfinished"

text = "no job"
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "own_jobs.py").write_text(MODULE)
    (tmp_path / "broken_jobs.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "raising_jobs.py").write_text("x = 1\nraise ValueError('no')\n")
    monkeypatch.chdir(tmp_path)


def test_a_job_in_the_working_directory_is_found():
    assert load_job("own_jobs:Good").name == "good"


@pytest.mark.parametrize(
    ("entry", "message", "hint"),
    [
        ("own_jobs", "module:attribute", "mypkg.orders:OrdersJob"),
        (":Good", "module:attribute", "Name the class"),
        ("missing_jobs:Job", "does not import", ""),
        ("broken_jobs:Job", "nothing_of_this_name", "broken_jobs.py:1"),
        ("raising_jobs:Job", "ValueError: no", "raising_jobs.py:2"),
        ("own_jobs:Other", 'no "Other"', "Good"),
        ("own_jobs:text", "is not a job", "inherits"),
        ("own_jobs:Nameless", "has no name", "name"),
        ("own_jobs:Unfinished", "cannot be made", "queries"),
    ],
)
def test_each_wrong_entry_has_its_answer(entry, message, hint):
    with pytest.raises(JobNotFound) as caught:
        load_job(entry)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert json.loads(check(entry, {}))["ok"] is False


def test_check_says_name_and_options():
    answer = json.loads(check("own_jobs:Good", {"depth": "5"}))
    assert answer == {"ok": True, "name": "good", "options": {"depth": "5"}}
    assert 'no option "height"' in json.loads(check("own_jobs:Good", {"height": "5"}))["message"]


def test_options_are_defaults_overridden():
    assert options_of(TelemetryJob(), {}) == {"allowed_clock_skew": "5 minutes"}
    with pytest.raises(SettingsInvalid):
        options_of(TelemetryJob(), {"skew": "1"})


@pytest.mark.parametrize("schema", ["a", "a TEXT", "a STRING NULL", "offset BIGINT", "a-b STRING"])
def test_a_schema_that_cannot_be(schema):
    with pytest.raises(SettingsInvalid):
        fields_of(schema)


def test_a_job_needs_queries():
    with pytest.raises(SettingsInvalid):
        check_names([])
