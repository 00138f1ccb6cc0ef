"""What a remedy takes away was in the way: after it is typed, `verify` no longer speaks of it."""

import shutil
import subprocess

import pytest

from streamctl.chaos import damage
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.findings import worst_effect
from streamctl.checkpoint.verify.kinds import Effect, Severity
from streamctl.checkpoint.verify.verify import verify
from tests import judged
from tests.goldens import made_at, pristine, relocate
from tests.remedies import commands, untypable

FLAVOURS = [
    "hdfs-aggregation",
    "hdfs-deduplication-files",
    "rocksdb2-changelog",
    "rocksdb-transformwithstate",
    "stateless-filesink",
]
AWAY = {"rm", "mv"}


def damaged(tmp_path, flavour, kind):
    version = f"{judged.SPARK}-kafka" if "kafka" in flavour else judged.SPARK
    root, source = tmp_path / "a b" / flavour, pristine(version)
    for name in (flavour, f"{flavour}-out"):
        if (source / name).is_dir():
            shutil.copytree(source / name, root.with_name(name))
    kind.apply(damage.place(root))
    relocate(root, was=made_at(version, flavour))
    return root


def looked_at(root):
    sink = root.with_name(f"{root.name}-out")
    report = verify(
        Checkpoint.open(str(root)), sink=str(sink) if sink.is_dir() else "", sleep=lambda _: None
    )
    assert untypable(report.findings) == []
    return report


def away(item):
    return [words for words in commands(item.hint) if words[0] in AWAY]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_what_is_taken_away_is_no_longer_found(tmp_path, flavour):
    done = 0
    for flavour_of_kind, kind in damage.cases():
        if flavour_of_kind != flavour:
            continue
        place = tmp_path / kind.name
        place.mkdir()
        root = damaged(place, flavour, kind)
        report = looked_at(root)
        if not any(map(away, report.findings)):
            continue
        for item in filter(away, report.findings):
            line = next(text for text in item.hint.split("`") if text.split(" ")[0] in AWAY)
            subprocess.run(line, shell=True, check=True, env={"HOME": str(place)})  # noqa: S602
        after = looked_at(root)
        told = {(item.code, item.path) for item in filter(away, report.findings)}
        assert not told & {(item.code, item.path) for item in after.findings}, kind.name
        other = [i for i in report.findings if not away(i) and i.severity is not Severity.NOTE]
        if worst_effect(item.effect for item in other) is Effect.STARTS:
            assert after.forecast is Effect.STARTS, (kind.name, after.findings)
        done += 1
    assert done
