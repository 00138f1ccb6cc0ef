"""How long the commands take that are typed most, against Python alone and Typer's hello world."""

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from scripts.benchmarks.compare import Goal, Result, alternate
from scripts.benchmarks.stage import Stage

HELLO = str(Path(__file__).parent / "bare" / "hello.py")
ROUNDS_A_RUN = 4
"""A command takes a fraction of a second: more rounds than of the long benchmarks."""


def run(stage: Stage, runs: int) -> Result:
    """`status` and `verify` are asked of a job that has run and stopped."""
    installed = str(Path(sys.executable).with_name("streamctl"))
    commands = {
        "python -I -c pass": [sys.executable, "-I", "-c", "pass"],
        "hello": [sys.executable, HELLO],
        "hello --help": [sys.executable, HELLO, "--help"],
        "streamctl --version": [installed, "--version"],
        "streamctl --help": [installed, "--help"],
        "streamctl status -o json": [installed, "status", "-o", "json"],
        "streamctl checkpoint verify": [installed, "checkpoint", "verify", "--query", "windows"],
    }
    with stage.project() as project:
        for verb in ("start", "stop"):
            answer = project(verb)
            if answer.exit_code:
                raise RuntimeError(answer.stderr.strip()[-2000:])
        sides = {
            name: partial(timed, name, command, project.directory)
            for name, command in commands.items()
        }
        figures = alternate(sides, runs * ROUNDS_A_RUN)
    return Result(
        name="cli: process start to its end",
        figures=figures,
        goals=[
            Goal(ours="streamctl --version", other="python -I -c pass", bound=2.5),
            Goal(ours="streamctl --help", other="hello --help", bound=1.2),
            Goal(ours="streamctl status -o json", other="hello", bound=1.1),
            Goal(
                ours="streamctl checkpoint verify",
                other="streamctl --version",
                bound=0.5,
                difference=True,
            ),
        ],
    )


def timed(name: str, command: list[str], directory: Path) -> dict[str, float]:
    """Seconds of one call; its output is a pipe, as for a script."""
    began = time.perf_counter()
    subprocess.run(command, cwd=directory, capture_output=True, check=True)
    return {name: time.perf_counter() - began}
