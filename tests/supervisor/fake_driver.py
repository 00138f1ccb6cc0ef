"""A driver without Spark: `fake_driver.py RUN_DIRECTORY BEHAVIOUR`.

Like the real one it writes progress, ends on SIGTERM or when its standard input ends, and has a
child (the JVM's part) that outlives it when it is killed.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from streamctl.rundir import Failure, FailureClass, RunDirectory

run = RunDirectory(Path(sys.argv[1]))
behaviour, _, detail = sys.argv[2].partition(":")
ended = threading.Event()


def write(**fields: object) -> None:
    with run.progress_file.open("a") as file:
        file.write(json.dumps(fields) + "\n")


def fail(kind: str) -> None:
    failure = Failure(
        at=datetime.now(UTC),
        failure_class=FailureClass(kind),
        condition="FAKE",
        message="it was told to fail",
        hint="Tell it otherwise.",
    )
    run.write(failure)
    sys.exit(1)


def end_with_stdin() -> None:
    sys.stdin.read()
    ended.set()


if sys.argv[3] == "1" and os.read(0, 100) != b"take over\n":
    os._exit(0)
sys.stdout.write("not json\n")
sys.stdout.flush()
if behaviour == "fail":
    fail(detail)
if behaviour == "exit":
    sys.exit(int(detail))
signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "hang" else lambda *_: ended.set())
threading.Thread(target=end_with_stdin, daemon=True).start()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(run.path / "child").write_text(str(child.pid))
write(kind="launched", queries=["a", "b"])
write(kind="progress", query="a", batch_id=0)
if behaviour != "unready":
    write(kind="idle", query="b")
if behaviour == "hang":
    time.sleep(600)
ended.wait()
if behaviour == "slow":
    time.sleep(float(detail))
child.kill()
os._exit(0)
