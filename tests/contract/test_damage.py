"""`verify` foretells what real Spark did with each kind of damage (`scripts/judge` asked it)."""

import json
import shutil
from pathlib import Path

import pytest

from streamctl.checkpoint.kinds import Effect
from streamctl.checkpoint.reader import Checkpoint
from streamctl.checkpoint.verify import VerifyReport, verify
from streamctl.errors import CheckpointNotFound
from streamctl.reports import Verdict
from tests import damage
from tests.goldens import golden

JUDGED = [
    row
    for row in json.loads((Path(__file__).parents[1] / "data" / "judged.json").read_text())
    if (row["flavour"], row["damage"]) in {(flavour, item.name) for flavour, item in damage.cases()}
]
BY_NAME = {item.name: item for item in damage.CORPUS}


ABSTAINS = {
    "state-deleted": "a query with a watermark may have no state",
    "offsets-last-version-9": "a newer Spark may read it",
    "commit-last-version-9": "a newer Spark may read it",
    "schema-version-9": "a newer Spark may read it",
    "offsets-last-bit-flip": "what was there before the flip is not known",
    "offsets-last-conf-gone": "it depends on which settings the plan uses",
}
"""Where the effect cannot be told from the files; the damage itself is found all the same."""

SAME_ROWS = "harmless in the judge alone, whose source gives each batch the same rows every time"
WORSE_ELSEWHERE = {
    ("rewound-logs-only", ""): SAME_ROWS,
    ("rewound-whole", "stateless-filesink"): SAME_ROWS,
    ("offsets-and-commits-deleted", "stateless-filesink"): SAME_ROWS,
}


def damaged(flavour: str, apply, scratch: Path) -> Path:
    root = scratch / flavour
    shutil.copytree(golden("4.2.0", flavour), root)
    out = golden("4.2.0", f"{flavour}-out")
    if out.is_dir():
        shutil.copytree(out, root.with_name(f"{flavour}-out"))
    apply(damage.place(root))
    return root


def verified(root: Path) -> VerifyReport | None:
    """None: the checkpoint itself cannot be found."""
    sink = root.with_name(root.name + "-out")
    try:
        checkpoint = Checkpoint.open(str(root))
    except CheckpointNotFound:
        return None
    return verify(checkpoint, sink=str(sink) if sink.is_dir() else "", sleep=lambda _: None)


@pytest.mark.parametrize("row", JUDGED, ids=lambda row: f"{row['flavour']}-{row['damage']}")
def test_the_forecast_is_what_spark_did(row, tmp_path):
    root = damaged(row["flavour"], BY_NAME[row["damage"]].apply, tmp_path)
    report = verified(root)
    assert report is not None
    codes = [f"{f.severity} {f.code} {f.effect} {f.path}: {f.detail}" for f in report.findings]
    if {(row["damage"], ""), (row["damage"], row["flavour"])} & set(WORSE_ELSEWHERE):
        assert report.verdict is Verdict.PROBLEM
        return
    if row["damage"] not in ABSTAINS or report.forecast is not Effect.UNKNOWN:
        assert report.forecast is Effect(row["spark"]), (row["condition"], row["message"], codes)
    if row["spark"] != "starts":
        assert report.verdict is not Verdict.OK
        assert all(f.hint for f in report.findings)
    if row["damage"] == "nothing":
        assert report.verdict is Verdict.OK
