"""Backup and restore, killed and failed at every change they make."""

import errno
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamctl.checkpoint.backup.check import check
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.restore import query_of, restore
from streamctl.checkpoint.backup.take import About, Source, take
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.reports import Verdict, ignore
from tests.faults import Fail, Kill, points_of, run_forked
from tests.goldens import golden

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CODES = (errno.ENOSPC, errno.EACCES, errno.EIO, errno.ENOENT)


def faults(at):
    return (Kill(at=at), *(Fail(at=at, code=code) for code in CODES), Fail(at=at, lasting=True))


@pytest.fixture
def checkpoint(tmp_path):
    shutil.copytree(golden("4.2.0", "hdfs-aggregation"), tmp_path / "cp")
    return tmp_path / "cp"


def backup(path, folder):
    source = Source(name="", checkpoint=Checkpoint.open(str(path)))
    repository = Repository.open(str(folder), create=True)
    return take([source], repository, About(location=str(path)), now=NOW, on_event=ignore)


def digests(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in Path(path).rglob("*")
        if file.is_file()
    }


def test_a_backup_is_whole_or_none_and_can_be_taken_again(checkpoint, tmp_path):
    before, folder = digests(checkpoint), tmp_path / "repository"
    points = points_of(lambda: backup(checkpoint, folder).id, roots=[folder])
    assert len(points) > 10
    for at in range(len(points)):
        for fault in faults(at):
            shutil.rmtree(folder, ignore_errors=True)
            ended = run_forked(lambda: backup(checkpoint, folder).id, roots=[folder], fault=fault)
            taken = Repository.open(str(folder), create=True)
            if taken.ids():
                found = check(taken, ids=[], read_data=True, now=NOW, on_event=ignore)
                assert found.verdict is Verdict.OK, (fault, points[at], found)
            else:
                assert ended.killed or ended.error, (fault, points[at])
            backup(checkpoint, folder)
            found = check(taken, ids=[], read_data=True, now=NOW, on_event=ignore)
            assert found.verdict is Verdict.OK, (fault, points[at], found)
    assert digests(checkpoint) == before


def test_a_restored_checkpoint_is_whole_or_not_there(checkpoint, tmp_path):
    folder, place = tmp_path / "repository", tmp_path / "out" / "restored"
    place.parent.mkdir()
    backup(checkpoint, folder)

    def work():
        repository = Repository.open(str(folder))
        manifest = repository.manifest("latest")
        query = query_of(manifest, "")
        return restore(repository, manifest, query, to=str(place), on_event=ignore).files

    points = points_of(work, roots=[place.parent])
    whole = digests(place)
    assert len(points) > 10
    for at in range(len(points)):
        for fault in faults(at):
            shutil.rmtree(place.parent)
            place.parent.mkdir()
            ended = run_forked(work, roots=[place.parent], fault=fault)
            if place.exists():
                assert digests(place) == whole, (fault, points[at])
                shutil.rmtree(place)
            else:
                assert ended.killed or ended.error, (fault, points[at])
            work()
            assert digests(place) == whole
