"""A remedy is applied, the job started and watched; all of it can be undone."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.verify import verify
from streamctl.errors import PartlyDone, Refused, StreamctlError
from streamctl.lifecycle import first_batches
from streamctl.recover import evidence as looking
from streamctl.recover import run as recovering
from streamctl.recover.propose import Remedy
from streamctl.recover.run import Job, Outcome, recover
from streamctl.reports import Check, Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Desired, Observed, Status
from streamctl.settings.model import CheckpointSettings, OutputSettings, Settings
from tests.unit.change.helpers import NOW, digest, location, sink_of, undo


@pytest.fixture
def area(tmp_path):
    """Two queries, five batches planned and four committed; one has a file sink."""
    made = location(tmp_path / "cp", queries=("windows", "letters"))
    sink_of(tmp_path / "out" / "0001" / "windows")
    return made


@pytest.fixture
def job(tmp_path, area, monkeypatch):
    ok = [Check(name="broker", verdict=Verdict.OK, detail="answers")]
    monkeypatch.setattr(looking, "run_all", lambda _subject: SimpleNamespace(checks=ok))
    monkeypatch.setattr(recovering, "start", begin)
    return Job(
        run=RunDirectory(tmp_path / "run"),
        settings=Settings(
            checkpoint=CheckpointSettings(location=area.location),
            output=OutputSettings(location=str(tmp_path / "out")),
        ),
        project=tmp_path,
    )


def begin(run, settings, *, observed=Observed.RUNNING, restarts=0, **_more):
    """What the supervisor writes when the job has begun."""
    run.write(
        Status(
            desired=Desired.RUNNING, observed=observed, run_id="r", job="m:J", attempt=1,
            attempts_left=3, supervisor_pid=0, driver_pid=None, started_at=NOW,
            attempt_started_at=NOW, updated_at=NOW, generation="0001", restarts=restarts,
            checkpoint_location=settings.checkpoint.location, queries=["windows", "letters"],
            idle_queries=["windows", "letters"],
        )
    )  # fmt: skip


def cut(tmp_path, query, batch):
    (tmp_path / "cp" / "0001" / query / "offsets" / str(batch)).write_bytes(b"v1\n{")


def again(job, *, agree=lambda _proposal: None, dry_run=False, seconds=5.0):
    return recover(job, agree=agree, dry_run=dry_run, watch_seconds=seconds)


def test_a_damaged_planned_batch_is_dropped_and_the_job_started(job, area, tmp_path):
    cut(tmp_path, "windows", 4)
    before = digest(tmp_path / "cp")
    report = again(job)
    assert (report.outcome, report.proposal.remedy) == (Outcome.RECOVERED, Remedy.REWIND)
    assert report.proposal.rewinds == {"windows": 3}
    path = tmp_path / "cp" / "0001" / "windows"
    assert verify(Checkpoint.open(str(path))).verdict is Verdict.OK
    (back,) = report.undo
    undo(area, back.split()[3])
    assert digest(tmp_path / "cp") == before


def test_a_damaged_committed_batch_takes_the_sink_back_with_it(job, tmp_path):
    cut(tmp_path, "windows", 3)
    report = again(job)
    assert report.proposal.rewinds == {"windows": 2}
    log = tmp_path / "out" / "0001" / "windows" / "_spark_metadata"
    assert "3" not in {path.name for path in log.iterdir()}


def test_without_a_way_back_a_new_generation_carries_the_offsets(job, tmp_path):
    """Its query id is gone: no batch of it is whole, and there is no backup."""
    (tmp_path / "cp" / "0001" / "letters" / "metadata").unlink()
    report = again(job)
    assert report.proposal.remedy is Remedy.ROTATE
    assert (tmp_path / "cp" / "_streamctl" / "generations" / "0002.json").exists()


def test_what_is_sound_is_only_started(job, tmp_path):
    before = digest(tmp_path / "cp")
    report = again(job)
    assert (report.proposal.remedy, report.outcome) == (Remedy.START, Outcome.RECOVERED)
    assert (report.undo, digest(tmp_path / "cp")) == ([], before)


@pytest.mark.parametrize("how", ["dry run", "no"])
def test_nothing_is_done_without_consent(job, tmp_path, how):
    def no(_proposal):
        raise Refused("not confirmed")

    cut(tmp_path, "windows", 4)
    before = digest(tmp_path)
    if how == "no":
        with pytest.raises(Refused):
            again(job, agree=no)
    else:
        report = again(job, agree=no, dry_run=True)
        assert (report.outcome, report.verdict) == (Outcome.PROPOSED, Verdict.PROBLEM)
    (tmp_path / "run" / "lock").unlink()
    (tmp_path / "run").rmdir()
    assert digest(tmp_path) == before


def test_a_running_job_is_left_alone(job):
    begin(job.run, job.settings)
    lock = job.run.try_lock()
    assert lock is not None
    report = again(job)
    assert (report.outcome, report.verdict) == (Outcome.ALREADY_RUNNING, Verdict.OK)


def test_what_only_a_person_can_mend_is_told(job, monkeypatch):
    bad = Check(name="broker", verdict=Verdict.PROBLEM, detail="no answer", hint="Start it.")
    monkeypatch.setattr(looking, "run_all", lambda _subject: SimpleNamespace(checks=[bad]))
    report = again(job)
    assert (report.outcome, report.verdict) == (Outcome.PROPOSED, Verdict.PROBLEM)
    assert (report.started, report.proposal.hint) == (None, "Start it.")


@pytest.mark.parametrize(("observed", "restarts"), [(Observed.FAILED, 0), (Observed.RUNNING, 1)])
def test_a_job_that_fails_soon_is_not_recovered(job, monkeypatch, observed, restarts):
    def fail(run, settings, **_more):
        begin(run, settings, observed=observed, restarts=restarts)

    monkeypatch.setattr(recovering, "start", fail)
    report = again(job)
    assert (report.outcome, report.verdict) == (Outcome.FAILED, Verdict.PROBLEM)


def test_a_start_that_fails_after_a_change_names_the_way_back(job, tmp_path, monkeypatch):
    def fail(*_args, **_more):
        raise StreamctlError("no Java")

    monkeypatch.setattr(recovering, "start", fail)
    cut(tmp_path, "windows", 4)
    with pytest.raises(PartlyDone, match="no Java") as error:
        again(job)
    assert "`streamctl checkpoint undo" in error.value.hint


def test_a_watch_ends_when_its_time_is_up(job, monkeypatch):
    """A batch may take longer; the job runs, and nothing says otherwise."""

    def busy(run, settings, **_more):
        begin(run, settings)
        run.write(replace(run.read(Status), idle_queries=[]))

    monkeypatch.setattr(recovering, "start", busy)
    monkeypatch.setattr(first_batches, "_LOOK_SECONDS", 0.01)
    assert again(job, seconds=0.05).outcome is Outcome.RECOVERED
