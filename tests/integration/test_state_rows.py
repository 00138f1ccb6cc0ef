"""`inspect --state-rows`: Spark reads what is in the state, the command shows it."""

import os
import shutil

import pytest

from tests.goldens import golden
from tests.harness import Project

pytestmark = pytest.mark.integration


@pytest.fixture
def asked(tmp_path):
    def ask(flavour, *arguments):
        shutil.copytree(golden("4.2.0", flavour), tmp_path / flavour)
        return Project(tmp_path, {}).json(
            *("checkpoint", "inspect", flavour, "--state-rows", *arguments),
            environ={"TZ": "America/New_York"},
        )

    return ask


def test_windows_and_their_counts(asked):
    rows = asked("rocksdb2-changelog", "--limit", "3").data["state_rows"]
    assert rows["store"] == "default"
    assert len(rows["rows"]) == 3
    for row in rows["rows"]:
        assert set(row["key"]) == {"window", "key"}
        assert row["key"]["window"]["start"].startswith("2023-11-14T22:")  # UTC, wherever asked
        assert row["value"]["count"] > 0


def test_one_store_of_a_join_at_an_older_batch(asked):
    answer = asked("hdfs-join", "--store", "left-keyWithIndexToValue", "--batch", "5")
    rows = answer.data["state_rows"]["rows"]
    assert len(rows) == 20
    assert all(row["key"]["index"] == 0 and "timestamp" in row["value"] for row in rows)


def test_damaged_state_is_an_error_that_says_why(tmp_path):
    shutil.copytree(golden("4.2.0", "rocksdb-aggregation"), tmp_path / "torn")
    for path in (tmp_path / "torn" / "state" / "0").glob("*/*.zip"):
        os.truncate(path, 10)
    answer = Project(tmp_path, {}).json("checkpoint", "inspect", "torn", "--state-rows")
    assert answer.exit_code == 1
    assert "could not be read" in answer.error["message"]
    assert "verify --level deep" in answer.error["hint"]
