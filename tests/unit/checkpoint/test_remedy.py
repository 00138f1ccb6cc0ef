"""Remedies can be typed as they stand, are done to what was verified, and mend it."""

import shlex
import shutil
import subprocess

import pytest

from streamctl.checkpoint.change.rewind import plan_rewind
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Effect, kinds
from streamctl.checkpoint.verify.remedy import Aim, fill, in_general
from streamctl.checkpoint.verify.verify import Level, verify
from streamctl.reports import Verdict
from tests.goldens import golden, relocate
from tests.remedies import commands, parsed, untypable
from tests.unit.change.helpers import NOW, bare

AIMS = {
    "own": Aim(),
    "own, one of several": Aim(query="windows", sink="/out", context="prod"),
    "foreign": Aim(path="/data/it's here/cp", backups="/data/.cp.backups"),
    "object store": Aim(path="s3://bucket/cp/", query="q", backups="s3://bucket/.cp.backups"),
}
ON_FILES = {"remove": "rm x", "move": "mv x ~/", "checkpoint": "x"}


def looked_at(place, *, level=Level.FAST, **more):
    report = verify(Checkpoint.open(str(place)), level=level, sleep=lambda _: None, **more)
    assert untypable(report.findings) == []
    return report


@pytest.mark.parametrize("aim", AIMS.values(), ids=AIMS)
@pytest.mark.parametrize("batch", [7, None])
@pytest.mark.parametrize("code", kinds())
def test_each_command_of_ours_parses_and_names_what_was_verified(code, batch, aim):
    hint = fill(kinds()[code].remedy, aim.commands(batch=batch) | ON_FILES)
    assert "{" not in hint
    assert "{" not in in_general(kinds()[code].remedy)
    for words in commands(hint):
        if words[0] != "streamctl" or words[1] in {"doctor", "explain"}:
            continue
        given = parsed(*words[1:])
        assert given["context"] == aim.context
        if words[1:3] == ["checkpoint", "restore"]:
            assert given["repository"] == aim.backups
            assert bool(given["to"]) == bool(aim.path)
        else:
            assert given["checkpoint" if words[1] == "lag" else "path"] == aim.path
        if "rewind" in words:
            assert given["to_batch"] == batch
            assert (given["query"], given["sink"]) == (aim.query, aim.sink)


def test_a_restore_beside_a_path_goes_where_nothing_is():
    foreign = AIMS["foreign"].commands()["restore"]
    assert parsed(*shlex.split(foreign)[1:])["to"] == "/data/it's here/cp.restored"
    remote = AIMS["object store"].commands()["restore"]
    assert parsed(*shlex.split(remote)[1:])["to"] == "cp.q.restored"


def copied(flavour, tmp_path, *, version="4.2.0"):
    place = tmp_path / "a b"
    shutil.copytree(golden(version, flavour), place)
    relocate(place, was=golden(version, flavour))
    return place


def do(report, tmp_path):
    """Type what takes files away."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    for item in report.findings:
        for words in commands(item.hint):
            if words[0] in {"rm", "mv"}:
                command = item.hint.split("`")[1]
                subprocess.run(command, shell=True, check=True, env={"HOME": str(home)})  # noqa: S602


@pytest.mark.parametrize(
    "name",
    ["state/0/_metadata/metadata", "state/0/0/_metadata/schema"],
)
@pytest.mark.parametrize("what", ["damaged", "a directory", "gone, its checksum left"])
def test_what_spark_writes_anew_is_removed_with_its_checksum(tmp_path, name, what):
    """A checksum that stays behind would stop the start that the remedy promises."""
    place = copied("hdfs-aggregation", tmp_path)
    (place / name).unlink()
    if what == "damaged":
        (place / name).write_text("{")
    elif what == "a directory":
        (place / name).mkdir()
    report = looked_at(place)
    starts = (name, what) == ("state/0/_metadata/metadata", "a directory")
    assert report.forecast is (Effect.STARTS if starts else Effect.FAILS)
    do(report, tmp_path)
    after = looked_at(place)
    assert after.forecast is Effect.STARTS
    assert {f.code for f in after.findings} <= {"operator-metadata-missing", "schema-missing"}


@pytest.mark.parametrize("flavour", ["rocksdb-transformwithstate", "rocksdb-join3"])
def test_metadata_of_version_2_is_restored_and_named_rightly(tmp_path, flavour):
    """Spark writes it in batch 0 alone: to remove it would end every start."""
    place = copied(flavour, tmp_path)
    newest = max((place / "state/0/_metadata/v2").glob("[0-9]*"), key=lambda p: int(p.name))
    newest.write_text("{")
    (damaged,) = [f for f in looked_at(place).findings if f.code == "operator-metadata-damaged"]
    assert damaged.path == f"state/0/_metadata/v2/{newest.name}"
    assert commands(damaged.hint)[0][:3] == ["streamctl", "checkpoint", "restore"]


def test_a_rewind_goes_to_a_batch_that_it_finds_whole(tmp_path):
    place = copied("rocksdb-changelog", tmp_path)
    newest = max(place.glob("state/0/1/*.changelog"), key=lambda p: int(p.stem))
    newest.write_bytes(b"")
    report = looked_at(place)
    (words,) = [words for f in report.findings for words in commands(f.hint) if "rewind" in words]
    batch = parsed(*words[1:])["to_batch"]
    assert batch == int(newest.stem) - 2
    plan = plan_rewind(bare(place), batch, why="", now=NOW)
    assert {obstacle.code for obstacle in plan.obstacles} == {"no-file-sink"}


def test_without_a_batch_to_go_back_to_it_is_restored(tmp_path):
    place = copied("rocksdb-changelog", tmp_path)
    for path in place.glob("state/0/1/*.*"):
        path.write_bytes(b"")
    report = looked_at(place)
    words = [words for f in report.findings for words in commands(f.hint)]
    assert report.verdict is Verdict.PROBLEM
    assert not any("rewind" in command for command in words)
    assert any("restore" in command for command in words)
