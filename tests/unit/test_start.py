"""What a start does to the files of the run before; its checks have tests of their own."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from streamctl.lifecycle import start as starting
from streamctl.reports import ignore
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Desired, Observed, Status
from streamctl.settings.model import Settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A job that ran on `tmp_path/here` and has told of a batch."""
    monkeypatch.setattr(starting, "run_until_failure", lambda _subject: [])
    made = RunDirectory(tmp_path / "run")
    made.write(
        Status(
            desired=Desired.STOPPED,
            observed=Observed.STOPPED,
            run_id="r",
            job="m:J",
            attempt=1,
            attempts_left=1,
            supervisor_pid=1,
            driver_pid=None,
            started_at=NOON,
            attempt_started_at=None,
            updated_at=NOON,
            generation="0001",
            checkpoint_location=str(tmp_path / "here"),
        )
    )
    made.progress_file.write_text('{"batch_id": 0}\n')
    return made


def prepare(run, location):
    settings = Settings.model_validate({"checkpoint": {"location": location}})
    starting.prepare(run, settings, project=run.path, on_event=ignore)


def test_on_another_checkpoint_the_history_begins_anew(run, tmp_path):
    """Both call their first generation 0001, and count their batches from 0."""
    prepare(run, str(tmp_path / "there"))
    assert list(run.progress()) == []
    (aside,) = (run.path / "former").iterdir()
    assert (aside / "progress.jsonl").read_text() == '{"batch_id": 0}\n'


def test_on_the_same_checkpoint_it_goes_on(run, tmp_path):
    prepare(run, f"file://{tmp_path}/here")
    assert list(run.progress()) == [{"batch_id": 0}]


@pytest.mark.parametrize("former", ["nosuch://bucket/checkpoint", "s3://bucket/checkpoint/"])
def test_a_former_place_need_not_be_within_reach(run, tmp_path, former):
    run.write(replace(run.read(Status), checkpoint_location=former))
    prepare(run, str(tmp_path / "here"))
    assert list(run.progress()) == []


def test_what_cannot_be_read_of_the_run_before_is_replaced(run):
    (run.path / "status.json").write_text("{")
    prepare(run, str(run.path / "there"))
    assert list(run.progress()) == [{"batch_id": 0}]
