"""A job does not end for its log: what a full disk refuses is left out, and the log says so."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamctl.supervisor.logs import JobLog

EVENT = "x" * 100
LINE_BYTES = 190  # about


@contextmanager
def room(size: int) -> Iterator[None]:
    """Files take no more than this many bytes, a write that comes to it takes a part."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def told(path: Path) -> list[str]:
    return [json.loads(line)["message"] for line in path.read_text().splitlines()]


def test_lines_that_a_full_disk_refuses_are_counted_and_none_is_torn(tmp_path):
    log = JobLog(tmp_path, max_bytes=10**6, keep_files=2)
    log.event("INFO", "before")
    with room(3 * LINE_BYTES):
        for _ in range(10):
            log.event("INFO", EVENT)
    log.event("INFO", "after")
    log.close()
    before, *kept, gap, after = told(tmp_path / "job.jsonl")
    assert (before, after) == ("before", "after")
    assert 1 <= len(kept) <= 3
    assert gap.startswith(f"{10 - len(kept)} lines of this log could not be written: ")


def test_a_log_that_cannot_be_rotated_goes_on_once_it_can(tmp_path):
    hindrance = tmp_path / "job.jsonl.2"
    hindrance.mkdir()
    log = JobLog(tmp_path, max_bytes=3 * LINE_BYTES, keep_files=2)
    for _ in range(12):
        log.event("INFO", EVENT)
    hindrance.rmdir()
    log.event("INFO", "after")
    log.close()
    gap, after = told(tmp_path / "job.jsonl")
    assert "lines of this log could not be written: Is a directory" in gap
    assert after == "after"
    assert told(tmp_path / "job.jsonl.1")[-1] == EVENT
