"""Work beside the job gives way to it, with the threads that it starts."""

import os
import sys
import threading

import pytest

from streamctl.errors import NotFound
from streamctl.priority import giving_way
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings
from streamctl.supervisor.backups import back_up
from streamctl.supervisor.scheduled_backups import ScheduledBackups
from tests.goldens import golden

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="niceness is a process's there")


def niceness():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def in_a_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def lowered():
    with giving_way():
        return niceness(), in_a_thread(niceness)


def test_it_and_its_threads_are_nice_and_nobody_else_is():
    before = niceness()
    assert in_a_thread(lowered) == (max(before, 10), max(before, 10))
    assert niceness() == before


def test_what_is_nicer_already_stays_so():
    def nicer():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        return lowered()

    assert in_a_thread(nicer) == (19, 19)


def test_where_it_is_forbidden_the_work_is_done_all_the_same(monkeypatch):
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbidden)
    assert lowered() == (niceness(), niceness())


def test_a_backup_gives_way(tmp_path, monkeypatch, streamctl):
    """As a command, and on the supervisor's schedule; what is started afterwards does not."""
    found = []

    def taken(*_, **__):
        found.append(niceness())
        raise NotFound("enough")

    monkeypatch.setattr("streamctl.checkpoint.backup.take.take", taken)
    monkeypatch.setattr("streamctl.checkpoint.backup.schedule.take", taken)
    path = golden("4.2.0", "hdfs-aggregation")
    command = ("backup", "take", str(path), "--to", str(tmp_path / "to"))
    assert in_a_thread(lambda: streamctl(*command)).exit_code == 10
    settings = Settings.model_validate({"checkpoint": {"location": str(path)}})
    scheduled = ScheduledBackups(RunDirectory(tmp_path / "run"), settings, tell=lambda *_: None)
    in_a_thread(scheduled._round)
    assert found == [max(niceness(), 10)] * 2
    before = len(found)
    back_up(settings)  # before a change, by an operator who waits
    assert found[before:] == [niceness()]
