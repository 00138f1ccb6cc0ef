"""A driver without Spark: `fake_driver.py RUN_DIRECTORY BEHAVIOUR`.

Like the real one it writes progress, ends on SIGTERM or when its standard input ends, and has a
child (the JVM's part) that outlives it when it is killed.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Failure, FailureClass

run = RunDirectory(Path(sys.argv[1]))
behaviour, _, detail = sys.argv[2].partition(":")
ended = threading.Event()


def write(**fields: object) -> None:
    line = {"at": datetime.now(UTC).isoformat()} | fields
    with run.progress_file.open("a") as file:
        file.write(json.dumps(line) + "\n")


def batch(query: str, number: int, *, records: int = 0, rejected: int = 0) -> None:
    unsaid = {"generation": "0001", "output_rows": None, "watermark": None, "late_rows": None}
    nothing = {"duration_ms": {}, "rejected": {}, "state": [], "totals": {}}
    counts = {"input_rows": records, "dead_letters": rejected}
    write(kind="progress", query=query, batch_id=number, **counts, **nothing, **unsaid)


def reject_a_share() -> None:
    """Batches of which a share is rejected that a test may change; one batch when on trial."""
    trial = int((run.path / "trial").read_text())
    for number in range(1, 10_000):
        share = float((run.path / "share").read_text())
        records = trial or 100
        batch("b", number, records=records, rejected=round(share * records))
        if trial or ended.wait(0.05):
            return


def fail(kind: str, *, query: str | None = None) -> None:
    failure = Failure(
        at=datetime.now(UTC),
        failure_class=FailureClass(kind),
        condition="FAKE",
        message="it was told to fail",
        hint="Tell it otherwise.",
        query=query,
    )
    run.write(failure)
    sys.exit(1)


def end_with_stdin() -> None:
    sys.stdin.read()
    ended.set()


Path(tempfile.gettempdir(), "left").write_text("by a driver that is killed")
if sys.argv[3] == "1" and os.read(0, 100) != b"take over\n":
    os._exit(0)
sys.stdout.write("not json\n")
sys.stdout.flush()
if behaviour == "fail":
    fail(detail)
if behaviour == "fail-in-batch":
    fail("infrastructure", query="a")
if behaviour == "mute":
    time.sleep(600)
if behaviour == "exit":
    sys.exit(int(detail))
signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "hang" else lambda *_: ended.set())
threading.Thread(target=end_with_stdin, daemon=True).start()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(run.path / "child").write_text(str(child.pid))
write(kind="launched", queries=["a", "b"])
batch("a", 0)
if behaviour != "unready":
    write(kind="idle", query="b")
if behaviour == "hang":
    time.sleep(600)
if behaviour == "share":
    reject_a_share()
else:
    ended.wait()
if behaviour == "slow":
    time.sleep(float(detail))
child.kill()
os._exit(0)
