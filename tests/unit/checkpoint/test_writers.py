"""Contradictions that only a second writer, or a file in another's place, can have made."""

import json
import shutil

import pytest

from streamctl.chaos import damage
from streamctl.chaos.damage import edits
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.verify.verify import Level
from streamctl.reports import Verdict
from tests import judged


def deep(flavour, apply):
    return judged.verified(flavour, apply, level=Level.DEEP)


def codes(report):
    return {finding.code for finding in report.findings}


def test_a_change_file_of_the_other_partition():
    """The corpus's own case: a start does not read it, `deep` tells it all the same."""
    (swapped,) = (item for item in damage.CORPUS if item.name == "change-swapped")
    report = deep("hdfs-aggregation", swapped.apply)
    assert "state-file-copied" in codes(report)
    assert report.verdict is Verdict.PROBLEM


def test_two_versions_changed_places():
    """A snapshot after them has other keys than they make."""

    def apply(at):
        store = at.stores()[0]
        snapshots = sorted(layout.state_file(p.name)[0] for p in store.glob("*.snapshot"))
        before, version = snapshots[-2], snapshots[-1]
        first, last = store / f"{before + 1}.delta", store / f"{version + 1}.delta"
        shutil.copyfile(last if last.exists() else first, store / f"{version}.delta")

    report = deep("hdfs-aggregation", apply)
    assert "state-file-differs" in codes(report)


def test_files_of_the_other_provider():
    report = deep(
        "rocksdb-changelog", lambda at: edits.write(at.stores()[0] / "3.delta", b"\x00" * 10)
    )
    assert "state-providers-mixed" in codes(report)


def test_a_version_built_on_another_than_was_committed():
    def apply(at):
        def other(fields):
            for partitions in fields["stateUniqueIds"].values():
                partitions[0][0] = "00000000" + partitions[0][0][8:]

        edits.metadata_of(at.commits(at.committed - 1), other)

    report = deep("rocksdb2-changelog", apply)
    found = [f for f in report.findings if f.code == "state-lineage-differs"]
    assert found
    assert all("00000000" in f.detail for f in found)


@pytest.mark.parametrize(
    ("field", "value"), [("batchWatermarkMs", 1_700_000_999_999), ("batchTimestampMs", 1)]
)
def test_a_plan_that_does_not_follow_is_noted(field, value):
    """A note, because a clock may step and a drain raises the watermark."""

    def apply(at):
        path = at.offsets(at.planned - 1)
        sums = path.with_name(f".{path.name}.crc")
        edits.metadata_of(path, lambda fields: fields.update({field: value}))
        assert not sums.exists()
        assert json.loads(path.read_text().split("\n")[1])[field] == value

    report = deep("hdfs-aggregation", apply)
    assert "two-writers" in codes(report)


def test_an_attempt_beside_the_entry_is_noted():
    def apply(at):
        edits.write(at.offsets(0).with_name(f".{at.planned}.{edits.TEMPORARY}"), b"v1")

    report = deep("hdfs-aggregation", apply)
    assert "two-writers" in codes(report)
    assert report.verdict is Verdict.OK
