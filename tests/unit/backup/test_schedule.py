"""A round of the schedule: taken, read back, pruned; and what it says when it cannot."""

from datetime import timedelta

from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import BackupState
from streamctl.settings.model import Settings
from streamctl.supervisor.backups import back_up, policy_of, repository_of
from streamctl.supervisor.scheduled_backups import ScheduledBackups
from tests.goldens import golden
from tests.harness import until


def settings(tmp_path, **backup):
    return Settings.model_validate(
        {
            "checkpoint": {"location": str(golden("4.2.0", "rocksdb-aggregation"))},
            "backup": {"location": str(tmp_path / "backups")} | backup,
        }
    )


def test_a_round_takes_reads_back_and_prunes(tmp_path):
    given = settings(tmp_path, keep_last=1, keep_hourly=0, keep_daily=0, keep_weekly=0, at_least=1)
    first, second = back_up(given), back_up(given)
    assert first.verdict is second.verdict is Verdict.OK
    assert first.stored_bytes > second.stored_bytes > 0, "the second finds all but its manifest"
    assert second.pruned == [first.id]
    assert repository_of(given).ids() == [second.id]
    assert repository_of(given).mark(second.id).read_data


def test_what_goes_wrong_is_told_and_not_raised(tmp_path):
    (tmp_path / "backups").write_text("in the way")
    made = back_up(settings(tmp_path))
    assert made.verdict is Verdict.PROBLEM
    assert made.problem
    assert made.id == ""


def test_the_policy_is_as_set(tmp_path):
    policy = policy_of(settings(tmp_path, keep_last=3, keep_within_days=2).backup)
    assert policy.last == 3
    assert policy.within == timedelta(days=2)


def test_the_supervisor_s_rounds_are_remembered(tmp_path):
    run, told = RunDirectory(tmp_path / "run"), []
    given = settings(tmp_path, every_minutes=0.001)
    scheduled = ScheduledBackups(run, given, tell=lambda *line: told.append(line))
    scheduled.start()
    good = until(lambda: run.read(BackupState))
    assert good.verdict is Verdict.OK
    assert good.good_at == good.at
    for file in (tmp_path / "backups").rglob("repository.json"):
        file.write_text("{}")
    bad = until(lambda: (s := run.read(BackupState)).verdict is Verdict.PROBLEM and s)
    scheduled.end()
    assert bad.good_at is not None, "the last good one is not forgotten"
    assert {level for level, _ in told} == {"INFO", "ERROR"}
