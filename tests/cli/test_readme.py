"""The README tells the truth where it can be checked."""

import subprocess
import sys
from pathlib import Path

from tests import readme

TEXT = readme.README.read_text(encoding="utf-8")


def test_tables_are_those_of_the_code():
    assert readme.render(TEXT) == TEXT, "run scripts/docs"


def test_the_example_job_is_a_job(tmp_path: Path):
    code = TEXT.split("```python\n")[1].split("```")[0]
    (tmp_path / "orders.py").write_text(code)
    child = subprocess.run(
        [sys.executable, "-m", "jobs", "--check", "orders:OrdersJob"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(readme.README.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"ok": true' in child.stdout


def test_scripts_named_are_there():
    for name in ("demo", "test", "campaign", "bench", "golden", "install", "check", "format"):
        assert (readme.README.parent / "scripts" / name).is_file()
        assert name in TEXT
