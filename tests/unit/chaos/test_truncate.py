"""Records are deleted only under a job that cannot have them in its hands."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from streamctl.chaos.verbs.kafka import truncate
from streamctl.errors import Refused
from tests.harness import until


class Topic:
    """Two partitions, and what was deleted."""

    def __init__(self) -> None:
        self.deleted: dict[int, int] = {}

    def watermarks(self, _topic: str) -> dict[int, tuple[int, int]]:
        return {0: (0, 100), 1: (40, 60)}

    def delete_records(self, _topic: str, before: dict[int, int]) -> None:
        self.deleted = before


def subject(pids: list[int]) -> SimpleNamespace:
    at = {"windows": {0: 20, 1: 50}, "dead_letters": {0: 10, 1: 50}}
    return SimpleNamespace(
        topic="t", broker=Topic(), gone={query: set() for query in at},
        driver_processes=lambda: pids, position=at.__getitem__,
    )  # fmt: skip


def test_what_neither_query_has_read_is_deleted_and_remembered_for_each():
    job = subject([])
    assert truncate(job, share=0.5) == {"0": 60, "1": 55}
    assert job.broker.deleted == {0: 60, 1: 55}
    assert job.gone["windows"] == {(0, n) for n in range(20, 60)} | {(1, n) for n in range(50, 55)}
    assert {n for p, n in job.gone["dead_letters"] if p == 0} == set(range(10, 60))


def test_a_frozen_job_has_its_records_deleted_and_one_that_reads_on_has_not():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as driver:
        try:
            job = subject([driver.pid])
            with pytest.raises(Refused, match="may have read"):
                truncate(job)
            assert job.broker.deleted == {}
            assert not any(job.gone.values())
            os.kill(driver.pid, signal.SIGSTOP)
            assert until(lambda: truncate_or_none(job), seconds=5)
        finally:
            driver.kill()


def truncate_or_none(job: SimpleNamespace) -> dict[str, int] | None:
    try:
        return truncate(job)
    except Refused:
        return None
