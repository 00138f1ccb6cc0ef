"""Runs the CLI in this process, off a terminal, at 80 columns."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streamctl.cli.app import app


@dataclass(frozen=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        return json.loads(self.stdout)["data"]


@pytest.fixture
def streamctl(monkeypatch, tmp_path: Path) -> Callable[..., Result]:
    """Run a command in an empty project of its own."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "COLUMNS": "80",
        "TERMINAL_WIDTH": "80",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "STREAMCTL_CACHE": str(tmp_path / "cache"),
        "NO_COLOR": "1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TOPIC", "CHECKPOINT_LOCATION"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(app, list(arguments), prog_name="streamctl")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Result(result.exit_code, result.stdout, result.stderr)

    return run
