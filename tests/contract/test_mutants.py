"""Random damage: what Spark fails on, or starts wrongly from, is found, and foretold."""

import json
from pathlib import Path

import pytest

from streamctl.checkpoint.kinds import Effect
from streamctl.reports import Verdict
from tests import mutants
from tests.contract.test_damage import damaged, verified

PATH = Path(__file__).parents[1] / "data" / "mutants-judged.json"
JUDGED = json.loads(PATH.read_text())


@pytest.mark.parametrize("row", JUDGED, ids=lambda row: row["damage"])
def test_what_spark_stumbles_over_is_found(row, tmp_path):
    done = []
    root = damaged(
        row["flavour"], lambda at: done.append(mutants.mutate(at, row["damage"])), tmp_path
    )
    report = verified(root)
    assert report is not None
    codes = [f"{f.severity} {f.code} {f.effect} {f.path}: {f.detail}" for f in report.findings]
    told = (done, row["condition"], row["message"], codes)
    if row["spark"] != "starts":
        assert report.verdict is not Verdict.OK, told
    if report.forecast is not Effect.UNKNOWN:
        assert report.forecast is Effect(row["spark"]), told
