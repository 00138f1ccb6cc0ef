"""What prune frees, and that dying anywhere in it loses nothing that a kept backup needs."""

import errno
import json
import multiprocessing
import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from streamctl.checkpoint.backup.check import check
from streamctl.checkpoint.backup.locks import locked, locks, unlock
from streamctl.checkpoint.backup.policy import Policy
from streamctl.checkpoint.backup.prune import prune
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.restore import query_of, restore
from streamctl.checkpoint.backup.take import About, Source, take
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import Busy, Refused
from streamctl.reports import Verdict, ignore
from tests.faults import Fail, Kill, points_of, run_forked
from tests.goldens import golden

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LAST = Policy(last=1)


def backup(path, repository, *, hours=0):
    source = Source(name="", checkpoint=Checkpoint.open(str(path)))
    now = NOW + timedelta(hours=hours)
    about = About(location=str(path.parent))  # of one location, as generations are
    return take([source], repository, about, now=now, on_event=ignore)


@pytest.fixture
def two(tmp_path):
    """A repository with two backups of different queries, and what they are of."""
    folder = tmp_path / "repository"
    repository = Repository.open(str(folder), create=True)
    paths = []
    for hours, name in enumerate(("hdfs-aggregation", "hdfs-join")):
        path = tmp_path / f"cp-{hours}"
        shutil.copytree(golden("4.2.0", name), path)
        backup(path, repository, hours=hours)
        paths.append(path)
    return folder, paths


def opened(folder):
    return Repository.open(str(folder))


def run(folder, policy=LAST, **more):
    return prune(opened(folder), policy, now=NOW, on_event=ignore, **({"dry_run": False} | more))


def whole(folder):
    return check(opened(folder), ids=[], read_data=True, now=NOW, on_event=ignore)


def test_a_plan_changes_nothing(two):
    folder, _ = two
    before = sorted(str(path) for path in folder.rglob("*"))
    plan = run(folder, dry_run=True)
    assert [choice.stays for choice in plan.choices] == [True, False]
    assert sorted(str(path) for path in folder.rglob("*")) == before


def test_what_nobody_needs_goes_and_the_rest_is_whole(two, tmp_path):
    folder, paths = two
    newest = opened(folder).ids()[-1]
    report = run(folder)
    assert report.freed_bytes > 0
    assert opened(folder).ids() == [newest]
    assert whole(folder).verdict is Verdict.OK
    manifest = opened(folder).manifest(newest)
    restore(
        opened(folder), manifest, query_of(manifest, ""), to=str(tmp_path / "r"), on_event=ignore
    )
    assert (tmp_path / "r" / "metadata").read_bytes() == (paths[1] / "metadata").read_bytes()


def test_a_pack_that_is_mostly_waste_is_written_anew(tmp_path):
    folder = tmp_path / "repository"
    path = tmp_path / "cp"
    shutil.copytree(golden("4.2.0", "hdfs-aggregation"), path)
    repository = Repository.open(str(folder), create=True)
    backup(path, repository)
    shutil.rmtree(path)
    shutil.copytree(golden("4.2.0", "hdfs-join"), path)
    (path / "metadata").write_bytes((golden("4.2.0", "hdfs-aggregation") / "metadata").read_bytes())
    backup(path, repository, hours=1)
    report = run(folder)
    assert report.rewritten_packs == 1
    assert whole(folder).verdict is Verdict.OK
    assert run(folder).freed_bytes == 0


def test_an_unreadable_backup_stops_it(two):
    folder, _ = two
    name = opened(folder).ids()[0]
    (folder / "manifests" / name).write_bytes(b"x")
    assert run(folder, dry_run=True).unreadable == [name]
    with pytest.raises(Refused, match="cannot be read"):
        run(folder)
    assert len(opened(folder).ids()) == 2


def test_dying_or_failing_at_any_change_loses_nothing(two, tmp_path):
    folder, _ = two
    newest = opened(folder).ids()[-1]
    pristine = tmp_path / "pristine"
    shutil.copytree(folder, pristine)
    points = points_of(lambda: run(folder), roots=[folder])
    assert len(points) > 8
    for at in range(len(points)):
        for fault in (Kill(at=at), Fail(at=at, code=errno.EIO), Fail(at=at, lasting=True)):
            shutil.rmtree(folder)
            shutil.copytree(pristine, folder)
            run_forked(lambda: run(folder), roots=[folder], fault=fault)
            found = check(opened(folder), ids=[newest], read_data=True, now=NOW, on_event=ignore)
            assert found.verdict is Verdict.OK, (fault, points[at], found)
            run(folder)
            assert opened(folder).ids() == [newest]
            assert whole(folder).verdict is Verdict.OK


def test_one_that_removes_is_alone(two):
    folder, paths = two
    store = opened(folder).store
    with locked(store, what="backup prune", alone=True, now=NOW):
        with pytest.raises(Busy, match="in use by `backup prune`"):
            backup(paths[0], opened(folder))
        with pytest.raises(Busy):
            run(folder)
    with locked(store, what="backup take", alone=False, now=NOW):
        backup(paths[0], opened(folder), hours=9)  # several may add at once
        with pytest.raises(Busy, match="in use by `backup take`"):
            run(folder)
    assert locks(store) == []


def test_a_lock_of_a_dead_process_binds_nobody(two):
    folder, _ = two
    store = opened(folder).store

    def die_holding_it():
        with locked(store, what="backup prune", alone=True, now=NOW):
            os._exit(0)

    child = multiprocessing.get_context("fork").Process(target=die_holding_it)
    child.start()
    child.join()
    assert [lock.is_dead for lock in locks(store)] == [True]
    run(folder)
    assert len(unlock(store, every=False)) == 1
    assert locks(store) == []


def test_another_hosts_lock_binds_until_it_is_removed(two):
    folder, _ = two
    store = opened(folder).store
    with locked(store, what="backup prune", alone=True, now=NOW):
        (name,) = store.names("locks")
        fields = json.loads(store.read(f"locks/{name}"))
    store.replace(f"locks/{name}", json.dumps(fields | {"host": "elsewhere"}).encode())
    with pytest.raises(Busy, match="on elsewhere"):
        run(folder)
    assert unlock(store, every=False) == []
    assert len(unlock(store, every=True)) == 1
    run(folder)
