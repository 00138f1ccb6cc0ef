"""Only a disk of our own is ever filled."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamctl.chaos.cleanup import cleanup
from streamctl.chaos.verbs import resources, writes
from streamctl.errors import NotFound, Refused, Unsupported


def test_the_machine_s_own_disk_is_never_filled(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(Refused, match="only a small disk of ours"):
        resources.fill_disk(SimpleNamespace(project=tmp_path, settings={}))
    resources.free_disk(SimpleNamespace(project=tmp_path))  # twice is once
    resources.remove_disk(SimpleNamespace(project=tmp_path))
    assert list((tmp_path / "data").iterdir()) == []


def test_the_machine_s_own_disk_is_never_slowed(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(Refused, match="only a disk of ours"):
        resources.slow_disk(SimpleNamespace(project=tmp_path))
    resources.free_slow_disk(SimpleNamespace(project=tmp_path))


def test_a_disk_of_our_own_does_so_many_writes_a_second(tmp_path):
    subject = SimpleNamespace(project=tmp_path)
    try:
        resources.disk_device(subject, megabytes=16)
        resources.slow_disk(subject, per_second=10)
    except Unsupported:
        resources.remove_disk(subject)
        pytest.skip("mounting or slowing a disk is not allowed here")
    try:
        began = time.monotonic()
        (tmp_path / "data" / "slow").write_bytes(bytes(20 * 4096))
        slow = time.monotonic() - began
        resources.free_slow_disk(subject)
        began = time.monotonic()
        (tmp_path / "data" / "fast").write_bytes(bytes(20 * 4096))
        assert slow > 2 * (time.monotonic() - began)
    finally:
        resources.remove_disk(subject)
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


def test_a_killed_run_leaves_neither_its_disk_nor_the_limit_of_it(tmp_path):
    """The limit is of a number that the next disk of this machine gets."""
    subject = SimpleNamespace(project=tmp_path / "20260101-000000" / "001-disk-slow" / "project")
    try:
        resources.disk_device(subject, megabytes=16)
        device = resources.slow_disk(subject, per_second=10)
    except Unsupported:
        resources.remove_disk(subject)
        pytest.skip("mounting or slowing a disk is not allowed here")
    assert f"{device} 10" in resources._WRITES.read_text()
    assert cleanup([tmp_path], target=lambda _: None).campaigns == ["20260101-000000"]
    assert f"{device} " not in resources._WRITES.read_text()
    assert [each.name for each in subject.project.iterdir()] == ["data"]
    assert not (subject.project / "data").is_mount()


def test_a_small_disk_comes_is_filled_and_goes(tmp_path):
    subject = SimpleNamespace(project=tmp_path)
    try:
        resources.small_disk(subject, megabytes=4)
    except Unsupported:
        pytest.skip("mounting is not allowed here")
    try:
        filled = resources.fill_disk(subject, leave_kilobytes=100)
        assert filled["by"] == "a small file system"
        assert filled["bytes"] > 3 << 20
        (tmp_path / "data" / "small").write_bytes(bytes(50_000))
        with pytest.raises(OSError, match="No space"):
            (tmp_path / "data" / "large").write_bytes(bytes(1 << 20))
        resources.free_disk(subject)
        (tmp_path / "data" / "large").write_bytes(bytes(1 << 20))
    finally:
        resources.remove_disk(subject)
    assert not (tmp_path / "data").is_mount()


def test_the_disk_of_the_logs_is_another_one(tmp_path):
    subject = SimpleNamespace(project=tmp_path)
    try:
        resources.small_disk(subject, megabytes=1, place="logs")
    except Unsupported:
        pytest.skip("mounting is not allowed here")
    try:
        logs = tmp_path / ".streamctl" / "default" / "logs"
        resources.fill_disk(subject, place="logs")
        with pytest.raises(OSError, match="No space"):
            (logs / "job.jsonl").write_bytes(bytes(5000))
        resources.free_disk(subject, place="logs")
        (logs / "job.jsonl").write_bytes(bytes(5000))
        assert not (tmp_path / "data").exists()
    finally:
        assert resources.end_disk(tmp_path)  # as `chaos cleanup` does
    assert not logs.is_mount()
    assert not resources.end_disk(tmp_path)


def refused(*_args, **_more) -> None:
    raise Unsupported("a file system cannot be mounted here: mount: permission denied")


def test_where_mounting_is_refused_spark_s_hook_refuses_the_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_run", refused)
    monkeypatch.setattr(writes, "spark_test_jars", lambda: [Path("/jars/tests.jar")])
    subject = SimpleNamespace(project=tmp_path, settings={}, crashed=False)
    subject.set = subject.settings.__setitem__
    assert resources.small_disk(subject, or_hook=True) == "Spark's hook for writes"
    assert "FailureInjection" in str(subject.settings)
    assert resources.fill_disk(subject)["by"] == "Spark's hook for writes"
    faults = Path(subject.settings["job.options.faults"])
    assert json.loads(faults.read_text()) == {"create": [".*"]}
    resources.free_disk(subject)
    assert not faults.exists()
    with pytest.raises(Refused):
        resources.fill_disk(subject, leave_kilobytes=100)  # it refuses all or nothing
    with pytest.raises(Refused):
        resources.fill_disk(subject, place="logs")


@pytest.mark.parametrize("more", [{}, {"or_hook": True, "place": "logs"}])
def test_where_mounting_is_refused_and_no_hook_will_do_it_is_not_run(tmp_path, monkeypatch, more):
    monkeypatch.setattr(resources, "_run", refused)
    with pytest.raises(Unsupported, match="cannot be mounted"):
        resources.small_disk(SimpleNamespace(project=tmp_path), **more)


def test_a_disk_is_of_the_data_or_of_the_logs(tmp_path):
    with pytest.raises(Unsupported, match='no disk for "home"'):
        resources.small_disk(SimpleNamespace(project=tmp_path), place="home")


def test_a_limit_needs_a_name_that_is_known_and_a_driver():
    with pytest.raises(Unsupported, match='no limit "time"'):
        resources.limit(SimpleNamespace(), what="time")
    with pytest.raises(NotFound, match="no driver"):
        resources.limit(SimpleNamespace(driver_processes=list), what="files")
