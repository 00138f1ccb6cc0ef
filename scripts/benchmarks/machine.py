"""What the figures were measured on."""

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from streamctl import __version__
from streamctl.jars import KAFKA_VERSION, spark_version
from streamctl.java import find_java
from streamctl.reports import iso


def versions() -> dict[str, object]:
    """Machine, programs and load, at this moment."""
    import confluent_kafka

    return {
        "at": iso(datetime.now(UTC)),
        "streamctl": __version__,
        "commit": _commit(),
        "os": platform.platform(),
        "processors": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "java": find_java().version,
        "pyspark": spark_version(),
        "kafka": KAFKA_VERSION,
        "librdkafka": confluent_kafka.libversion()[0],
        "typer": version("typer"),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "")


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
