"""What a verification takes from settings, generation and run, without being asked."""

import json
from dataclasses import replace

import pytest

from streamctl.checkpoint.location import generations
from streamctl.checkpoint.verify.verify import Level
from streamctl.errors import SettingsInvalid
from streamctl.kafka.client import Broker
from streamctl.lifecycle import verifying
from streamctl.lifecycle.verifying import Project, Wanted, verify_all
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from tests.remedies import commands, parsed
from tests.unit.change.helpers import location, sink_of, small

OTHER = "ForeachBatchSink"
FILES = "FileSink[/somewhere]"


class Job:
    """A location with one query of four committed batches, a fifth planned; and its output."""

    def __init__(self, path, *, in_sink=0, last_wrote=""):
        self.area = location(path / "checkpoint")
        self.run = RunDirectory(path / "run")
        self.warned = []
        if in_sink:
            sink_of(path / "output" / "0001" / "windows", batches=in_sink)
        if last_wrote:
            line = {"kind": "progress", "query": "windows", "generation": "0001"}
            self.run.path.mkdir()
            text = json.dumps(line | {"sink": last_wrote}, separators=(",", ":"))
            self.run.progress_file.write_text(text + "\n")
        self.settings = Settings.model_validate(
            {
                "checkpoint": {"location": str(path / "checkpoint")},
                "output": {"location": str(path / "output")},
            }
        )

    def verify(self, path="", **more):
        project = Project(
            settings=lambda: self.settings, run=lambda: self.run, warn=self.warned.append
        )
        return verify_all(Wanted(path=str(path), query="", level=Level.FAST, **more), project)


@pytest.mark.parametrize(
    ("in_sink", "last_wrote", "told"),
    [
        (4, FILES, set()),
        (6, FILES, {"sink-ahead"}),
        (6, "", {"sink-ahead"}),
        (2, FILES, {"sink-behind"}),
        (0, FILES, {"sink-behind"}),
        (2, "", set()),
        (9, OTHER, set()),
    ],
    ids=[
        "equal",
        "ahead",
        "ahead, run elsewhere",
        "behind",
        "log gone",
        "behind, perhaps of a sink that is no longer used",
        "it went over to foreachBatch",
    ],
)
def test_the_jobs_own_sink_is_compared_without_being_named(tmp_path, in_sink, last_wrote, told):
    """As a start would: both must say the same."""
    job = Job(tmp_path, in_sink=in_sink, last_wrote=last_wrote)
    for path in ("", tmp_path / "checkpoint", tmp_path / "checkpoint/0001/windows"):
        report = job.verify(path)
        assert {f.code for f in report.findings} == told
        assert (report.verdict is Verdict.OK) == (not told)


def test_of_another_location_the_settings_say_nothing(tmp_path):
    job = Job(tmp_path, in_sink=6, last_wrote=FILES)
    (tmp_path / "other").mkdir()
    other = location(tmp_path / "other" / "checkpoint")
    assert job.verify(other.location).verdict is Verdict.OK


def test_an_output_that_cannot_be_listed_is_said(tmp_path, monkeypatch):
    job = Job(tmp_path)

    def refused(*_, **__):
        raise verifying.StorageFailed('cannot list "output": Permission denied')

    monkeypatch.setattr("streamctl.lifecycle.outputs.sink_of", refused)
    assert job.verify().verdict is Verdict.OK
    assert job.warned == ['The output was not compared: cannot list "output": Permission denied.']


def remedies(report):
    return [parsed(*words[1:]) for f in report.findings for words in commands(f.hint)
            if words[0] == "streamctl"]  # fmt: skip


def test_a_path_is_named_and_the_job_itself_is_not(tmp_path):
    job = Job(tmp_path)
    foreign = small(tmp_path / "foreign")
    for place in (foreign, tmp_path / "checkpoint/0001/windows"):
        (place / "metadata").unlink()
    (own,) = remedies(job.verify())
    (same,) = remedies(job.verify(tmp_path / "checkpoint"))
    assert (own["to"], own["repository"]) == ("", "")
    assert same == own
    (other,) = remedies(job.verify(foreign))
    assert other["to"] == f"{foreign}.restored"
    assert other["repository"] == str(tmp_path / ".foreign.backups")
    backup = job.settings.backup.model_copy(update={"location": str(tmp_path / "backups")})
    job.settings = job.settings.model_copy(update={"backup": backup})
    (other,) = remedies(job.verify(foreign))
    assert other["repository"] == str(tmp_path / "backups")


def test_a_path_is_verified_although_the_settings_are_wrong(tmp_path):
    def wrong():
        raise SettingsInvalid("unknown setting")

    place = small(tmp_path / "cp")
    (place / "metadata").unlink()
    wanted = Wanted(path=str(place), query="", level=Level.FAST)
    project = Project(settings=wrong, run=wrong, warn=print)
    report = verify_all(wanted, project)
    assert "metadata-missing" in {f.code for f in report.findings}


class FakeBroker:
    """Has topic `t` under an id."""

    topic_id = "anew"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def watermarks(self, _):
        return {0: (0, 99), 1: (0, 99)}

    def topic(self, _):
        return self


def test_the_generation_tells_with_which_topics_it_began(tmp_path, monkeypatch):
    monkeypatch.setattr(Broker, "of", lambda _: FakeBroker())
    job = Job(tmp_path)
    store = job.area.store
    assert {f.code for f in job.verify(kafka=True).findings} == {"kafka-not-compared"}
    record = replace(generations.read(store, "0001"), topic_ids={"t": "old"})
    generations.record(store, record)
    assert {f.code for f in job.verify(kafka=True).findings} == {"kafka-topic-anew"}
    generations.record(store, replace(record, topic_ids={"t": "anew"}))
    assert job.verify(kafka=True).findings == ()
