"""A job that is not the experiments' own: who may be harmed, by what, and what is shown before."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from streamctl.chaos import target
from streamctl.chaos.catalogue import STEADY, action, catalogue
from streamctl.chaos.cleanup import cleanup
from streamctl.chaos.effects import Effects
from streamctl.chaos.evidence import Audited
from streamctl.chaos.experiment import (
    Activity,
    Experiment,
    Http,
    Process,
    Role,
    as_document,
    parse_activity,
)
from streamctl.chaos.target import Target, blast_radius, running_job
from streamctl.chaos.verdict import judge
from streamctl.errors import JobNotFound, NotFound, Protected, Refused, Unsupported
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Desired, Observed, Status
from streamctl.settings.model import CheckpointSettings, Settings
from tests.planted import recorded

JOB = "mine.orders:OrdersJob"
NOW = datetime.now(UTC)
OURS = SimpleNamespace(
    supervisor_pid=11, driver_pid=12, standby_pid=None, job=JOB, checkpoint_location="/c",
    queries=[SimpleNamespace(name="orders")],
)  # fmt: skip


def experiment(*method: Activity, **more) -> Experiment:
    return Experiment(name="mine", title="mine", hypothesis=STEADY, method=method, **more)


REBOOT = Activity(
    name="reboot a broker", role=Role.ACTION, provider=Process(command=("ssh", "kafka-2", "reboot"))
)


def test_the_blast_radius_names_the_job_its_data_and_every_step():
    radius = blast_radius([experiment(action("job.kill"), REBOOT)], Settings(), OURS)
    assert (radius.job, radius.processes, radius.queries) == (JOB, [11, 12], ["orders"])
    assert radius.topics == ["device-telemetry"]
    assert radius.steps[-1] == "mine: action reboot a broker: ssh kafka-2 reboot"
    assert "SIGKILL" in radius.steps[-2]


@pytest.mark.parametrize(
    "step",
    [
        action("kafka.kill"),
        action("data.burst", records=1),
        action("disk.fill"),
        action("checkpoint.damage", kind="offsets-last-cut"),
        action("kafka.delete_topic"),
    ],
    ids=lambda each: each.name,
)
def test_what_needs_a_stage_of_ours_is_refused(step):
    with pytest.raises(Refused, match="only for a job of the experiment's own"):
        blast_radius([experiment(step)], Settings(), OURS)


def test_a_verb_that_is_not_right_is_refused_before_anything_is_asked():
    with pytest.raises(NotFound, match="no action"):
        blast_radius([experiment(action("job.kil"))], Settings(), OURS)


def test_an_experiment_that_prepares_its_job_is_refused():
    with pytest.raises(Refused, match="wants to prepare"):
        blast_radius([catalogue()["disk-full"]], Settings(), OURS)
    with pytest.raises(Refused, match="wants to prepare"):
        blast_radius([experiment(job={"spark.master": "local"})], Settings(), OURS)


@pytest.fixture
def run(tmp_path):
    directory = RunDirectory(tmp_path / ".streamctl" / "default")

    def job(observed: Observed) -> RunDirectory:
        directory.write(
            Status(
                desired=Desired.RUNNING, observed=observed, run_id="r", job=JOB, attempt=1,
                attempts_left=1, supervisor_pid=1, driver_pid=None, started_at=NOW,
                attempt_started_at=NOW, updated_at=NOW, generation="", checkpoint_location="",
            )
        )  # fmt: skip
        return directory

    return job


def test_a_protected_context_is_refused_before_anything_is_looked_at(tmp_path):
    settings = Settings(checkpoint=CheckpointSettings(protected=True))
    with pytest.raises(Protected, match="production is protected"):
        running_job(RunDirectory(tmp_path), name=JOB, settings=settings, context="production")


def test_the_name_must_be_the_job_s_and_it_must_run(run, tmp_path):
    with pytest.raises(JobNotFound):
        running_job(RunDirectory(tmp_path), name=JOB, settings=Settings(), context="")
    found = run(Observed.STOPPED)
    with pytest.raises(Refused, match=f'the job here is "{JOB}", not "other"'):
        running_job(found, name="other", settings=Settings(), context="")
    with pytest.raises(NotFound, match="does not run"):
        running_job(found, name=JOB, settings=Settings(), context="")


def test_without_a_toxiproxy_there_is_no_network_to_break(run, tmp_path):
    job = Target(
        tmp_path, project=tmp_path, run=run(Observed.STOPPED), settings=Settings(), query="q"
    )
    with pytest.raises(Unsupported, match="no proxy stands"):
        _ = job.line


@pytest.mark.parametrize(
    ("said", "expected"),
    [("ok", Verdict.OK), ("problem", Verdict.PROBLEM), ("unknown", Verdict.UNKNOWN)],
)
def test_the_audit_s_verdict_is_part_of_ours(said, expected):
    evidence = replace(
        recorded(), must=None, found=None, end=None, audited=Audited(verdict=said, detail="told")
    )
    judgement = judge(evidence)
    assert judgement.verdict is expected
    assert [each.name for each in judgement.invariants if each.verdict is not Verdict.OK] == (
        [] if said == "ok" else ["records are accounted for"]
    )


def test_a_driver_that_has_ended_meanwhile_need_not_be_let_go_on():
    with subprocess.Popen(["/bin/true"]) as ended:
        ended.wait()
    gone = SimpleNamespace(driver_processes=lambda: [ended.pid])
    target.VERBS["job.resume"].call(gone)


def test_what_is_allowed_on_a_target_has_an_opposite_that_is_allowed_too():
    allowed = {name for name, each in target.VERBS.items() if each.on_target}
    assert {target.VERBS[name].undo for name in allowed} - {""} <= allowed


def test_what_a_killed_run_left_on_a_job_is_changed_back(run, tmp_path):
    """Its rollbacks are done, then the opposites of what stands; once."""
    place, mark = tmp_path / "1" / "001-mine", tmp_path / "rolled-back"
    job = Target(place, project=tmp_path, run=run(Observed.STOPPED), settings=Settings(), query="q")
    back = Activity(
        name="mend", role=Role.ACTION, provider=Process(command=("touch", str(mark)))
    )  # fmt: skip
    effects = Effects(place / "effects.jsonl")
    effects.promise(back)
    effects.begin("job.pause", undo="job.resume", arguments={})
    assert cleanup([tmp_path], target=lambda _: job).campaigns == ["1"]
    assert mark.exists()
    assert Effects(place / "effects.jsonl").standing == []
    assert cleanup([tmp_path], target=lambda _: job).campaigns == []


@pytest.mark.parametrize(
    ("change", "verdict", "detail"),
    [
        ({"not_changed_back": ["mend: it answered 1"]}, Verdict.PROBLEM, "mend: it answered 1"),
        ({"ended_how": "aborted", "failed": ["kill: no driver runs"]}, Verdict.UNKNOWN,
         "the experiment was aborted; kill: no driver runs"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("audited", [None, Audited(verdict="ok", detail="")])
def test_what_could_not_be_done_or_changed_back_is_in_the_verdict(change, verdict, detail, audited):
    judgement = judge(replace(recorded(), audited=audited, **change))
    assert judgement.verdict is verdict
    assert [e.detail for e in judgement.invariants if e.verdict is verdict] == [detail]


@pytest.mark.parametrize(
    "activity",
    [
        REBOOT,
        action("network.fault", kind="reset"),
        Activity(
            name="ask", role=Role.PROBE, provider=Http(url="http://h/", method="POST", body="b")
        ),
        replace(
            REBOOT,
            tolerance=[0, 255],
            background=True,
            pause_before_seconds=1.0,
            pause_after_seconds=2.0,
        ),
    ],
    ids=lambda each: each.name,
)
def test_an_activity_comes_back_from_its_document(activity):
    assert parse_activity(as_document(activity)) == activity
