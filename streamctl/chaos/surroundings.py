"""What an experiment was run on: told when it runs, because a report may be written elsewhere."""

import os
import platform
import sys

import psutil

from streamctl import __version__
from streamctl.jars import KAFKA_VERSION, spark_version


def surroundings() -> dict[str, str]:
    """Name -> what it is here and now."""
    return {
        "streamctl": __version__,
        "Spark": spark_version(),
        "Kafka": KAFKA_VERSION,
        "Python": sys.version.split()[0],
        "system": platform.platform(),
        "processors": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
    }
