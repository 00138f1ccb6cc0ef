"""A checkpoint is damaged while the job is down: `recover` takes it back and nothing is lost."""

import pytest

from streamctl.errors import ExitCode
from tests.harness import ASK_SECONDS, until

pytestmark = pytest.mark.integration
RECORDS = 1000


def test_a_damaged_checkpoint_is_taken_back_and_every_record_is_there(project):
    ledger = str(project.directory / "ledger")
    produce = ("produce", "--count", str(RECORDS), "--ledger", ledger, "--flaw", "all=0.1")
    assert project(*produce, "--late", "0.1", "--event-rate", "2").exit_code == 0
    assert project("start", "--set", "kafka.max_offsets_per_trigger=200").exit_code == 0
    until(lambda: project.read_by() == RECORDS, every=ASK_SECONDS)
    assert project.json("recover").data["outcome"] == "already_running"
    assert project("stop").exit_code == 0

    windows = project.checkpoints()["windows"]
    last = windows.position().committed_batch_id
    base = project.directory / "data" / "checkpoint" / "0001" / "windows" / "offsets"
    (base / f".{last}.crc").unlink(missing_ok=True)
    (base / str(last)).write_text("v1\n{")

    shown = project.json("recover", "--dry-run")
    assert (shown.exit_code, shown.data["outcome"]) == (ExitCode.FOUND, "proposed"), shown.stderr
    assert shown.data["proposal"]["rewinds"] == {"windows": last - 1}
    assert project("recover").exit_code == ExitCode.REFUSED  # nobody to ask
    done = project.json("recover", "--yes", "--watch", "5")
    assert (done.exit_code, done.data["outcome"]) == (0, "recovered"), done.stdout + done.stderr
    assert done.data["undo"][0].startswith("streamctl checkpoint undo ")

    def ends():
        return [c.position().committed[0].kafka for c in project.checkpoints().values()]

    until(lambda: ends()[0] == ends()[1])
    audit = project.json("audit", "--ledger", ledger).data["ledger"]
    assert (audit["lost"], audit["doubled"], audit["wrongly_judged"]) == (0, 0, 0), audit
    assert audit["counted"] + audit["late"] + audit["rejected"] == RECORDS
    assert project("stop").exit_code == 0
