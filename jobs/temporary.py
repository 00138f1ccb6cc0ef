"""The directory for temporary files that `streamctl.job.scratch` gave to this process.

Who started the process removes it. So does the process at its end, for who started it may be dead
by then. Python has the directory by its name TMPDIR, and so has Spark: blocks, working copies of
state and native libraries go to the JVM's `java.io.tmpdir`.
"""

import atexit
import os
import shutil

_JVM_OPTIONS = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "SPARK_SUBMIT_OPTS")
_PROPERTY = "-Djava.io.tmpdir="


def remove_at_exit() -> None:
    """Remove it when Python ends; what this process starts shall not take it for its own."""
    if place := os.environ.pop("STREAMCTL_SCRATCH", ""):
        atexit.register(shutil.rmtree, place, ignore_errors=True)


def jvm_flags() -> list[str]:
    """The JVM's option for it, unless the environment has one already."""
    place = os.environ.get("TMPDIR", "")
    chosen = any(_PROPERTY in os.environ.get(name, "") for name in _JVM_OPTIONS)
    return [f"{_PROPERTY}{place}"] if place and not chosen else []
