"""`verify` foretells what real Spark did with each kind of damage (`scripts/judge` asked it)."""

from pathlib import Path

import pytest

from streamctl.checkpoint.verify.kinds import Effect
from streamctl.reports import Verdict
from tests import judged, mutants

TABLE = Path(__file__).parents[2] / "DAMAGE.md"
ABSTAINS = {
    "state-deleted": "a query with a watermark may have no state",
    "offsets-last-version-9": "a newer Spark may read it",
    "commit-last-version-9": "a newer Spark may read it",
    "schema-version-9": "a newer Spark may read it",
    "offsets-last-bit-flip": "without a watermark it hits the time of planning, and whether the "
    "query goes by the clock is not known",
    "offsets-last-partition-lost": "which of two entries lacks it rightly is not known",
    "offsets-last-conf-gone": "it depends on which settings the plan uses",
}
"""Where the effect cannot be told from the files; the damage itself is found all the same."""

SAME_ROWS = "harmless in the judge alone, whose source gives each batch the same rows every time"
WORSE_ELSEWHERE = {
    ("rewound-logs-only", ""): SAME_ROWS,
    ("rewound-whole", "stateless-filesink"): SAME_ROWS,
    ("offsets-and-commits-deleted", "stateless-filesink"): SAME_ROWS,
}

NOT_TOLD = {
    ("state-deleted", "rocksdb-transformwithstate"): "without a watermark and without its state it "
    "looks like a query that never had any; only a seal knows",
}


@pytest.mark.parametrize(
    "row", judged.corpus(), ids=lambda row: f"{row['flavour']}-{row['damage']}"
)
def test_the_forecast_is_what_spark_did(row):
    report = judged.report(row["flavour"], row["damage"])
    told = (row["condition"], row["message"], seen(report))
    if (row["damage"], row["flavour"]) in NOT_TOLD:
        assert report.verdict is Verdict.OK
        return
    if row["spark"] != "starts":
        assert report.verdict is not Verdict.OK, told
        assert all("`" in f.hint for f in report.findings)
    if row["damage"] == "nothing":
        assert report.verdict is Verdict.OK, told
    if {(row["damage"], ""), (row["damage"], row["flavour"])} & set(WORSE_ELSEWHERE):
        assert report.verdict is Verdict.PROBLEM
    elif row["damage"] not in ABSTAINS or report.forecast is not Effect.UNKNOWN:
        assert report.forecast is Effect(row["spark"]), told


@pytest.mark.parametrize("row", judged.mutants(), ids=lambda row: row["damage"])
def test_random_damage_is_found_and_foretold(row):
    done = []
    report = judged.verified(
        row["flavour"], lambda at: done.append(mutants.mutate(at, row["damage"]))
    )
    told = (done, row["condition"], row["message"], seen(report))
    if row["spark"] != "starts":
        assert report.verdict is not Verdict.OK, told
        assert all(f.path and "`" in f.hint for f in report.findings), told
    if report.forecast is not Effect.UNKNOWN:
        assert report.forecast is Effect(row["spark"]), told


def seen(report):
    return [f"{f.severity} {f.code} {f.effect} {f.path}: {f.detail}" for f in report.findings]


def test_the_table_in_the_docs_is_what_the_tests_see():
    """`scripts/table` writes it."""
    assert TABLE.read_text() == judged.table()
