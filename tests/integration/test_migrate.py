"""New versions of a job: the state is kept or given up as it must be, and a bad one goes back."""

import shutil

import pytest

from tests.harness import Project
from tests.integration.conftest import QUICK_TO_SAY_IDLE
from tests.migrations import VARIANTS, counted

pytestmark = pytest.mark.integration


@pytest.fixture
def job(project, kafka, topic):
    shutil.copy(VARIANTS, project.directory / "variants.py")
    project.write(
        {
            "job": {"entry": "variants:Counting"},
            "kafka": {
                "bootstrap_servers": kafka,
                "topic": topic,
                "starting_offsets": "earliest",
                "max_offsets_per_trigger": 500,
            },
            "spark": {"master": "local[2]", "shuffle_partitions": 2},
            "spark.options": QUICK_TO_SAY_IDLE,
            "stream": {"watermark": "10 minutes"},
        }
    )
    return project


def produce(project: Project, count: int, seed: int) -> None:
    sent = project(
        *("produce", "--count", str(count), "--seed", str(seed), "--event-rate", "20"),
        *("--start-time", "2026-03-01T12:00:00"),
    )
    assert sent.exit_code == 0, sent.stderr


def test_versions_come_and_a_bad_one_goes_back_by_itself(job):
    produce(job, 2000, seed=1)
    assert job("start").exit_code == 0
    job.drain()

    kept = job.json("migrate", "--job", "variants:AddedField", "--yes")
    assert kept.exit_code == 0, kept.stderr
    assert (kept.data["outcome"], kept.data["choice"]["way"]) == ("migrated", "keep")
    assert kept.data["after"] == kept.data["before"] == "0001"
    produce(job, 1000, seed=2)
    job.drain()

    new = ("--job", "variants:ChangedKey")
    refused = job.json("migrate", *new, "--keep", "--yes")
    assert refused.exit_code == 14
    assert job.json("status").data["observed"] == "running", "it was not even stopped"
    rotated = job.json("migrate", *new, "--yes")
    assert rotated.exit_code == 0, rotated.stderr
    assert rotated.data["choice"]["way"] == "rotate"
    assert (rotated.data["before"], rotated.data["after"]) == ("0001", "0002")
    assert rotated.data["undo"] == "streamctl checkpoint rotate --back"

    assert job("stop").exit_code == 0
    produce(job, 1500, seed=3)
    bad = job.json("migrate", "--job", "variants:Broken", "--rotate", "--yes")
    assert bad.exit_code == 3, bad.stderr
    assert bad.data["outcome"] == "went_back"
    assert "nobody" in bad.data["failure"] or "assert" in bad.data["failure"].lower()
    job.drain()
    status = job.json("status").data
    assert (status["job"], status["generation"]) == ("variants:ChangedKey", "0002")
    assert job("stop").exit_code == 0
    assert counted(job.directory / "data", "0001") == 3000
    assert counted(job.directory / "data", "0002") == 1500


def test_a_dry_run_and_a_job_without_a_checkpoint(job):
    assert job.json("migrate", "--job", "variants:AddedField", "--yes").exit_code == 10
    assert job.json("migrate", "--keep", "--rotate").exit_code == 2
