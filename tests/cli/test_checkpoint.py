"""`streamctl checkpoint` and `streamctl explain`: exit codes, and one table per report."""

import json
import re
import shlex
import shutil
from datetime import UTC, datetime

import pytest

from streamctl.checkpoint.location.generations import Generation, add
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.verify.kinds import kinds
from streamctl.explain.explain import explain, explain_log
from tests.goldens import golden
from tests.remedies import parsed

CHECKPOINT = golden("4.2.0", "hdfs-aggregation")


@pytest.fixture
def place(tmp_path):
    """A copy under a short, stable name in the working directory."""
    shutil.copytree(CHECKPOINT, tmp_path / "cp")
    return tmp_path / "cp"


def plain(text: str) -> str:
    """Without what depends on when the files were written or read."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z(, \d.* behind now)?", "<time>", text)
    text = re.sub(r"(-?\d+(\.\d+)? (d|h|min|s)\b ?)+( ago)?", "<span>", text)
    text = re.sub(r"[▁▂▃▄▅▆▇█]+", "<bars>", text)
    return re.sub(r"[ ]+$", "", text, flags=re.MULTILINE)  # a span's length pads its column


@pytest.mark.parametrize(
    "command",
    [
        ("checkpoint", "inspect", "cp"),
        ("checkpoint", "inspect", "cp", "--batch", "6", "--state"),
        ("checkpoint", "inspect", "cp", "--offsets", "--files"),
        ("checkpoint", "history", "cp", "-n", "3"),
        ("checkpoint", "verify", "cp"),
        ("checkpoint", "diff", "cp@6", "cp"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("output", ["table", "tsv"])
@pytest.mark.usefixtures("place")
def test_reports(streamctl, snapshot, command, output):
    result = streamctl(*command, "-o", output)
    assert result.exit_code == 0, result.stderr
    assert plain(result.stdout) == snapshot


def test_the_run_is_that_which_the_projects_job_told_of(streamctl, place, tmp_path):
    assert streamctl("checkpoint", "inspect", "cp", "-o", "json").data["run_id"] is None
    query_id = json.loads((place / "metadata").read_text())["id"]
    run = tmp_path / ".streamctl" / "default"
    run.mkdir(parents=True)
    line = {"kind": "started", "query_id": query_id, "spark_run_id": "the-run"}
    (run / "progress.jsonl").write_text(json.dumps(line) + "\n")
    assert streamctl("checkpoint", "inspect", "cp", "-o", "json").data["run_id"] == "the-run"
    (tmp_path / "streamctl.toml").write_text("[broken")
    told = streamctl("checkpoint", "inspect", "cp", "-o", "json")
    assert (told.exit_code, told.data["run_id"]) == (0, None)


def test_partitions_whose_keys_are_unknown_keep_their_row(streamctl, place):
    for path in (place / "state" / "0" / "1").glob("*.*"):
        path.unlink()
    told = streamctl("checkpoint", "inspect", "cp", "--state", "-o", "tsv")
    assert told.exit_code == 3
    assert "0\t1\tdefault\tnone\t0 B\tunknown\tunknown\n" in told.stdout


def test_bars_are_for_the_eye(streamctl, place):
    assert place
    assert "▁" in streamctl("checkpoint", "history", "cp", "-o", "table").stdout
    lines = streamctl("checkpoint", "history", "cp", "-o", "tsv").stdout.splitlines()
    assert {len(line.split("\t")) for line in lines} == {6}


def test_json_is_the_dataclass(streamctl, place):
    data = streamctl("checkpoint", "inspect", "cp", "-o", "json").data
    assert data["committed_batch_id"] == max(
        int(p.name) for p in (place / "commits").iterdir() if p.name.isdigit()
    )
    assert data["operators"][0]["name"] == "stateStoreSave"
    assert data["filesystem_calls"] < 20


@pytest.mark.parametrize(
    ("flavour", "asked", "told"),
    [
        ("hdfs-aggregation", ("--operator", "7"), "`--operator`: 0."),
        ("hdfs-aggregation", ("--store", "other"), "`--store`: default."),
        ("hdfs-join", (), "left-keyToNumValues, left-keyWithIndexToValue"),
        ("rocksdb-join3", ("--store", "default"), "left-keyToNumValues, left-keyWithIndexToValue"),
        ("rocksdb-transformwithstate", (), "`--store`: by, n, seen."),
        ("stateless-filesink", (), "keeps no state"),
    ],
)
def test_state_rows_of_what_is_not_there_name_what_is(streamctl, flavour, asked, told):
    """Before Spark is started, which would take half a minute to say less."""
    path = str(golden("4.2.0", flavour))
    result = streamctl("checkpoint", "inspect", path, "--state-rows", *asked)
    assert result.exit_code == 10
    assert told in result.stderr.replace("\n", " ")


def test_a_side_of_a_diff_may_be_a_backup(streamctl, place):
    """Of the repository beside the checkpoint, as `checkpoint backup` makes it."""
    taken = streamctl("checkpoint", "backup", "cp", "-o", "json").data
    (place / "commits" / "8").unlink()
    (place / "offsets" / "8").unlink()
    told = streamctl("checkpoint", "diff", "backup:latest", "cp", "-o", "json").data
    assert told["before"]["location"] == f"backup:{taken['id']}"
    assert (told["before"]["batch_id"], told["after"]["batch_id"]) == (8, 7)
    held = f"backup:{taken['id'][:10]}@7"
    told = streamctl("checkpoint", "diff", held, "8", "-r", ".cp.backups", "-o", "json").data
    assert (told["before"]["batch_id"], told["after"]["batch_id"]) == (7, 8)
    assert told["after"]["location"] == told["before"]["location"]
    assert streamctl("checkpoint", "diff", "cp", "backup:none").exit_code == 10


def test_verify_finds_and_exits_3(streamctl, place, snapshot):
    (place / "metadata").unlink()
    result = streamctl("checkpoint", "verify", "cp", "-o", "tsv")
    assert result.exit_code == 3
    assert plain(result.stdout).replace(str(place), "<place>") == snapshot


def test_remedies_can_be_pasted_from_a_narrow_terminal(streamctl, place):
    """Each is one line, whatever the width, and acts on the path that was verified."""
    (place / "metadata").unlink()
    result = streamctl("checkpoint", "verify", "cp", "-o", "table")
    assert f"`rm {place}/.metadata.crc`" in result.stdout
    restore = re.search(r"`streamctl (checkpoint restore [^`]*)`", result.stdout)[1]
    assert "\n" not in restore
    given = parsed(*shlex.split(restore))
    assert (given["repository"], given["to"]) == (".cp.backups", "cp.restored")


def test_no_checkpoint_exits_10_with_a_way_out(streamctl, tmp_path):
    result = streamctl("checkpoint", "verify", str(tmp_path))
    assert result.exit_code == 10
    assert "offsets/" in result.stderr


def test_an_unknown_batch_exits_10_and_says_which_there_are(streamctl, place):
    assert place
    result = streamctl("checkpoint", "inspect", "cp", "--batch", "999")
    assert result.exit_code == 10
    assert "keeps batches" in result.stderr


@pytest.fixture
def generation(tmp_path):
    """The job's own location, with one query."""
    location = tmp_path / "data" / "checkpoint"
    add(
        Store.open(str(location)),
        Generation(
            name="0001",
            created_at=datetime(2024, 1, 1, tzinfo=UTC),
            job="a:B",
            starting_offsets="{}",
            why="test",
        ),
    )
    shutil.copytree(CHECKPOINT, location / "0001" / "windows")
    return location / "0001"


