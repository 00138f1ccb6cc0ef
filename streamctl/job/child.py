"""Starts a module of `jobs` as a child that answers questions beside the run.

It has the connector on its class path as a driver has, and uses the class-data archive that a
driver left behind: most of what a JVM with Spark does at its start is to load classes.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from streamctl.jars import cache_directory, connector_at_hand
from streamctl.java import Java, find_java
from streamctl.job.archive import archive_path, use
from streamctl.job.launcher import driver_environment
from streamctl.job.scratch import Scratch


def spawn(
    module: str,
    arguments: Sequence[str],
    *,
    project: Path,
    scratch: Scratch,
    stdin: int,
    stderr: int | IO[bytes],
) -> subprocess.Popen[str]:
    """Run `python -m MODULE ARGUMENTS` in a session of its own.

    Args:
        module: of `jobs`.
        arguments: of its command line.
        project: its working directory, from which a user's job is imported.
        scratch: for its temporary files.
        stdin: a pipe, or nothing.
        stderr: a pipe, or a file.

    Raises:
        JavaNotFound: no Java that Spark runs on.
    """
    java = find_java()
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=project,
        env={
            **driver_environment(os.environ, java_home=java.home),
            **_classes(java),
            **scratch.environ,
        },
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )


def _classes(java: Java) -> dict[str, str]:
    """What `jobs.at_launch` reads; empty where nothing was fetched yet."""
    jars = connector_at_hand()
    archive = archive_path(cache_directory(), java=java, jars=jars)
    return {
        "STREAMCTL_CLASS_PATH": ":".join(map(str, jars)),
        "STREAMCTL_CLASS_ARCHIVE": str(archive) if use(archive) else "",
    }
