"""A module of `jobs` as a child that answers questions beside the run.

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
from streamctl.job import archive
from streamctl.job.launcher import driver_environment, end_members, start_apart
from streamctl.job.scratch import Scratch
from streamctl.settings.model import Settings


class Child:
    """`python -m MODULE ARGUMENTS` in a session of its own.

    Args:
        module: of `jobs`.
        arguments: of its command line.
        project: its working directory, from which a user's job is imported.
        stdin: a pipe, or nothing.
        stderr: a pipe, or a file.
        settings: of the job, where the question is about one.

    Attributes:
        process: its Python; its id is also that of the session.

    Raises:
        JavaNotFound: no Java that Spark runs on.
        OSError: no room for temporary files, or no process can be started.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        project: Path,
        stdin: int,
        stderr: int | IO[bytes],
        settings: Settings | None = None,
    ) -> None:
        java = find_java()
        environ = driver_environment(os.environ, java_home=java.home) | _classes(java, settings)
        self._scratch = Scratch()
        self.process: subprocess.Popen[str] = start_apart(
            [sys.executable, "-m", module, *arguments],
            directory=project,
            environ=environ,
            scratch=self._scratch,
            stdin=stdin,
            stderr=stderr,
            text=True,
        )

    def end(self) -> None:
        """End it and all of its session, and tidy up after it."""
        end_members(self.process.pid)
        self.process.wait()
        self._scratch.remove()


def _classes(java: Java, settings: Settings | None) -> dict[str, str]:
    """What `jobs.at_launch` reads; empty where nothing was fetched yet."""
    jars = connector_at_hand()
    place = None
    if settings is None or settings.spark.class_archive:
        more = settings.spark.options.get(archive.CLASS_PATH, "") if settings else ""
        place = archive.locate(cache_directory(), java=java, jars=jars, class_path=more)
    return {
        "STREAMCTL_CLASS_PATH": ":".join(map(str, jars)),
        "STREAMCTL_CLASS_ARCHIVE": str(place) if place and archive.use(place) else "",
    }