def test_the_jobs_own_checkpoint_is_the_default(streamctl, generation):
    assert streamctl("checkpoint", "verify", "-o", "json").data["verdict"] == "ok"
    shutil.copytree(CHECKPOINT, generation / "other")
    result = streamctl("checkpoint", "inspect")
    assert result.exit_code == 10
    assert "other, windows" in result.stderr
    named = streamctl("checkpoint", "verify", "--query", "windows", "-o", "json")
    assert named.data["verdict"] == "ok"


def test_all_queries_are_verified_and_the_worst_verdict_counts(streamctl, generation, snapshot):
    shutil.copytree(CHECKPOINT, generation / "other")
    assert streamctl("checkpoint", "verify").exit_code == 0
    (generation / "other" / "metadata").unlink()
    told = streamctl("checkpoint", "verify", "-o", "json")
    assert (told.exit_code, told.data["verdict"]) == (3, "problem")
    assert [(q["query"], q["verdict"]) for q in told.data["queries"]] == [
        ("other", "problem"),
        ("windows", "ok"),
    ]
    assert (
        plain(streamctl("checkpoint", "verify", "data/checkpoint", "-o", "table").stdout).replace(
            str(generation), "<generation>"
        )
        == snapshot
    )
    of_one = streamctl("checkpoint", "verify", "--sink", "out")
    assert of_one.exit_code == 10
    assert "--query" in of_one.stderr


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("state-ahead", "finding"),
        ("13", "exit_code"),
        ("exit 13", "exit_code"),
        ("CONCURRENT_STREAM_LOG_UPDATE", "spark_condition"),
        ("[cannot_load_state_store.uncategorized]", "spark_condition"),
    ],
)
def test_explain(streamctl, code, kind):
    result = streamctl("explain", code, "-o", "json")
    assert result.exit_code == 0
    assert result.data["kind"] == kind
    assert result.data["remedy"]


def test_explain_a_finding_says_cause_and_effect(streamctl):
    lines = streamctl("explain", "state-ahead", "-o", "tsv").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == [
        "code", "kind", "meaning", "next start", "cause", "remedy",
    ]  # fmt: skip


def test_explain_an_unknown_code_suggests_near_ones(streamctl):
    result = streamctl("explain", "sate-ahead")
    assert result.exit_code == 10
    assert "state-ahead" in result.stderr


LOG = """\
26/01/01 ERROR MicroBatchExecution: Query terminated with error
org.apache.spark.SparkException: [FOREACH_BATCH_USER_FUNCTION_ERROR] An error occurred
Py4JException: ... [CANNOT_LOAD_STATE_STORE.UNCATEGORIZED] An error ... [X] [NOT_KNOWN_AT_ALL]
java.lang.OutOfMemoryError: Java heap space
"""


def test_explain_finds_the_hidden_condition_in_a_log(streamctl, tmp_path):
    (tmp_path / "driver.log").write_text(LOG)
    result = streamctl("explain", "driver.log", "-o", "json")
    assert result.exit_code == 3
    found = {item["condition"]: item for item in result.data["conditions"]}
    assert set(found) == {
        "FOREACH_BATCH_USER_FUNCTION_ERROR",
        "CANNOT_LOAD_STATE_STORE.UNCATEGORIZED",
        "NOT_KNOWN_AT_ALL",
        "OUT_OF_MEMORY",
    }
    assert found["NOT_KNOWN_AT_ALL"]["explanation"] is None
    assert found["CANNOT_LOAD_STATE_STORE.UNCATEGORIZED"]["first_line"] == 3


def test_a_quiet_log_is_ok():
    assert explain_log(["all is well"]).verdict == "ok"


@pytest.mark.parametrize("code", kinds())
def test_every_kind_of_finding_has_a_remedy_with_a_command(code):
    assert "`" in explain(code).remedy
