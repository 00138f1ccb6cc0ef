"""One question to Spark, asked of a child: nothing here imports Spark."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from streamctl.errors import StreamctlError
from streamctl.java import find_java
from streamctl.job.launcher import driver_environment
from streamctl.rundir import replace_file
from streamctl.settings.model import Settings


class SparkFailed(StreamctlError):
    """The child could not answer."""


def ask_spark(
    module: str, settings: Settings, *arguments: str, project: Path, hint: str
) -> list[str]:
    """Run a module of the jobs, and return its answer: lines that are JSON objects.

    Args:
        module: such as `jobs.compare`; its first argument is a file with the settings.
        settings: of the job.
        arguments: the others.
        project: working directory of the child, from which the job is imported.
        hint: what to look at when it fails.

    Raises:
        SparkFailed: it ended with an error; the message has its last line about one.
        JavaNotFound: there is no Java.
    """
    with tempfile.TemporaryDirectory(prefix="streamctl-question-") as scratch:
        file = Path(scratch) / "settings.json"
        replace_file(file, settings.model_dump_json())
        child = subprocess.run(
            [sys.executable, "-m", module, str(file), *arguments],
            cwd=project,
            env=driver_environment(os.environ, java_home=find_java().home),
            capture_output=True,
            text=True,
            check=False,
        )
    if child.returncode:
        told = [x for x in child.stderr.splitlines() if "Error" in x or "Exception" in x]
        raise SparkFailed(f"Spark says: {told[-1].strip() if told else 'nothing'}", hint=hint)
    return [line for line in child.stdout.splitlines() if line.startswith("{")]
