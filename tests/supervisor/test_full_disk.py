"""A run directory that nothing can be written into."""

import os
import signal
import subprocess
import time

import psutil
import pytest

from tests.supervisor.harness import PATIENCE_SECONDS, is_gone, until


@pytest.fixture
def small_disk(harness):
    """A file system of 512 KiB under the run directory; yields what fills it and what frees it."""
    at = harness.run.path
    at.mkdir(parents=True)
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(at)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    filler = at / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    try:
        yield fill, filler.unlink
    finally:
        harness.clean()
        subprocess.run(["/bin/umount", "--lazy", str(at)], check=True)


def test_a_full_disk_under_the_run_directory_ends_nothing(harness, small_disk):
    """Neither a job that runs, nor one that has to be restarted meanwhile, nor its orderly end."""
    fill, free = small_disk
    supervisor = harness.start("run", attempts=1)
    harness.running()
    before = until(lambda: (status := harness.status()).url and status)
    fill()
    os.kill(before.driver_pid, signal.SIGKILL)
    time.sleep(2.5)
    assert supervisor.poll() is None
    assert harness.status() == before, "an old status, not half of a new one"
    free()
    until(lambda: harness.status().attempt == 2)
    after = harness.running()
    assert (after.run_id, after.attempts_left) == (before.run_id, 0)
    assert [line for line in harness.log() if "can be written again" in str(line["message"])]
    fill()
    supervisor.terminate()
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    pid = after.driver_pid
    assert not psutil.pid_exists(pid) or is_gone(psutil.Process(pid))
