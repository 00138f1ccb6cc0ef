"""What Spark says of a query bears its name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def test_the_lines_of_a_query_and_of_its_tasks_bear_its_name(tmp_path):
    script = str(Path(__file__).parents[2] / "failing_query.py")
    ended = subprocess.run(
        [sys.executable, script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    by_logger = {
        line["logger"].rpartition(".")[2]: line["query"]
        for line in lines
        if line["from"] == "spark"
    }
    assert by_logger["Executor"] == "windows", "a task"
    assert by_logger["MicroBatchExecution"] == "windows", "the query itself"
